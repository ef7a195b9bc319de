"""Parquet: only the needed columns, and known to fit before they become a table.

Invariant: what comes out is what ``pandas.read_parquet`` makes of these columns; an index that pandas wrote is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from sklearn_steps import errors, files, formats, memory

#: What a Python text takes beyond its characters, and the pointer to it.
_TEXT = 49 + 8


def names(path: Path) -> list[str]:
    """Of the columns, in the order of the file."""
    with path.open("rb") as file:
        if file.read(len(formats.PARQUET)) != formats.PARQUET:
            raise formats.NotThat("it does not begin with the marker PAR1")
    with _translated():
        schema = pyarrow.parquet.read_schema(path)
    about = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    index = {item for item in about.get("index_columns", ()) if isinstance(item, str)}
    return [str(name) for name in schema.names if name not in index]


def read(items: Sequence[files.File], columns: Sequence[str], budget: memory.Budget) -> pd.DataFrame:
    """The rows of all files."""
    size = rows = 0
    tables = []
    for file in items:
        with _translated(), pyarrow.parquet.ParquetFile(file.path) as source:
            _check_fixed(source, columns, budget)
            for table in _groups(source, columns):
                size += sum(_size(column) for column in table.columns)
                rows += table.num_rows
                budget.check(size, rows)
                tables.append(table)
    return _joined(tables, items, budget.where)


def _groups(source: Any, columns: Sequence[str]) -> Iterator[Any]:
    for number in range(source.num_row_groups):
        yield source.read_row_group(number, columns=list(columns)).select(list(columns))
    if not source.num_row_groups:
        yield source.schema_arrow.empty_table().select(list(columns))


def _check_fixed(source: Any, columns: Sequence[str], budget: memory.Budget) -> None:
    """Numbers take what their type takes; that is known before a single one is read."""
    width = sum(_width(source.schema_arrow.field(name).type) for name in columns)
    budget.check(width * source.metadata.num_rows, source.metadata.num_rows, whole=True)


def _width(kind: Any) -> int:
    try:
        return int(kind.bit_width) // 8
    except ValueError:
        return 0


def _size(column: Any) -> int:
    """In memory as pandas holds it; equal texts are one object there."""
    kind = column.type
    if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or pyarrow.types.is_binary(kind)):
        return int(column.nbytes)
    distinct = pyarrow.compute.count_distinct(column).as_py()
    share = distinct / max(1, len(column))
    return int(8 * len(column) + share * (_TEXT * len(column) + column.nbytes))


def _joined(tables: list[Any], items: Sequence[files.File], where: str) -> pd.DataFrame:
    try:
        table = tables[0] if len(tables) == 1 else pyarrow.concat_tables(tables, promote_options="permissive")
    except pyarrow.ArrowException as exc:
        text = f"data.source {where}: the {len(items)} files have columns of different types: {errors.first_line(exc)}"
        raise errors.UserError("ColumnsDiffer", text) from exc
    tables.clear()
    with _translated():
        frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame.reset_index(drop=True)


class _translated:
    """pyarrow's own exceptions as ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, pyarrow.ArrowException):
            raise formats.NotThat(errors.first_line(error)) from error
