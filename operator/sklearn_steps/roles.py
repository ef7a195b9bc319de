"""Columns that steer the training and are not learned from: weights, groups, and the time to sort by.

Invariant: what comes out is complete: a gap, a negative weight or a text that is no date is refused, never guessed at.
None of these columns is a feature unless ``data.features.include`` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_steps import contract, errors

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Roles:
    """One value per row of the whole data set. ``order`` is what ``splits`` takes for the time."""

    weight: Any = None
    groups: Any = None
    order: Any = None


def named(data: contract.Data) -> dict[str, str]:
    """Column by field of the manifest."""
    fields = {"data.weight": data.weight, "data.split.groups": data.split.groups, "data.split.time": data.split.time}
    return {field: name for field, name in fields.items() if name is not None}


def of_arrays(X: Any, names: list[str], data: contract.Data) -> Roles:
    """The same of a builtin data set, where its own columns are all there are."""
    wanted = named(data)
    if not wanted:
        return Roles()
    import pandas as pd

    for field, name in wanted.items():
        if name not in names:
            advice = f"{errors.nearest(name, names)}the columns are {errors.listed(names, 24)}"
            raise errors.UserError("ColumnMissing", f"{field} {errors.shown(name)}: there is no such column; {advice}")
    return of_table(pd.DataFrame({name: X[:, names.index(name)] for name in set(wanted.values())}), data)


def of_table(frame: pd.DataFrame, data: contract.Data) -> Roles:
    """What the manifest names; every column is there."""
    return Roles(
        weight=None if data.weight is None else _weights(frame[data.weight], data.weight),
        groups=None if data.split.groups is None else _groups(frame[data.split.groups], data.split.groups),
        order=None if data.split.time is None else _order(frame[data.split.time], data.split.time),
    )


def _weights(values: pd.Series[Any], name: str) -> Any:
    from sklearn_steps import tables

    where = f"data.weight {errors.shown(name)}"
    _no_gaps(values, where)
    numbers, categorical = tables.column(values, name, "data.weight")
    if categorical or numbers.dtype == object:
        text = f"{where}: weights are numbers, but there is {errors.shown(numbers[0])}"
        raise errors.UserError("WeightsNotNumeric", f"{text}; name a column of numbers")
    weights = numbers.astype("float64")
    for wrong, what in ((~np.isfinite(weights), "infinite"), (weights < 0, "negative")):
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            text = f"{where}: {int(wrong.sum())} of {len(weights)} weights are {what}, first in row {first + 1}"
            raise errors.UserError("WeightsInvalid", f"{text} ({weights[first]:g}); a weight is 0 or more and finite")
    if not weights.any():
        raise errors.UserError("WeightsInvalid", f"{where}: all weights are 0, so no row would count")
    return weights


def _groups(values: pd.Series[Any], name: str) -> Any:
    """Codes in the sorted order of the groups, which is the order that scikit-learn draws them in."""
    where = f"data.split.groups {errors.shown(name)}"
    _no_gaps(values, where)
    try:
        _, codes = np.unique(values.to_numpy(), return_inverse=True)
    except TypeError as exc:
        text = f"{where}: the column mixes text and numbers, or holds lists; a group is one text or one number"
        raise errors.UserError("UnusableColumn", text) from exc
    return codes.astype("int64")


def _order(values: pd.Series[Any], name: str) -> tuple[Any, Any]:
    where = f"data.split.time {errors.shown(name)}"
    _no_gaps(values, where)
    times = _sortable(values, where)
    _, ranks = np.unique(times, return_inverse=True)
    if not ranks.any():
        text = f"{where}: all {len(ranks)} rows are of one time ({errors.shown(str(values.iloc[0]))})"
        raise errors.UserError("OneTime", f"{text}; name a column that tells them apart, or choose another strategy")
    positions = np.argsort(ranks, kind="stable")
    return positions, ranks[positions]


def _sortable(values: pd.Series[Any], where: str) -> Any:
    """Numbers and times as they are, texts as ISO 8601: sorted as texts, 2/1/2024 would come after 10/1/2023."""
    import pandas as pd

    kinds = pd.api.types
    if kinds.is_datetime64_any_dtype(values.dtype):
        return values.to_numpy(dtype="datetime64[ns]")
    if kinds.is_numeric_dtype(values.dtype) and not kinds.is_complex_dtype(values.dtype):
        numbers = values.to_numpy(dtype="float64" if kinds.is_float_dtype(values.dtype) else None)
        return numbers
    try:
        return pd.to_datetime(values.astype(str), format="ISO8601", utc=True).to_numpy(dtype="datetime64[ns]")
    except (ValueError, OverflowError) as exc:
        sample = next((value for value in values if not _is_date(value)), values.iloc[0])
        text = f"{where}: neither numbers nor dates of ISO 8601, there is {errors.shown(str(sample))}"
        raise errors.UserError(
            "TimeNotSortable", f"{text}; write dates such as 2026-01-31 or 2026-01-31T23:59:00Z"
        ) from exc


def _is_date(value: Any) -> bool:
    import pandas as pd

    try:
        pd.to_datetime([str(value)], format="ISO8601", utc=True)
    except (ValueError, OverflowError):
        return False
    return True


def _no_gaps(values: pd.Series[Any], where: str) -> None:
    missing = values.isna().to_numpy()
    if missing.any():
        first = int(np.flatnonzero(missing)[0]) + 1
        text = f"{where}: {int(missing.sum())} of {len(values)} values are missing, first in row {first}"
        raise errors.UserError("ColumnIncomplete", f"{text}; fill them or remove those rows from the data")
