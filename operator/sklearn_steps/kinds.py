"""Of which kind a column of a table is: what ``select: {dtype: ...}`` asks for.

Invariant: every column has exactly one kind, told from its values before anything is converted; times become numbers
here, in the way of ``instants``, and in no other place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_steps import instants

NUMBER, BOOLEAN, STRING, CATEGORY, DATETIME = "number", "boolean", "string", "category", "datetime"
#: What no model takes as it is: lists, objects, a mixture, spans of time.
OTHER = "other"

_INFERRED = {
    "boolean": BOOLEAN,
    "date": DATETIME,
    "datetime": DATETIME,
    "decimal": NUMBER,
    "empty": NUMBER,
    "floating": NUMBER,
    "integer": NUMBER,
    "mixed-integer-float": NUMBER,
    "string": STRING,
}


def of(values: pd.Series[Any]) -> tuple[str, np.ndarray[Any, Any] | None]:
    """The kind, and the seconds where it is one of times."""
    kind = _kind(values)
    if kind == STRING or (kind == DATETIME and values.dtype == object):
        found = _parsed(values)
        return (STRING if found is None else DATETIME), found
    return kind, _seconds(values) if kind == DATETIME else None


def _kind(values: pd.Series[Any]) -> str:
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return CATEGORY
    if pd.api.types.is_bool_dtype(dtype):
        return BOOLEAN
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return DATETIME
    if pd.api.types.is_complex_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return OTHER
    if pd.api.types.is_numeric_dtype(dtype):
        return NUMBER
    return _INFERRED.get(pd.api.types.infer_dtype(values, skipna=True), OTHER)


def _parsed(values: pd.Series[Any]) -> np.ndarray[Any, Any] | None:
    """Every text once; None as soon as one of them is no time, which the first one usually tells."""
    known: dict[Any, float] = {}
    try:
        instants.seconds(values.loc[values.first_valid_index()])
        for value in values.dropna().unique():
            known[value] = instants.seconds(value)
    except (ValueError, OverflowError):
        return None
    return values.map(known).to_numpy(dtype="float64")


def _seconds(values: pd.Series[Any]) -> np.ndarray[Any, Any]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    moments = values.to_numpy(dtype="datetime64[us]")
    found: np.ndarray[Any, Any] = moments.astype("int64") / instants.MICROSECONDS
    found[np.isnat(moments)] = np.nan
    return found
