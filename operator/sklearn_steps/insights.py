"""What there is to see in a model's answers to the test rows, in figures that are ready to be drawn.

Invariant: bounded, whatever the data: so many classes, points and bars and no more. A picture that the model or the
data does not allow (no probabilities, one class only, several targets) is simply absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn_steps import curves, parts, responses

Points = list[tuple[float, float]]

MAX_LINE_POINTS = 120
MAX_DOTS = 500
MAX_TARGETS = 6
MAX_CONFUSIONS = 5
_BINS = 10
_BARS = 30


@dataclass(frozen=True)
class ClassFigures:
    """One class of a classifier."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Line:
    """One curve; ``figure`` is the area under it, or the average precision."""

    name: str
    points: Points
    figure: float


@dataclass(frozen=True)
class Bin:
    """Rows of about the same probability: what was predicted, how often it was right."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True)
class Target:
    """A target of a regressor: true over predicted, and how the differences are spread."""

    name: str
    points: Points
    edges: list[float]
    counts: list[int]
    bias: float
    rmse: float
    spread: float


@dataclass
class Insights:
    """Everything; empty where it does not apply. ``guess``: how often the most frequent class is right."""

    per_class: list[ClassFigures] = field(default_factory=list)
    confusions: list[tuple[str, str, int]] = field(default_factory=list)
    guess: float | None = None
    roc: list[Line] = field(default_factory=list)
    recall: list[Line] = field(default_factory=list)
    calibration: list[Bin] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    clusters: list[tuple[str, int]] = field(default_factory=list)
    score_edges: list[float] = field(default_factory=list)
    score_counts: list[int] = field(default_factory=list)
    outliers: int | None = None
    scored_rows: int = 0

    @property
    def calibration_error(self) -> float:
        """The expected one: the mean distance from the diagonal, by rows."""
        rows = sum(one.rows for one in self.calibration)
        return sum(abs(one.predicted - one.observed) * one.rows for one in self.calibration) / max(rows, 1)


def look(answers: responses.Responses, drawn: curves.Curves, training: parts.Training) -> Insights:
    """At the test part."""
    found, kind, y = Insights(), training.estimator_type, answers.part.y
    if kind == "classifier" and y.ndim == 1:
        _classes(drawn, found)
        _ranking(answers, found)
    elif kind == "regressor":
        _residuals(answers, training.about, found)
    elif kind == "clusterer":
        _clusters(answers, found)
    elif kind == "outlier_detector":
        _outliers(answers, found)
    return found


def _classes(drawn: curves.Curves, found: Insights) -> None:
    matrix, names = drawn.matrix, drawn.classes
    if not matrix:
        return
    columns = [sum(row[place] for row in matrix) for place in range(len(names))]
    for place, name in enumerate(names):
        hits, support = matrix[place][place], sum(matrix[place])
        precision, recall = hits / max(columns[place], 1), hits / max(support, 1)
        f1 = 2 * hits / max(columns[place] + support, 1)
        found.per_class.append(ClassFigures(name, precision, recall, f1, support))
    wrong = [
        (names[true], names[said], count)
        for true, row in enumerate(matrix)
        for said, count in enumerate(row)
        if count and true != said
    ]
    found.confusions = sorted(wrong, key=lambda entry: -entry[2])[:MAX_CONFUSIONS]
    found.guess = max(sum(row) for row in matrix) / max(sum(map(sum, matrix)), 1)


def _ranking(answers: responses.Responses, found: Insights) -> None:
    """ROC and precision-recall, one class against the others; calibration where there are probabilities."""
    import numpy as np

    classes, scores = answers.model.classes_, answers.scores
    if scores is None or len(classes) > curves.MAX_CLASSES or not np.isfinite(scores).all():
        return
    found.scored_rows = len(scores)
    names = answers.part.about.class_names or []
    names = names if len(names) == len(classes) else [str(label) for label in classes.tolist()]
    for place in (1,) if len(classes) == 2 else range(len(classes)):
        positive = answers.truth == classes[place]
        if positive.any() and not positive.all():
            roc, recall = _curves(positive, scores[:, place], names[place])
            found.roc.append(roc)
            found.recall.append(recall)
    if answers.probabilities is not None:
        found.calibration = _calibration(answers, classes)


def _curves(positive: Any, scores: Any, name: str) -> tuple[Line, Line]:
    """Both curves from one sorting; the figures are those of ``roc_auc_score`` and ``average_precision_score``."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], positive[order]
    ends = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)
    true = np.cumsum(hits)[ends].astype(float)
    false = (ends + 1) - true
    tpr, fpr = np.append(0, true / true[-1]), np.append(0, false / false[-1])
    precision = true / (ends + 1)
    area = float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))
    average = float(np.sum(np.diff(tpr) * precision))
    return (
        Line(name, _thinned(fpr, tpr), area),
        Line(name, _thinned(tpr, np.append(precision[0], precision)), average),
    )


def _thinned(x: Any, y: Any) -> Points:
    """No more points than can be seen; the first and the last stay."""
    import numpy as np

    if len(x) > MAX_LINE_POINTS:  # by length along the curve, so that steep parts keep their shape
        length = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], MAX_LINE_POINTS)).clip(0, len(x) - 1))
        x, y = x[keep], y[keep]
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _calibration(answers: responses.Responses, classes: Any) -> list[Bin]:
    """Of the second of two classes; with more classes, of the one that was predicted."""
    import numpy as np

    given = answers.probabilities
    if len(classes) == 2:
        probability, right = given[:, 1], answers.truth == classes[1]
    else:
        probability, right = given.max(axis=1), classes[given.argmax(axis=1)] == answers.truth
    place = np.clip((probability * _BINS).astype(int), 0, _BINS - 1)
    bins = [place == number for number in range(_BINS)]
    return [Bin(float(probability[at].mean()), float(right[at].mean()), int(at.sum())) for at in bins if at.any()]


def _residuals(answers: responses.Responses, about: parts.About, found: Insights) -> None:
    import numpy as np

    true, said = (np.asarray(values, dtype=float) for values in (answers.part.y, answers.predicted))
    true, said = true.reshape(len(true), -1), said.reshape(len(said), -1)
    shown = np.unique(np.linspace(0, len(true) - 1, min(len(true), MAX_DOTS)).astype(int))
    for place, name in enumerate(about.target[:MAX_TARGETS]):
        x, y = said[:, place], true[:, place]
        usable = np.isfinite(x) & np.isfinite(y)
        if not usable.any():
            continue
        off = (y - x)[usable]
        counts, edges = _histogram(off)
        points = [(float(x[row]), float(y[row])) for row in shown if usable[row]]
        rmse, spread = float(np.sqrt(np.mean(off**2))), float(y[usable].std())
        found.targets.append(Target(name, points, edges, counts, float(off.mean()), rmse, spread))


def _histogram(values: Any) -> tuple[list[int], list[float]]:
    """Bars over the bulk of the values; what lies far outside counts in the outermost."""
    import numpy as np

    low, high = np.quantile(values, [0.005, 0.995]) if len(values) > 200 else (values.min(), values.max())
    if not high > low:
        low, high = low - 0.5, high + 0.5
    bars = int(np.clip(np.sqrt(len(values)), 5, _BARS))
    counts, edges = np.histogram(np.clip(values, low, high), bins=bars, range=(low, high))
    return counts.tolist(), edges.tolist()


def _clusters(answers: responses.Responses, found: Insights) -> None:
    import numpy as np

    labels, counts = np.unique(answers.predicted, return_counts=True)
    pairs: Sequence[tuple[Any, int]] = list(zip(labels.tolist(), counts.tolist(), strict=True))
    found.clusters = [("noise" if label == -1 else str(label), count) for label, count in pairs][: curves.MAX_CLASSES]


def _outliers(answers: responses.Responses, found: Insights) -> None:
    import numpy as np

    found.outliers = int((answers.predicted == -1).sum())
    scores = answers.outlier_scores
    if scores is not None and np.isfinite(scores).all():
        found.score_counts, found.score_edges = _histogram(np.ravel(scores))
