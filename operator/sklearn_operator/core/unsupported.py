"""Fields of the API that this release does not act on yet.

Invariant: a field that does nothing is refused, never ignored. When a feature lands, its line goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from sklearn_operator import api
from sklearn_operator.api import Problem


def problems(spec: api.SklearnModelSpec) -> Iterator[Problem]:
    """One problem per field that is set and not implemented."""
    for path, asked in _asked(spec):
        if asked:
            yield Problem(path, "set", "not implemented in this release; remove the field")


def _asked(spec: api.SklearnModelSpec) -> Iterator[tuple[str, object]]:
    yield from _data(spec.data)
    yield "spec.model.pipeline", spec.model.pipeline
    yield "spec.model.script", spec.model.script
    yield "spec.model.pretrained", spec.model.pretrained
    yield "spec.tuning", spec.tuning
    if spec.evaluation is not None:
        yield "spec.evaluation.crossValidation", spec.evaluation.cross_validation
        yield "spec.evaluation.gates", spec.evaluation.gates
    if spec.training is not None:
        yield "spec.training.requirements", spec.training.requirements
        yield "spec.training.nodeSelector", spec.training.node_selector
        yield "spec.training.tolerations", spec.training.tolerations
        yield "spec.training.imagePullSecrets", spec.training.image_pull_secrets
        yield "spec.training.cache", spec.training.cache
    if spec.artifacts is not None:
        yield "spec.artifacts", spec.artifacts.model_fields_set
    if spec.serving is not None:
        yield "spec.serving.runtime", spec.serving.runtime
        yield "spec.serving.deploymentMode", spec.serving.deployment_mode != "Standard"
    if spec.rollout is not None:
        yield "spec.rollout.approval", spec.rollout.approval != "Automatic"
        yield "spec.rollout.version", spec.rollout.version
        yield "spec.rollout.canary", spec.rollout.canary
    if spec.retraining is not None:
        yield "spec.retraining", spec.retraining.model_fields_set


def _data(data: api.DataSpec | None) -> Iterator[tuple[str, object]]:
    if data is None:
        return
    uri = data.source.uri or ""
    yield "spec.data.source.uri", uri and not uri.startswith("s3://")
    yield "spec.data.source.uri", uri.endswith("/")
    yield "spec.data.weight", data.weight
    if data.split is not None:
        yield "spec.data.split.strategy", data.split.strategy not in ("Random", "None")
