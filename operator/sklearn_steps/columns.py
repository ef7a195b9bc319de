"""Which columns of a table are features, and which are the target.

Invariant: a column that the manifest names exists, and no target is ever among the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_steps import contract, errors, kinds, parts, roles, selection, tables

if TYPE_CHECKING:
    import pandas as pd

_FEATURES = "data.features"


def needed(names: list[str], data: contract.Data) -> list[str]:
    """Every column that the manifest means, by name or by not excluding it."""
    for target in data.target:
        _known(target, names, "data.target", "TargetMissing")
    for field, name in roles.named(data).items():
        _known(name, names, field, "ColumnMissing")
    meant = {*_checked_features(names, data), *data.target, *roles.named(data).values()}
    return [name for name in names if name in meant]


@dataclass
class Selected:
    """Features (in the order of ``include``, else of the file), the target (None without one), what the features are.

    ``ignored``: columns at which the model never looks.
    """

    X: pd.DataFrame
    y: Any
    columns: list[parts.Column]
    ignored: list[str]
    notes: list[str]


def select(frame: pd.DataFrame, config: contract.RunConfig) -> Selected:
    """What of the table is learned from, and what is learned.

    The frame is used up on the way: it may be half of what memory holds.
    """
    import pandas as pd

    chosen = _features(list(frame.columns), config.data)
    y = _target(frame, config.data)
    found = {name: kinds.of(frame[name]) for name in chosen}
    kept = selection.needed(config, {name: kind for name, (kind, _) in found.items()})
    values: dict[str, Any] = {}
    columns = []
    for name in kept:
        kind, times = found.pop(name)
        column = frame.pop(name)
        values[name], categorical = (times, False) if times is not None else tables.column(column, name, _FEATURES)
        columns.append(parts.Column(name=name, dtype=str(values[name].dtype), categorical=categorical, kind=kind))
    moments = [column.name for column in columns if column.kind == kinds.DATETIME]
    notes = [f"times are seconds since 1970-01-01 UTC: {errors.listed(moments)}"] if moments else []
    ignored = [name for name in chosen if name not in values]
    return Selected(pd.DataFrame(values, columns=kept), y, columns, ignored, notes)


def _known(name: str, names: list[str], field: str, reason: str) -> None:
    if name in names:
        return
    hint = errors.nearest(name, names)
    if len(names) == 1 and any(mark in names[0] for mark in ",;\t|"):
        hint = "the file seems to have another delimiter, see data.csv.delimiter; "
    text = f"{field} {errors.shown(name)}: there is no such column; {hint}the columns are {errors.listed(names, 24)}"
    raise errors.UserError(reason, text)


def _checked_features(names: list[str], data: contract.Data) -> list[str]:
    include, exclude = data.features.include, data.features.exclude
    for field, given in (("data.features.include", include), ("data.features.exclude", exclude)):
        for name in given:
            _known(name, names, field, "FeatureMissing")
    for name in include:
        if name in data.target:
            text = f"data.features.include {errors.shown(name)}: a model must not see its target"
            raise errors.UserError("TargetAmongFeatures", text)
    chosen = _features(names, data)
    if not chosen:
        raise errors.UserError("NoFeatures", f"data.features: no column is left; the file has {errors.listed(names)}")
    return chosen


def _features(names: list[str], data: contract.Data) -> list[str]:
    steering = set(roles.named(data).values())
    wanted = data.features.include or [name for name in names if name not in steering]
    return [name for name in wanted if name not in data.features.exclude and name not in data.target]


def _target(frame: pd.DataFrame, data: contract.Data) -> Any:
    if not data.target:
        return None
    arrays = []
    for name in data.target:
        missing = frame[name].isna()
        if missing.all():
            text = f"data.target {errors.shown(name)}: all {len(frame)} values are missing; name a column with labels"
            raise errors.UserError("TargetEmpty", text)
        if missing.any():
            first = int(np.flatnonzero(missing)[0]) + 1
            text = f"data.target {errors.shown(name)}: {int(missing.sum())} of {len(frame)} values are missing"
            raise errors.UserError("TargetIncomplete", f"{text}, first in row {first}; remove those rows from the data")
        arrays.append(tables.column(frame[name], name, "data.target")[0])
    texts = [name for name, array in zip(data.target, arrays, strict=True) if array.dtype == object]
    if texts and len(texts) < len(arrays):
        others = [name for name in data.target if name not in texts]
        text = f"data.target: {errors.listed(texts)} has text and {errors.listed(others)} has numbers"
        raise errors.UserError("TargetsMixed", f"{text}; several targets must be of one kind")
    return arrays[0] if len(arrays) == 1 else np.column_stack(arrays)
