"""From the bytes of a file to a table whose columns are numbers, text or categories.

Invariant: a file is either read as what its suffix (or ``data.format``) says, or refused with what it looks like
instead; a column is either of a kind that a model can take, or refused by name when it is used.
"""

from __future__ import annotations

import io
import json
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from sklearn_steps import contract, errors

_PARQUET = b"PAR1"
_MAGIC = ((_PARQUET, "Parquet"), (b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "a zip archive or an Excel sheet"))


def parse(content: bytes, name: str, where: str, data: contract.Data) -> pd.DataFrame:
    """The table in a file; ``name`` gives the suffix, ``where`` is for messages."""
    kind = data.format or contract.SUFFIXES.get(PurePosixPath(name).suffix.lower())
    if kind is None:
        text = f"data.source {where}: the suffix does not tell the format; set data.format to csv, parquet or jsonl"
        raise errors.UserError("UnknownFormat", text)
    if not content.strip():
        raise errors.UserError("EmptyData", f"data.source {where}: the file is empty ({len(content)} bytes)")
    said = "data.format says" if data.format else "its suffix says"
    try:
        frame = {"csv": _csv, "parquet": _parquet, "jsonl": _jsonl}[kind](content, data)
    except (_NotThat, ValueError, TypeError, OverflowError) as exc:
        looks = _looks_like(content, kind)
        why = f"it looks like {looks}" if looks else errors.first_line(exc)
        text = f"data.source {where}: {said} {kind}, but it cannot be read as {kind}: {why}"
        raise errors.UserError("NotThatFormat", text) from exc
    if frame.empty:
        text = f"data.source {where}: the file has no rows (columns: {errors.listed(frame.columns) or 'none'})"
        raise errors.UserError("EmptyData", text)
    frame.columns = [str(column) for column in frame.columns]
    twice = sorted(frame.columns[frame.columns.duplicated()].unique())
    if twice:
        raise errors.UserError("DuplicateColumn", f"data.source {where}: column {errors.listed(twice)} is there twice")
    return frame


class _NotThat(Exception):
    """Not a file of that format."""


def _csv(content: bytes, data: contract.Data) -> pd.DataFrame:
    looks = _looks_like(content, "csv")
    if looks:
        raise _NotThat(looks)
    options = data.csv
    try:
        return pd.read_csv(
            io.BytesIO(content),
            sep=options.delimiter,
            header=0 if options.header else None,
            na_values=list(options.na_values) or None,
            low_memory=False,  # one type per column, whatever its length
            encoding="utf-8-sig",
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()


def _parquet(content: bytes, data: contract.Data) -> pd.DataFrame:
    import pyarrow

    if not content.startswith(_PARQUET):
        raise _NotThat("it does not begin with the marker PAR1")
    try:
        return pd.read_parquet(io.BytesIO(content))
    except pyarrow.ArrowException as exc:
        raise _NotThat(errors.first_line(exc)) from exc


def _jsonl(content: bytes, data: contract.Data) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(content.decode("utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as exc:
            raise _NotThat(f"line {number} is not JSON ({exc.msg} at character {exc.colno})") from exc
        if not isinstance(row, dict):
            raise _NotThat(f"line {number} is {errors.shown(row)}, not an object")
        rows.append(row)
    return pd.DataFrame(rows)


def _looks_like(content: bytes, kind: str) -> str | None:
    """What a file is, if it is plainly not of this kind."""
    head = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, name in _MAGIC:
        if content.startswith(magic) and not (kind == "parquet" and magic == _PARQUET):
            return name
    if kind != "parquet" and b"\0" in content[:65536]:
        return "a binary file"
    if head[:1] == b"<":
        return "HTML or XML"
    if head[:1] in (b"{", b"[") and kind != "jsonl" and _is_json(content):
        return "JSON"
    if kind == "jsonl" and head[:1] == b"[" and _is_json(content):
        return "one JSON document; JSON lines have one object in each line"
    return None


def _is_json(content: bytes) -> bool:
    for text in (content, content.splitlines()[0]):
        try:
            json.loads(text)
        except ValueError:
            continue
        return True
    return False


def column(values: pd.Series[Any], name: str, field: str) -> tuple[np.ndarray[Any, Any], bool]:
    """The values as numbers (booleans among them) or as objects, and whether they are categories."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _objects(values), True
    if pd.api.types.is_bool_dtype(dtype) and not values.isna().any():
        return values.to_numpy(dtype=bool), False
    if pd.api.types.is_complex_dtype(dtype):
        raise _unusable(name, field, "holds complex numbers")
    if pd.api.types.is_numeric_dtype(dtype):
        return _numbers(values), False
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        raise _unusable(name, field, "holds times; make numbers of what matters in them (year, weekday, age)")
    return _of_objects(values, name, field)


def _numbers(values: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """numpy's own dtype of the same width; integers with gaps become float64."""
    if isinstance(values.dtype, np.dtype):
        return values.to_numpy()
    if values.isna().any():
        return values.to_numpy(dtype="float64", na_value=np.nan)
    return values.to_numpy(dtype=getattr(values.dtype, "numpy_dtype", "float64"))


def _of_objects(values: pd.Series[Any], name: str, field: str) -> tuple[np.ndarray[Any, Any], bool]:
    known = values.dropna()
    kinds = {type(value) for value in known}
    if all(issubclass(kind, str) for kind in kinds):
        return (_objects(values), True) if kinds else (np.full(len(values), np.nan), False)
    try:
        if any(issubclass(kind, (str, bytes, dict, list, np.ndarray)) for kind in kinds):
            raise TypeError
        return values.astype("float64").to_numpy(), False  # booleans with gaps, decimals
    except (TypeError, ValueError):
        names = sorted({_WORDS.get(kind, kind.__name__) for kind in kinds})
        what = f"mixes {' and '.join(names)}" if len(names) > 1 else f"holds {names[0]}"
        raise _unusable(name, field, what) from None


_WORDS = {str: "text", int: "numbers", float: "numbers", bool: "booleans", list: "lists", dict: "objects"}


def _objects(values: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Plain objects with NaN for what is missing: the form in which serving gets them, too."""
    array = values.astype(object).to_numpy(copy=True)
    array[values.isna().to_numpy()] = np.nan
    return array


def _unusable(name: str, field: str, what: str) -> errors.UserError:
    advice = "; leave it out with data.features.exclude" if field == "data.features" else ""
    text = f"{field}: column {errors.shown(name)} {what}, which no model takes{advice}"
    return errors.UserError("UnusableColumn", text)
