"""The tasks with the artifacts of Kubeflow Pipelines filled in, so that its UI shows model, metrics, curves and card.

Invariant: nothing of kfp is imported; the artifacts arrive as arguments. Only finite numbers go into their metadata,
because one NaN there fails a pipeline that has succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sklearn_steps import contract, parts, tasks

if TYPE_CHECKING:
    from sklearn_steps import evaluate as judging


class Artifact(Protocol):
    """An input or output artifact."""

    path: str
    metadata: dict[str, Any]


class Metrics(Artifact, Protocol):
    """``system.Metrics``."""

    def log_metric(self, metric: str, value: float) -> None: ...


class Classification(Artifact, Protocol):
    """``system.ClassificationMetrics``."""

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None: ...
    def log_roc_curve(self, fpr: list[float], tpr: list[float], threshold: list[float]) -> None: ...


def train(config: str, train_data: Artifact, model: Artifact) -> None:
    """``tasks.train``."""
    tasks.train(config, train_data.path, model.path)
    _describe(config, model)


def evaluate(
    config: str,
    model: Artifact,
    test_data: Artifact,
    evaluation: Artifact,
    metrics: Metrics,
    classification: Classification,
    card: Artifact,
) -> None:
    """``tasks.evaluate``."""
    log = _logger(metrics, classification, card)
    tasks.evaluate(config, model.path, test_data.path, evaluation.path, log)


def run_all(config: str, model: Artifact, metrics: Metrics, classification: Classification, card: Artifact) -> None:
    """``tasks.run_all``."""
    tasks.run_all(config, model.path, _logger(metrics, classification, card))
    _describe(config, model)


def _logger(metrics: Metrics, classification: Classification, card: Artifact) -> Callable[[judging.Judged], None]:
    def log(judged: judging.Judged) -> None:
        for name, value in judged.evaluation.metrics.items():
            metrics.log_metric(name, value)
        drawn = judged.curves
        if drawn.matrix:
            classification.log_confusion_matrix(drawn.classes, drawn.matrix)
        if drawn.fpr:
            classification.log_roc_curve(drawn.fpr, drawn.tpr, drawn.thresholds)
        Path(card.path).parent.mkdir(parents=True, exist_ok=True)
        Path(card.path).write_bytes(judged.documents[contract.CARD])

    return log


def _describe(config: str, model: Artifact) -> None:
    parsed = contract.RunConfig.model_validate_json(tasks.whole(config))
    model.metadata |= {
        "framework": "scikit-learn",
        "estimator": parts.Training.model_validate_json(Path(model.path, parts.TRAINING).read_bytes()).estimator,
        "version": parsed.version,
        "published": parsed.artifact_uri,
    }
