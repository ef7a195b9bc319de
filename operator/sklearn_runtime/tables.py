"""From JSON values to the input of the model: one matrix, or one list of values per column.

Invariant: a value is either taken for what it is or refused with its place; nothing is truncated or guessed, and
nothing is parsed but times, in the way in which training parsed them. Missing values are null, and become NaN, as they
were at training.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sklearn_runtime import errors, schema
from sklearn_steps import instants

if TYPE_CHECKING:
    import pandas as pd

Values = Sequence[Any]
Array = NDArray[Any]


def numbers(values: Values, where: str) -> Array:
    """Numbers as float64, or as int64 where all of them are whole and none is missing."""
    try:
        # The cheapest proof that all are numbers: a string, null or list fails, and one float makes the sum a float.
        whole = type(sum(values)) is int
        return np.fromiter(values, np.int64 if whole else np.float64, len(values))
    except (TypeError, OverflowError):
        return _numbers_with_gaps(values, where)


def _numbers_with_gaps(values: Values, where: str) -> Array:
    filled = [math.nan if value is None else value for value in values]
    try:
        sum(filled)
        return np.fromiter(filled, np.float64, len(filled))
    except (TypeError, OverflowError) as exc:
        place = next((i for i, value in enumerate(filled) if not _is_number(value)), None)
        if place is None:
            raise errors.RequestError(f"{where}: a number is too large") from exc
        raise errors.RequestError(f"{where}: value {place} is {errors.shown(filled[place])}, not a number") from exc


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def flat(values: Any, depth: int, where: str) -> Values:
    """The values of a tensor in row-major order; V2 allows nested lists as deep as the shape."""
    if type(values) is not list:
        raise errors.RequestError(f"{where}: data must be a list, got {errors.shown(values)}")
    for _ in range(depth - 1):
        if not values or type(values[0]) is not list:
            break
        if any(type(item) is not list for item in values):
            raise errors.RequestError(f"{where}: data mixes lists and single values")
        values = list(itertools.chain.from_iterable(values))
    return values  # type: ignore[no-any-return]


def of_matrix(values: Values, rows: int, columns: schema.Schema, where: str) -> Any:
    """Model input from all values in row-major order."""
    width = len(columns.features)
    dtype = columns.matrix_dtype
    if dtype is None:
        return of_columns({name: values[i::width] for i, name in enumerate(columns.names)}, columns, where)
    matrix = numbers(values, where).reshape(rows, width)
    matrix = matrix.astype(dtype, copy=False) if dtype.startswith("float") else _whole(matrix, dtype)
    return _frame(matrix, columns) if columns.frame else matrix


def of_columns(given: Mapping[str, Values], columns: schema.Schema, where: str) -> Any:
    """Model input from one list of values per column; the caller has checked the names and the lengths."""
    cast = {f.name: _column(f, given[f.name], f"{where}: column {errors.shown(f.name)}") for f in columns.features}
    if columns.frame:
        return _frame(cast, columns)
    if all(feature.numeric for feature in columns.features):
        return np.column_stack([np.asarray(cast[name]) for name in columns.names])
    mixed = np.empty((len(next(iter(cast.values()))), len(columns.names)), dtype=object)
    for position, name in enumerate(columns.names):
        mixed[:, position] = cast[name]
    return mixed


def _frame(data: Any, columns: schema.Schema) -> pd.DataFrame:
    import pandas as pd  # an array model never pays for it

    return pd.DataFrame(data, columns=list(columns.names))


def _column(feature: schema.Feature, values: Values, where: str) -> Any:
    match feature.kind:
        case schema.Kind.FLOAT:
            return numbers(values, where).astype(feature.dtype, copy=False)
        case schema.Kind.INT:
            return _whole(numbers(values, where), feature.dtype)
        case schema.Kind.BOOL:
            return _booleans(values, where)
        case schema.Kind.TIME:
            return _times(values, where)
        case schema.Kind.TEXT:
            return _typed(_texts(values, where), feature.dtype, where)
        case _:
            return _typed(_scalars(values, where), feature.dtype, where)


def _whole(array: Array, dtype: str) -> Array:
    """Fractions and gaps stay floats: truncating them would be a silently different row."""
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        return array
    bounds = np.iinfo(dtype)
    if array.size and (array.min() < bounds.min or array.max() > bounds.max):
        return array
    return array.astype(dtype, copy=False)


def _booleans(values: Values, where: str) -> Array:
    for place, value in enumerate(values):
        if not (value is None or value is True or value is False or value in (0, 1)):
            raise errors.RequestError(f"{where}: value {place} is {errors.shown(value)}, not a boolean")
    if None in values:  # numbers, as training makes of booleans with gaps
        return np.array([math.nan if value is None else float(value) for value in values])
    return np.fromiter(values, np.bool_, len(values))


def _times(values: Values, where: str) -> Array:
    """Seconds: of ISO 8601 text, or as they are."""
    seconds: list[Any] = []
    for place, value in enumerate(values):
        try:
            seconds.append(instants.seconds(value) if isinstance(value, str) else value)
        except (ValueError, OverflowError) as exc:
            text = f"{where}: value {place} is {errors.shown(value)}, not a time such as 2024-01-31T12:00:00Z"
            raise errors.RequestError(text) from exc
    return numbers(seconds, where).astype(np.float64, copy=False)


def _texts(values: Values, where: str) -> Array:
    for place, value in enumerate(values):
        if not (value is None or isinstance(value, str)):
            raise errors.RequestError(f"{where}: value {place} is {errors.shown(value)}, not a string")
    return _objects([math.nan if value is None else value for value in values])


def _scalars(values: Values, where: str) -> Array:
    for place, value in enumerate(values):
        if isinstance(value, (list, dict)):
            raise errors.RequestError(f"{where}: value {place} is {errors.shown(value)}, not a single value")
    return _objects([math.nan if value is None else value for value in values])


def _objects(values: Values) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _typed(array: Array, dtype: str, where: str) -> Any:
    """Dtypes that only pandas knows (category, string, datetime64, Int64) are converted by pandas."""
    if dtype == "object":
        return array
    import pandas as pd

    try:
        return pd.Series(array).astype(dtype)  # type: ignore[call-overload]
    except (ValueError, TypeError, OverflowError) as exc:
        raise errors.RequestError(f"{where}: not {dtype}: {exc}") from exc
