"""One table out of chunks that were typed one by one.

Invariant: the columns are what reading everything at once would have made of them. Where the chunks disagree on a
column so that only the file's own text can tell (numbers in one, words in another), it is named as ``undecided``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from sklearn_steps import memory

_NUMBERS = frozenset("iuf")


class Gathered:
    """Chunks column by column; ``budget`` is asked at each."""

    def __init__(self, budget: memory.Budget) -> None:
        self._budget = budget
        self._columns: dict[str, list[Any]] = {}
        self._size = 0
        self.rows = 0

    def add(self, frame: pd.DataFrame) -> None:
        """Rows of any columns; a column that is not in a chunk is missing there."""
        self._size += int(frame.memory_usage(index=False, deep=True).sum())
        for name in frame.columns:
            if name not in self._columns:
                self._columns[name] = [np.full(self.rows, np.nan)] if self.rows else []
            self._columns[name].append(frame[name].to_numpy())
        self.rows += len(frame)
        for name, arrays in self._columns.items():
            if name not in frame.columns:
                arrays.append(np.full(len(frame), np.nan))
        self._budget.check(self._size, self.rows)

    @property
    def names(self) -> list[str]:
        return list(self._columns)

    def undecided(self) -> list[str]:
        """Columns whose values were read as numbers or booleans in one chunk and as something else in another."""
        return [name for name, arrays in self._columns.items() if not _agree(_kinds(arrays))]

    def replace(self, name: str, arrays: Iterable[Any]) -> None:
        """The chunks of an undecided column, read anew as texts."""
        self._columns[name] = list(arrays)

    def table(self) -> pd.DataFrame:
        """All rows; the chunks are used up on the way."""
        values = {}
        for name in self.names:
            arrays = self._columns.pop(name)
            values[name] = arrays[0] if len(arrays) == 1 else np.concatenate(_alike(arrays))
        return pd.DataFrame(values, copy=False)


def _kinds(arrays: Iterable[Any]) -> set[str]:
    """``b`` booleans (with gaps, too), ``O`` texts and other objects, else numpy's; all gaps is of no kind."""
    kinds = set()
    for array in arrays:
        if array.dtype.kind == "O":
            known = array[~pd.isna(array)]
            if len(known):
                kinds.add("b" if isinstance(known[0], (bool, np.bool_)) else "O")
        elif array.dtype.kind != "f" or not np.isnan(array).all():
            kinds.add(array.dtype.kind)
    return kinds


def _agree(kinds: set[str]) -> bool:
    return len(kinds) <= 1 or kinds <= _NUMBERS


def _alike(arrays: list[Any]) -> list[Any]:
    """Numbers next to numbers as they are, for numpy knows their common type; all others as objects."""
    kinds = _kinds(arrays)
    dtypes = {array.dtype.kind for array in arrays}
    if dtypes == {"b"} or (dtypes <= _NUMBERS and kinds <= _NUMBERS):
        return arrays
    return [array.astype(object) for array in arrays]
