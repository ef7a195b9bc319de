"""Confusion matrix and ROC curve: for the pipeline UI and the card.

Invariant: small and finite. At most 200 points of a curve and 50 classes of a matrix, whatever the data: the pipeline
backend keeps them as one property, and infinity is not JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sklearn_steps import parts, responses

MAX_POINTS = 200
MAX_CLASSES = 50


@dataclass
class Curves:
    """What there is to draw; empty for anything but a classifier of one target."""

    classes: list[str] = field(default_factory=list)
    matrix: list[list[int]] = field(default_factory=list)
    fpr: list[float] = field(default_factory=list)
    tpr: list[float] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)


def draw(model: Any, part: parts.Part, training: parts.Training, answers: responses.Responses) -> Curves:
    """Of the test part."""
    if training.estimator_type != "classifier" or part.y is None or part.y.ndim != 1:
        return Curves()
    classes = model.classes_
    drawn = Curves()
    if len(classes) <= MAX_CLASSES:
        from sklearn.metrics import confusion_matrix

        names = part.about.class_names or []
        drawn.classes = names if len(names) == len(classes) else [str(label) for label in classes.tolist()]
        drawn.matrix = confusion_matrix(part.y, answers.predicted, labels=classes).tolist()
    if len(classes) == 2 and answers.scores is not None:
        _roc(answers, drawn)
    return drawn


def _roc(answers: responses.Responses, drawn: Curves) -> None:
    import numpy as np
    from sklearn.metrics import roc_curve

    positive = answers.truth == answers.model.classes_[1]
    if positive.all() or not positive.any():
        return
    fpr, tpr, thresholds = roc_curve(positive, answers.scores[:, 1])
    thresholds[0] = thresholds[1:].max(initial=0.0) + 1  # scikit-learn says infinity: above every score
    keep = np.unique(np.linspace(0, len(fpr) - 1, min(len(fpr), MAX_POINTS)).astype(int))
    drawn.fpr, drawn.tpr, drawn.thresholds = fpr[keep].tolist(), tpr[keep].tolist(), thresholds[keep].tolist()
