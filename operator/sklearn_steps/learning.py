"""The learning curve: whether more rows of the same kind would help.

Invariant: cheap, or absent with the reason; only rows of the training part are used, and what is judged by was not
fitted on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sklearn_steps import contract, crossval, errors, parts, scoring

#: Seconds for the fits, by the time that the fit of all rows took; a training has to wait for this.
BUDGET = 0.15
_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
_HELD_OUT = 0.2
_LEAST_ROWS = 50


def draw(
    config: contract.RunConfig,
    model: Any,
    part: parts.Part,
    y: Any,
    training: parts.Training,
    budget: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> parts.LearningCurve | None:
    """The curve of the headline metric; why there is none goes into ``training.left_out``."""
    kind, count = training.estimator_type, part.about.train_rows
    names = scoring.names(config, kind, y, model)
    if kind not in ("classifier", "regressor") or not names or count < _LEAST_ROWS:
        return None
    budget = BUDGET if budget is None else budget
    expected = training.fit_seconds * sum(_SHARES) * (1 - _HELD_OUT)
    if expected > budget:
        training.left_out.append(f"Learning curve: {len(_SHARES)} more fits would take about {expected:.1f} s")
        return None
    began = clock()
    curve = parts.LearningCurve(metric=names[0], rows=[], fitted=[], held_out=[], held_out_rows=0)
    held_out, rest = _divided(config, part, count)
    curve.held_out_rows = len(held_out)
    for share in _SHARES:
        if not _point(config, model, part, y, rest[: int(len(rest) * share)], held_out, curve):
            continue
        if clock() - began > 3 * budget:
            training.left_out.append("Learning curve: fitting and judging takes too long")
            return None
    return curve if len(curve.rows) > 2 else None


def _divided(config: contract.RunConfig, part: parts.Part, count: int) -> tuple[Any, Any]:
    """What is judged by, and the rest, of which the first so many rows are fitted on.

    At random, as of sorted rows the first shares would be one-sided; whole groups, group by group; or the latest rows
    are judged by, and the ones just before them come first.
    """
    import numpy as np

    strategy, random = config.data.split.strategy, np.random.default_rng(config.seed)
    if strategy == "Time":
        order = np.arange(count)[::-1]
    elif strategy == "Group":
        _, places = np.unique(part.groups, return_inverse=True)
        order = np.argsort(random.permutation(places.max() + 1)[places], kind="stable")
    else:
        order = random.permutation(count)
    held = int(count * _HELD_OUT)
    if strategy == "Group":  # up to the end of the group that the last of them is of
        held = int(np.flatnonzero(places[order] == places[order[held - 1]])[-1]) + 1
    return order[:held], order[held:]


def _point(
    config: contract.RunConfig,
    model: Any,
    part: parts.Part,
    y: Any,
    rows: Any,
    held_out: Any,
    curve: parts.LearningCurve,
) -> bool:
    """One size; False where it cannot be fitted (a class is missing, too few rows)."""
    found = []
    try:
        fresh = crossval.refitted(config, model, part, y, rows)
        for judged_on in (rows, held_out):
            figures, _ = scoring.figures(
                fresh, crossval.take(part.X, judged_on), y[judged_on], [curve.metric], config.seed
            )
            found.append(figures.get(curve.metric))
    except errors.UNFIT:
        return False
    here, there = found
    if here is None or there is None:
        return False
    curve.rows.append(len(rows))
    curve.fitted.append(here)
    curve.held_out.append(there)
    return True
