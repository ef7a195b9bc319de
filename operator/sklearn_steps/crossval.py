"""Cross-validation of the training part: how much the figures would differ with other rows.

Invariant: the test part takes no part in it, and the figures are those of scikit-learn's ``cross_validate`` with its
usual folds, on fresh clones of the fitted estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sklearn_steps import contract, encode, errors, parts, scoring, weights

_FIELD = "evaluation.crossValidation.folds"


#: From rows to fit on and rows to judge by to a model, and the latter as it takes them.
Refit = Callable[[Any, Any], tuple[Any, Any]]


def judge(
    config: contract.RunConfig,
    model: Any,
    part: parts.Part,
    y: Any,
    kind: contract.EstimatorType,
    refit: Refit | None = None,
) -> tuple[contract.CrossValidated | None, list[str]]:
    """The spread of every metric, and notes; None where it is not asked for.

    ``refit``: how the model of a fold comes to be, where that is not a clone's fit.
    """
    asked = config.evaluation.cross_validation
    names = scoring.names(config, kind, y, model)
    if asked is None or not names:
        return None, []
    if refit is None:
        refit = _clones(config, model, part, y if kind in ("classifier", "regressor") else None)
    per_fold, notes = [], []
    for fitted_on, judged_on in _folds(config, part, y, kind, asked.folds):
        found, said = _one(config, part, y, names, fitted_on, judged_on, refit)
        per_fold.append(found)
        notes += [note for note in said if note not in notes]
    metrics = {name: _spread([found[name] for found in per_fold]) for name in names if _everywhere(name, per_fold)}
    missing = [name for name in names if name not in metrics]
    if missing:
        notes.append(f"cross-validation: not defined in every fold: {errors.listed(missing)}")
    return contract.CrossValidated(folds=asked.folds, rows=part.about.train_rows, metrics=metrics), notes


def _folds(
    config: contract.RunConfig, part: parts.Part, y: Any, kind: contract.EstimatorType, folds: int
) -> list[tuple[Any, Any]]:
    """As the data is split: no group on both sides, no fold before its training rows, else stratified if it can be.

    A random split has shuffled the rows already; none has not.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

    split, rows = config.data.split, part.about.train_rows
    if folds > rows:
        raise errors.UserError("TooManyFolds", f"{_FIELD} {folds}: there are only {rows} training rows; ask for fewer")
    shuffle = split.strategy == "None" and split.shuffle
    options = {"n_splits": folds, "shuffle": shuffle, "random_state": split.seed if shuffle else None}
    splitter: Any = KFold(**options)
    if split.strategy == "Group":
        splitter = GroupKFold(folds)
    elif split.strategy == "Time":
        splitter = TimeSeriesSplit(folds)
    elif kind == "classifier" and y.ndim == 1 and split.stratify:
        splitter = StratifiedKFold(**options)
    try:
        return list(splitter.split(part.X, y, part.groups))
    except ValueError as exc:
        text = f"{_FIELD} {folds}: {errors.first_line(exc)}; ask for fewer folds"
        raise errors.UserError("TooManyFolds", text) from exc


def _one(
    config: contract.RunConfig,
    part: parts.Part,
    y: Any,
    names: Sequence[str],
    fitted_on: Any,
    judged_on: Any,
    refit: Refit,
) -> tuple[dict[str, float], list[str]]:
    try:
        fresh, rows = refit(fitted_on, judged_on)
        labels = None if y is None else y[judged_on]
        return scoring.figures(fresh, rows, labels, names, config.seed)
    except errors.UNFIT as exc:
        told = encode.explained(exc, part.X, part.about, config.called)
        text = f"evaluation.crossValidation: a fold cannot be judged: {told.message}"
        raise errors.UserError("CrossValidationFailed", f"{text}; ask for fewer folds, or for none") from exc


def _clones(config: contract.RunConfig, model: Any, part: parts.Part, y: Any) -> Refit:
    def refit(fitted_on: Any, judged_on: Any) -> tuple[Any, Any]:
        return refitted(config, model, part, y, fitted_on), take(part.X, judged_on)

    return refit


def refitted(config: contract.RunConfig, model: Any, part: parts.Part, y: Any, rows: Any) -> Any:
    """A clone of the model, fitted to some rows of the part, with their weights."""
    from sklearn.base import clone

    fresh = clone(model)
    weight = None if part.weight is None else part.weight[rows]
    options = weights.fit_parameters(fresh, weight, config.final.class_)
    X = take(part.X, rows)
    return fresh.fit(X, **options) if y is None else fresh.fit(X, y[rows], **options)


def take(X: Any, rows: Any) -> Any:
    """Some rows of an array or of a table."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _everywhere(name: str, per_fold: Sequence[dict[str, float]]) -> bool:
    return all(name in found for found in per_fold)


def _spread(values: Sequence[float]) -> contract.Spread:
    import numpy as np

    return contract.Spread(mean=float(np.mean(values)), std=float(np.std(values)), values=tuple(values))
