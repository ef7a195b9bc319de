"""First step: fetch the data, check it, and split it into a training and a test part.

Invariant: the split is scikit-learn's own ``train_test_split`` on the rows in file order, bit for bit; a test row never
gets into the training part, unless the manifest says ``strategy: None``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sklearn_steps import contract, encode, errors, estimators, parts, profile, sklearn_import, sources, targets


def prepare(config: contract.RunConfig, env: Mapping[str, str] = os.environ) -> tuple[parts.Part, parts.Part]:
    """The training and the test part."""
    estimator = _estimator(config)
    fetched = sources.fetch(config.data, env)
    part = _of_arrays(fetched, config) if isinstance(fetched, sources.Arrays) else _of_table(fetched, config, estimator)
    classes = part.y if estimator is not None and estimators.kind_of(estimator) == "classifier" else None
    train, test, notes = _split(part.about.rows, classes, config.data.split)
    about = part.about
    about.notes += notes
    about.train_rows, about.test_rows = len(train), len(test)
    sides = [parts.Part(_take(part.X, rows), None if part.y is None else part.y[rows], about) for rows in (train, test)]
    about.profile = profile.describe(sides[0])
    return sides[0], sides[1]


def _estimator(config: contract.RunConfig) -> Any:
    """Built here only where the data cannot be checked or split without knowing it: it costs an import."""
    data = config.data
    table, split = data.source.builtin is None, data.split
    if not (table or (split.stratify and split.shuffle and split.strategy == "Random")):
        return None
    sklearn_import.load(table)
    estimator = estimators.build(config.estimator, config.seed)
    estimators.kind_of(estimator)
    return estimator


def _of_arrays(fetched: sources.Arrays, config: contract.RunConfig) -> parts.Part:
    """A builtin data set; ``features`` may choose among its columns, too."""
    named = config.data.features
    for field, names in (("include", named.include), ("exclude", named.exclude)):
        unknown = [name for name in names if name not in fetched.names]
        if unknown:
            advice = f"{errors.nearest(unknown[0], fetched.names)}the columns are {errors.listed(fetched.names, 24)}"
            text = f"data.features.{field} {errors.shown(unknown[0])}: there is no such column; {advice}"
            raise errors.UserError("FeatureMissing", text)
    wanted = named.include or tuple(fetched.names)
    keep = [place for place, name in enumerate(fetched.names) if name in wanted and name not in named.exclude]
    if not keep:
        raise errors.UserError("NoFeatures", "data.features: no column is left")
    X = fetched.X if len(keep) == len(fetched.names) else fetched.X[:, keep]
    about = parts.About(
        source=sources.describe(config.data),
        sha256=fetched.sha256,
        rows=len(X),
        table=False,
        columns=[parts.Column(name=fetched.names[place], dtype=str(X.dtype)) for place in keep],
        target=fetched.target,
        class_names=fetched.class_names,
    )
    return parts.Part(X, fetched.y, about)


def _of_table(fetched: sources.Table, config: contract.RunConfig, estimator: Any) -> parts.Part:
    from sklearn_steps import columns

    X, y, features = columns.select(fetched.frame, config.data)
    about = parts.About(
        source=sources.describe(config.data),
        sha256=fetched.sha256,
        rows=len(X),
        table=True,
        columns=features,
        target=list(config.data.target),
    )
    y = targets.checked(y, about, estimators.kind_of(estimator))
    if not (estimators.nested(estimator) or estimators.takes_gaps(estimator)):
        encode.refuse_gaps(X, about, config.estimator.class_)
    return parts.Part(X, y, about)


def _split(count: int, classes: Any, split: contract.Split) -> tuple[Any, Any, list[str]]:
    """The positions of the rows of both parts, and notes."""
    import numpy as np

    rows = np.arange(count)
    if split.strategy == "None":
        return rows, rows, ["split.strategy None: the metrics are of the very rows that the model was trained on"]
    from sklearn.model_selection import train_test_split

    options = {"test_size": split.test_size, "shuffle": split.shuffle, "random_state": split.seed}
    notes: list[str] = []
    labels = classes if split.stratify and split.shuffle else None
    try:
        train, test = _stratified(train_test_split, rows, labels, options, notes)
    except ValueError as exc:
        text = f"data.split.testSize {split.test_size:g}: of {count} rows no row is left for one of the two parts"
        raise errors.UserError("SplitEmpty", f"{text}; use more data or another share") from exc
    return train, test, notes


def _stratified(function: Any, rows: Any, labels: Any, options: dict[str, Any], notes: list[str]) -> Any:
    """Stratified if the classes allow it; a class that is too rare is a note, not a failure."""
    if labels is not None:
        try:
            return function(rows, stratify=labels, **options)
        except ValueError as exc:
            note = f"split.stratify: not stratified, because a class is too rare: {errors.first_line(exc, 200)}"
    result = function(rows, **options)
    if labels is not None:
        notes.append(note)
    return result


def _take(X: Any, rows: Any) -> Any:
    return X.iloc[rows].reset_index(drop=True) if hasattr(X, "iloc") else X[rows]
