"""Permutation importance: how much worse the headline metric gets when one column is shuffled.

Invariant: cheap, or absent with the reason. The same column, the same seed and the same rows give the same figure.
scikit-learn has it too, but asks the model once per shuffling, where the model's own overhead is most of the time; and
importing ``sklearn.inspection`` alone costs more than is allowed here. Shuffled copies are asked for together instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sklearn_steps import crossval, parts, scoring

#: Seconds. A training has to wait for this.
BUDGET = 0.25
#: Repeats and rows that are tried, the better first.
_PLANS = ((5, 1000), (5, 300), (3, 300), (3, 120))
_CHUNK = 20_000
_SHOWN = 20


@dataclass(frozen=True)
class Bar:
    """One column: by how much the metric falls, and how that varies with the shuffling."""

    name: str
    mean: float
    std: float


@dataclass
class Importance:
    """The most important columns, greatest first; ``left_out`` says why there are none."""

    metric: str = ""
    rows: int = 0
    repeats: int = 0
    bars: list[Bar] = field(default_factory=list)
    more: int = 0
    left_out: str = ""


@dataclass(frozen=True)
class _Cost:
    """Seconds per question to the model, per row in it, and per figure."""

    call: float
    row: float
    figure: float

    def of(self, width: int, repeats: int, rows: int) -> float:
        copies = width * repeats
        return self.row * copies * rows + self.call * (1 + copies * rows // _CHUNK) + self.figure * copies


def measure(
    model: Any,
    part: parts.Part,
    training: parts.Training,
    metric: str | None,
    seed: int,
    budget: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Importance:
    """Of the test part, by the headline metric."""
    if metric is None or training.estimator_type not in ("classifier", "regressor"):
        return Importance()
    score = scoring.Answers(metric, model)
    X, y = _rows(part, _PLANS[0][1])
    cost, width = _cost(score, X, y, clock), len(part.about.columns)
    for repeats, rows in _PLANS:
        if cost.of(width, repeats, min(rows, len(y))) <= (BUDGET if budget is None else budget):
            break
    else:
        seconds = cost.of(width, _PLANS[0][0], len(y))
        text = f"shuffling {width} columns {_PLANS[0][0]} times each would take about {_duration(seconds)}"
        return Importance(left_out=text)
    X, y = (X, y) if len(y) <= rows else _rows(part, rows)
    unshuffled = score.figure(y, score.ask(X))
    falls = _falls(score, X, y, part.about, unshuffled, repeats, seed)
    bars = [Bar(name, *figures) for name, figures in zip(part.about.names, falls, strict=True)]
    bars.sort(key=lambda bar: -bar.mean)
    usable = [bar for bar in bars if bar.mean - bar.mean == 0]
    return Importance(metric, len(y), repeats, usable[:_SHOWN], max(0, len(usable) - _SHOWN))


def _cost(score: scoring.Answers, X: Any, y: Any, clock: Callable[[], float]) -> _Cost:
    few = max(1, len(y) // 4)
    marks = [clock()]
    score.ask(X[:few])
    marks.append(clock())
    given = score.ask(X)
    marks.append(clock())
    score.figure(y, given)
    small, large, figure = marks[1] - marks[0], marks[2] - marks[1], clock() - marks[2]
    row = max(large - small, 0.0) / max(len(y) - few, 1)
    return _Cost(max(small - row * few, 0.0), row, figure)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def _rows(part: parts.Part, count: int) -> tuple[Any, Any]:
    """So many, from all over the test part."""
    import numpy as np

    total = part.about.test_rows
    places = np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))
    return crossval.take(part.X, places), part.y[places]


def _falls(
    score: scoring.Answers, X: Any, y: Any, about: parts.About, unshuffled: float, repeats: int, seed: int
) -> Iterator[tuple[float, float]]:
    """Mean and standard deviation per column; as many columns at once as make a chunk."""
    import numpy as np

    rows = len(y)
    at_once = max(1, _CHUNK // (rows * repeats))
    for first in range(0, len(about.names), at_once):
        places = range(first, min(first + at_once, len(about.names)))
        given = score.ask(_copies(X, about, places, repeats, seed))
        for number in range(len(places)):
            base = number * repeats
            falls = [
                unshuffled - score.figure(y, given[(base + again) * rows : (base + again + 1) * rows])
                for again in range(repeats)
            ]
            yield float(np.mean(falls)), float(np.std(falls))


def _copies(X: Any, about: parts.About, places: range, repeats: int, seed: int) -> Any:
    """The rows once per column and repeat, below each other, each time with that column shuffled."""
    import numpy as np

    rows, times = len(X), len(places) * repeats
    stacked: Any = (
        X.iloc[np.tile(np.arange(rows), times)].reset_index(drop=True) if about.table else np.tile(X, (times, 1))
    )
    for number, place in enumerate(places):
        random = np.random.default_rng([seed, place])
        column = X[about.names[place]].to_numpy() if about.table else X[:, place]
        shuffled = np.concatenate([column[random.permutation(rows)] for _ in range(repeats)])
        start, end = number * repeats * rows, (number + 1) * repeats * rows
        if about.table:
            whole = stacked[about.names[place]].to_numpy(copy=True)
            whole[start:end] = shuffled
            stacked[about.names[place]] = whole
        else:
            stacked[start:end, place] = shuffled
    return stacked
