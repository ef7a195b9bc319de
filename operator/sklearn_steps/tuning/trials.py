"""One trial: fit a copy of the estimator with other parameters, and score it on rows that it was not fitted on.

Invariant: a trial depends on its parameters, the seed and the training part, never on other trials. Whatever goes
wrong in it is its answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn_steps import contract, encode, errors, estimators, parts, scoring, targets, weights

_FIELD = "tuning.parameters"
_SUPERVISED = ("classifier", "regressor")


@dataclass(frozen=True)
class Job:
    """``params`` None: as given. ``rows`` None: all that there are to fit on."""

    number: int
    params: dict[str, Any] | None
    rows: int | None = None


@dataclass(frozen=True)
class Answer:
    """``reason``: why there are no scores."""

    scores: tuple[float, ...]
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class Fold:
    """Positions of the rows to fit on and of those to score by."""

    fit: Any
    judge: Any


@dataclass(frozen=True)
class Bench:
    """All that the trials of a search have in common."""

    estimator: Any
    part: parts.Part
    y: Any
    kind: contract.EstimatorType
    metric: str
    folds: Sequence[Fold]
    seed: int
    cores: int
    packages: Sequence[str] = ()

    def measure(self, job: Job) -> Answer:
        """Runs a trial; this is what workers do."""

        def scores() -> tuple[float, ...]:
            candidate = self._candidate(job.params)
            return tuple(self._score(candidate, fold, job.rows) for fold in self.folds)

        return measured(scores, self.metric)

    def _candidate(self, params: Mapping[str, Any] | None) -> Any:
        from sklearn.base import clone

        candidate = adjusted(clone(self.estimator), params or {}, self.seed, self.packages)
        if self.kind == "classifier":
            targets.give_labels(candidate, self.y)
        greedy = {
            name: self.cores
            for name, value in candidate.get_params(deep=True).items()
            if name.rpartition("__")[2] == "n_jobs" and value not in (None, 1)
        }
        return candidate.set_params(**greedy)

    def _score(self, candidate: Any, fold: Fold, rows: int | None) -> float:
        from sklearn.base import clone

        fit = fold.fit if rows is None else subset(fold.fit, rows, self.y if self.kind == "classifier" else None)
        X, y = _rows(self.part.X, fit), None if self.y is None else self.y[fit]
        model, _ = encode.wrapped(clone(candidate), parts.Part(X, y, self.part.about))
        weight = None if self.part.weight is None else self.part.weight[fit]
        options = weights.fit_parameters(model, weight, type(candidate).__name__)
        model.fit(X, y, **options) if self.kind in _SUPERVISED else model.fit(X, **options)
        truth = None if self.y is None else self.y[fold.judge]
        return scoring.single(self.metric, model, _rows(self.part.X, fold.judge), truth, self.seed)


def measured(scores: Callable[[], tuple[float, ...]], metric: str) -> Answer:
    """The scores, or why there are none."""
    started = time.perf_counter()
    try:
        found = scores()
    except errors.StepError as exc:
        return Answer((), time.perf_counter() - started, exc.message)
    except Exception as exc:  # whatever a library throws at odd parameters
        return Answer((), time.perf_counter() - started, f"{type(exc).__name__}: {errors.first_line(exc)}")
    seconds = time.perf_counter() - started
    if any(score - score != 0 for score in found):
        return Answer((), seconds, f"{metric} is not defined on the rows that trials are judged by")
    return Answer(found, seconds)


def adjusted(estimator: Any, params: Mapping[str, Any], seed: int, packages: Sequence[str] = ()) -> Any:
    """The estimator with these parameters, nested ones by their names with ``__``."""
    present = estimator.get_params(deep=True)
    values = {}
    for name, value in params.items():
        owner, _, leaf = name.rpartition("__")
        of = type(present[owner] if owner else estimator)
        values[name] = estimators.value(value, f"{_FIELD} {name}", seed, of, leaf, packages)
    return estimator.set_params(**values)


def _rows(X: Any, rows: Any) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def subset(fit: Any, rows: int, classes: Any) -> Any:
    """The first so many rows of an order that does not depend on how many; of every class about its share."""
    import numpy as np

    order = np.random.RandomState(0).permutation(len(fit))
    if classes is not None and classes.ndim == 1:
        labels = np.unique(classes[fit], return_inverse=True)[1][order]
        rank = np.empty(len(order))
        for label in np.unique(labels):
            places = np.flatnonzero(labels == label)
            rank[places] = (np.arange(len(places)) + 0.5) / len(places)
        order = order[np.argsort(rank, kind="stable")]
    return fit[np.sort(order[:rows])]
