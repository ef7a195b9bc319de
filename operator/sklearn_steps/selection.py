"""Which columns the groups of a declared pipeline take, and which of the table it needs at all.

Invariant: every group takes at least one column, and every name in a manifest is a column's; a column that the model
never looks at is no feature, so nobody has to send it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_steps import contract, errors, recipe

Pipeline = Sequence[recipe.PipelineStep]


def of_group(group: recipe.ColumnGroup, kinds: Mapping[str, str], field: str) -> list[str]:
    """The names that ``group`` selects among the features; ``kinds`` are those of all of them, by name."""
    if isinstance(group.select, recipe.SelectKind):
        found = [name for name, kind in kinds.items() if kind == group.select.dtype]
        if not found:
            text = f"{field}.select: no column is of dtype {group.select.dtype}; there are {_by_kind(kinds)}"
            raise errors.UserError("NothingSelected", f"{text}; select among those, or remove the group {group.name}")
        return found
    for name in group.select:
        if name not in kinds:
            hint = errors.nearest(name, list(kinds))
            text = f"{field}.select {errors.shown(name)}: there is no such feature; {hint}the features are"
            raise errors.UserError("FeatureMissing", f"{text} {errors.listed(kinds, 24)}")
    return list(group.select)


def _by_kind(kinds: Mapping[str, str]) -> str:
    by_kind: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        by_kind.setdefault(kind, []).append(name)
    return "; ".join(f"{kind}: {errors.listed(names, 8)}" for kind, names in sorted(by_kind.items()))


def grouped(pipeline: Pipeline | None, kinds: Mapping[str, str]) -> list[str]:
    """The columns that a group takes, in the order of the table."""
    taken: set[str] = set()
    for field, group in _groups(pipeline):
        taken.update(of_group(group, kinds, field))
    return [name for name in kinds if name in taken]


def needed(config: contract.RunConfig, kinds: Mapping[str, str]) -> list[str]:
    """The columns that the model looks at; with ``remainder: drop`` only those that a group takes."""
    taken = grouped(config.pipeline, kinds)
    first = config.pipeline[0] if config.pipeline else None
    if first is None or first.columns is None or first.remainder != "drop":
        return list(kinds)
    searched = {parameter.name for parameter in config.tuning.parameters} if config.tuning else set()
    return list(kinds) if f"{first.name}__remainder" in searched else taken


def _groups(pipeline: Pipeline | None) -> list[tuple[str, recipe.ColumnGroup]]:
    return [
        (f"model.pipeline[{place}].columns[{number}]", group)
        for place, step in enumerate(pipeline or ())
        for number, group in enumerate(step.columns or ())
    ]


def by_name(config: contract.RunConfig) -> bool:
    """Whether columns are named somewhere in the model, so that it has to be given a table."""
    if config.brought:
        return True  # whether it wants one, only the model itself can tell
    if config.pipeline is None:
        return _names_columns(config.final.params, config.final.class_)
    return any(step.columns is not None or _names_columns(step.params, step.class_) for step in config.pipeline)


def _names_columns(value: Any, path: str | None = None) -> bool:
    if isinstance(path, str) and path.endswith(".ColumnTransformer"):
        return True
    if isinstance(value, Mapping):
        return any(_names_columns(item, item if key == "class" else None) for key, item in value.items())
    return isinstance(value, (list, tuple)) and any(map(_names_columns, value))
