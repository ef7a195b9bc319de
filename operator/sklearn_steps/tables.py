"""What a column of a table becomes: numbers, text or categories.

Invariant: a column is either of a kind that a model can take, or refused by name when it is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_steps import errors


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
