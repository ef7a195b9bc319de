"""CSV by column and by chunk.

Invariant: a column has one type, whatever the length of the file: the type that it has when everything is read at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_steps import contract, formats, gathering

_WHOLE = 64 << 20
_CHUNK = 16 << 20
_SAMPLE = 1 << 20


def names(path: Path, data: contract.Data) -> list[str]:
    """Of the columns, in the order of the file."""
    looks = formats.looks_like(path, "csv")
    if looks:
        raise formats.NotThat(looks)
    try:
        first = pd.read_csv(path, nrows=0 if data.csv.header else 1, **_options(data))
    except pd.errors.EmptyDataError:
        return []
    return [str(name) for name in first.columns]


def read(path: Path, columns: Sequence[str], data: contract.Data, gathered: gathering.Gathered, most: int) -> None:
    """Add the rows; a file of at most ``most`` bytes at once."""
    rows = None if path.stat().st_size <= min(most, _WHOLE) else _rows_of(path)
    with contextlib.closing(_frames(path, columns, data, rows)) as frames:
        for frame in frames:
            gathered.add(frame)


def texts(path: Path, column: str, data: contract.Data) -> Iterator[Any]:
    """One column as it stands in the file."""
    for frame in _frames(path, [column], data, _rows_of(path), dtype=str):
        yield frame[column].to_numpy()


def _frames(
    path: Path, columns: Sequence[str], data: contract.Data, rows: int | None, **options: Any
) -> Generator[pd.DataFrame]:
    there = names(path, data)
    if set(columns) != set(there):
        options["usecols"] = [there.index(name) for name in columns]
        there = [name for name in there if name in columns]
    read_csv: Any = pd.read_csv
    try:
        # low_memory reads by pieces of its own, with a type for each of them
        found = read_csv(path, low_memory=False, chunksize=rows, **_options(data), **options)
        with contextlib.nullcontext([found]) if rows is None else found as frames:
            for frame in frames:
                frame.columns = there
                yield frame[list(columns)]
    except pd.errors.EmptyDataError:
        return


def _options(data: contract.Data) -> dict[str, Any]:
    return {
        "sep": data.csv.delimiter,
        "header": 0 if data.csv.header else None,
        "na_values": list(data.csv.na_values) or None,
        "encoding": "utf-8-sig",
    }


def _rows_of(path: Path) -> int:
    """How many rows make a chunk, by the lines at the beginning."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    return max(1000, _CHUNK * max(1, sample.count(b"\n")) // max(1, len(sample)))
