"""From files to one table: only the columns that are needed, and never more than memory allows.

Invariant: the table is the same as if everything had been read at once; several files have the same columns, or are
refused by name.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath

import pandas as pd

from sklearn_steps import contract, csvfiles, errors, files, formats, gathering, jsonlines, memory, roles

Needed = Callable[[list[str]], list[str]]


def table(found: files.Files, data: contract.Data, budget: memory.Budget, needed: Needed) -> pd.DataFrame:
    """The rows of all files in their order; ``needed`` chooses among the columns, or objects to them."""
    where = budget.where
    kind = data.format or contract.SUFFIXES.get(PurePosixPath(found.items[0].name).suffix.lower())
    if kind is None:
        text = f"data.source {where}: the suffix does not tell the format; set data.format to csv, parquet or jsonl"
        raise errors.UserError("UnknownFormat", text)
    items = [file for file in found.items if not formats.blank(file.path)]
    if not items:
        size = sum(file.path.stat().st_size for file in found.items)
        many = "the file is" if len(found.items) == 1 else f"all {len(found.items)} files are"
        raise errors.UserError("EmptyData", f"data.source {where}: {many} empty ({size} bytes)")
    reader = _Reader(items, kind, data, budget, needed)
    frame = {"csv": reader.csv, "parquet": reader.parquet, "jsonl": reader.jsonl}[kind]()
    if not len(frame):
        columns = errors.listed(reader.columns) or "none"
        raise errors.UserError("EmptyData", f"data.source {where}: the file has no rows (columns: {columns})")
    return frame


class _Reader:
    """``columns``: all that there are, once a method below was called."""

    def __init__(
        self, items: list[files.File], kind: str, data: contract.Data, budget: memory.Budget, needed: Needed
    ) -> None:
        self._items = items
        self._kind = kind
        self._data = data
        self._budget = budget
        self._needed = needed
        self.columns: list[str] = []

    def csv(self) -> pd.DataFrame:
        wanted = self._checked(lambda file: csvfiles.names(file.path, self._data))
        gathered = gathering.Gathered(self._budget)
        most = self._budget.table // 8 if len(self._items) == 1 else 0
        for file in self._items:
            with self._understood(file):
                csvfiles.read(file.path, wanted, self._data, gathered, most)
        for name in gathered.undecided():
            arrays = [array for file in self._items for array in csvfiles.texts(file.path, name, self._data)]
            gathered.replace(name, arrays)
        return gathered.table()

    def parquet(self) -> pd.DataFrame:
        from sklearn_steps import parquet

        wanted = self._checked(lambda file: parquet.names(file.path))
        with self._understood(self._items[0]):
            return parquet.read(self._items, wanted, self._budget)

    def jsonl(self) -> pd.DataFrame:
        data, keys = self._data, dict[str, None]()
        given = (*data.features.include, *data.target, *roles.named(data).values()) if data.features.include else ()
        gathered = gathering.Gathered(self._budget)
        for file in self._items:
            with self._understood(file):
                keys |= dict.fromkeys(jsonlines.read(file.path, given, gathered))
        self.columns = list(keys)
        return gathered.table()[self._needed(self.columns)]

    def _checked(self, names: Callable[[files.File], list[str]]) -> list[str]:
        """The needed columns; every file has the same, in whatever order."""
        for file in self._items:
            with self._understood(file):
                found = names(file)
            self._refuse_twice(file, found)
            self.columns = self.columns or found
            if set(found) != set(self.columns):
                self._refuse_other(file, found)
        return self._needed(self.columns) if self.columns else []

    def _refuse_twice(self, file: files.File, found: list[str]) -> None:
        twice = sorted(name for name, count in Counter(found).items() if count > 1)
        if twice:
            text = f"data.source {self._label(file)}: column {errors.listed(twice)} is there twice"
            raise errors.UserError("DuplicateColumn", text)

    def _refuse_other(self, file: files.File, found: list[str]) -> None:
        first = self._items[0].name
        lacks = [name for name in self.columns if name not in found]
        more = [name for name in found if name not in self.columns]
        what = [f"lacks {errors.listed(lacks)}"] if lacks else []
        what += [f"has {errors.listed(more)} besides"] if more else []
        text = f"data.source {self._label(file)}: {' and '.join(what)}, compared with {first}"
        raise errors.UserError("ColumnsDiffer", f"{text}; all files below a prefix have the same columns")

    def _understood(self, file: files.File) -> contextlib.AbstractContextManager[None]:
        return formats.understood(self._label(file), file.path, self._kind, self._data)

    def _label(self, file: files.File) -> str:
        where = self._budget.where
        return f"{where}{file.name}" if where.endswith("/") else where
