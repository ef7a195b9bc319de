"""First step: fetch the data, check it, and split it into a training and a test part.

Invariant: both parts have the same features of the same types in the same order, and every row is in exactly one of
them, unless the manifest says ``strategy: None``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn_steps import (
    composing,
    contract,
    encode,
    errors,
    estimators,
    parts,
    profile,
    roles,
    selection,
    sklearn_import,
    sources,
    splits,
    targets,
    weights,
)


def prepare(config: contract.RunConfig, env: Mapping[str, str] = os.environ) -> tuple[parts.Part, parts.Part]:
    """The training and the test part."""
    if selection.by_name(config):
        sklearn_import.load(table=True)  # before a builtin data set brings scikit-learn without tables
    estimator = _estimator(config)
    fetched = sources.fetch(config, env)
    read = _of_arrays(fetched, config) if isinstance(fetched, sources.Arrays) else _of_table(fetched, config, estimator)
    part, order = read
    about = part.about
    classes = part.y if _is_classified(estimator, part.y) else None
    train, test, notes = splits.split(about.rows, classes, part.groups, order, config.data.split)
    if config.pretrained is not None:  # of what it was fitted on, nothing is known
        notes = [note for note in notes if note != splits.ALL_ROWS]
    about.notes += notes
    about.train_rows, about.test_rows = len(train), len(test)
    sides = [parts.taken(part, rows) for rows in (train, test)]
    if config.data.weight is not None:
        _check_weights(sides[0], config, estimator)
    about.profile = profile.describe(sides[0])
    return sides[0], sides[1]


def bring(config: contract.RunConfig, folder: Path, env: Mapping[str, str] = os.environ) -> None:
    """Fetch the pretrained model, if that is what is asked for: here are the data's credentials."""
    if config.pretrained is not None:
        from sklearn_steps import pretrained

        pretrained.fetch(config, folder, env)


def _is_classified(estimator: Any, y: Any) -> bool:
    """By the estimator, or by the data where there is none yet."""
    if estimator is None:
        return splits.of_classes(y)
    return estimators.kind_of(estimator) == "classifier"


def _estimator(config: contract.RunConfig) -> Any:
    """Built here only where the data cannot be checked or split without knowing it: it costs an import.

    A model that is not declared is known only later.
    """
    if config.brought:
        return None
    data = config.data
    table, split = data.source.builtin is None or selection.by_name(config), data.split
    if not (table or (split.stratify and split.shuffle and split.strategy == "Random")):
        return None
    sklearn_import.load(table)
    estimator = composing.build(config)
    estimators.kind_of(estimator, composing.field(config))
    return estimator


def _check_weights(train: parts.Part, config: contract.RunConfig, estimator: Any) -> None:
    if estimator is not None:
        weights.fit_parameters(estimator, train.weight, config.final.class_)
    if not train.weight.any():
        text = f"data.weight {errors.shown(config.data.weight)}: all weights of the training part are 0"
        raise errors.UserError("WeightsInvalid", f"{text}; use another data.split or other weights")
    train.about.notes.append(f"data.weight {config.data.weight}: weighs rows in fitting; metrics count every row once")


def _of_arrays(fetched: sources.Arrays, config: contract.RunConfig) -> tuple[parts.Part, Any]:
    """A builtin data set; ``features`` may choose among its columns, too."""
    named = config.data.features
    for field, names in (("include", named.include), ("exclude", named.exclude)):
        unknown = [name for name in names if name not in fetched.names]
        if unknown:
            advice = f"{errors.nearest(unknown[0], fetched.names)}the columns are {errors.listed(fetched.names, 24)}"
            text = f"data.features.{field} {errors.shown(unknown[0])}: there is no such column; {advice}"
            raise errors.UserError("FeatureMissing", text)
    steering = set(roles.named(config.data).values())
    wanted = named.include or [name for name in fetched.names if name not in steering]
    keep = [fetched.names.index(name) for name in wanted if name not in named.exclude]
    if not keep:
        raise errors.UserError("NoFeatures", "data.features: no column is left")
    kinds = {fetched.names[place]: "number" for place in keep}
    needed = selection.needed(config, kinds)
    keep = [place for place in keep if fetched.names[place] in needed]
    X = fetched.X if keep == list(range(len(fetched.names))) else fetched.X[:, keep]
    about = parts.About(
        source=sources.describe(config.data),
        sha256=fetched.sha256,
        rows=len(X),
        table=selection.by_name(config),
        columns=[parts.Column(name=fetched.names[place], dtype=str(X.dtype)) for place in keep],
        ignored=[name for name in kinds if name not in needed],
        grouped=selection.grouped(config.pipeline, kinds),
        target=fetched.target,
        class_names=fetched.class_names,
    )
    found = roles.of_arrays(fetched.X, fetched.names, config.data)
    rows = _frame(X, about) if about.table else X
    return parts.Part(rows, fetched.y, about, found.weight, found.groups), found.order


def _frame(X: Any, about: parts.About) -> Any:
    import pandas as pd

    return pd.DataFrame(X, columns=about.names)


def _of_table(fetched: sources.Table, config: contract.RunConfig, estimator: Any) -> tuple[parts.Part, Any]:
    from sklearn_steps import columns

    found = roles.of_table(fetched.frame, config.data)
    chosen = columns.select(fetched.frame, config)
    about = parts.About(
        source=sources.describe(config.data),
        sha256=fetched.sha256,
        rows=len(chosen.X),
        table=True,
        columns=chosen.columns,
        ignored=chosen.ignored,
        grouped=selection.grouped(config.pipeline, {column.name: column.kind for column in chosen.columns}),
        target=list(config.data.target),
        notes=chosen.notes,
    )
    if estimator is None:
        return parts.Part(chosen.X, chosen.y, about, found.weight, found.groups), found.order
    y = targets.checked(chosen.y, about, estimators.kind_of(estimator))
    if not (estimators.nested(estimator) or estimators.takes_gaps(estimator)):
        encode.refuse_gaps(chosen.X, about, config.final.class_)
    return parts.Part(chosen.X, y, about, found.weight, found.groups), found.order
