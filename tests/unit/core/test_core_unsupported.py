"""Every field of the API either does something or is refused; none is silently ignored."""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from sklearn_operator import api
from sklearn_operator.core import settings, unsupported, validation
from unit.api import api_cases
from unit.core import builders

#: What this release acts on; a path stands for everything below it.
IMPLEMENTED = {
    "spec.description",
    "spec.suspend",
    "spec.data.source.builtin",
    "spec.data.source.uri",
    "spec.data.source.configMap",
    "spec.data.format",
    "spec.data.csv",
    "spec.data.revision",
    "spec.data.credentialsSecret",
    "spec.data.target",
    "spec.data.features",
    "spec.data.split.strategy",
    "spec.data.split.testSize",
    "spec.data.split.shuffle",
    "spec.data.split.stratify",
    "spec.data.split.seed",
    "spec.data.split.groups",
    "spec.data.split.time",
    "spec.data.weight",
    "spec.model.estimator",
    "spec.model.pipeline",
    "spec.model.script",
    "spec.model.pretrained",
    "spec.tuning",
    "spec.evaluation.metrics",
    "spec.evaluation.crossValidation",
    "spec.evaluation.gates",
    "spec.retraining.schedule",
    "spec.retraining.timeZone",
    "spec.retraining.concurrencyPolicy",
    "spec.retraining.startingDeadline",
    "spec.retraining.minInterval",
    "spec.rollout.approval",
    "spec.rollout.version",
    "spec.rollout.canary",
    "spec.training.image",
    "spec.training.requirements",
    "spec.training.cache",
    "spec.training.resources",
    "spec.training.nodeSelector",
    "spec.training.tolerations",
    "spec.training.imagePullSecrets",
    "spec.training.serviceAccountName",
    "spec.training.timeout",
    "spec.training.retries",
    "spec.training.attempts",
    "spec.training.seed",
    "spec.pipeline.layout",
    "spec.artifacts.uri",
    "spec.artifacts.credentialsSecret",
    "spec.artifacts.compress",
    "spec.serving.deploymentMode",
    "spec.serving.runtime",
    "spec.serving.protocol",
    "spec.serving.minReplicas",
    "spec.serving.maxReplicas",
    "spec.serving.scaleMetric",
    "spec.serving.scaleTarget",
    "spec.serving.resources",
    "spec.serving.env",
    "spec.history.limit",
    "spec.deletionPolicy",
}

#: Asking for it, and where the refusal points.
REFUSED: dict[str, dict[str, Any]] = {}

C = {"name": "C", "type": "Double", "min": 0.1, "max": 1.0}

#: Of a field that is there, the values that are not: path, change.
REFUSED_VALUES: list[tuple[str, dict[str, Any]]] = [
    ("spec.tuning.engine", {"tuning": {"engine": "Katib", "parameters": [C]}}),
    (
        "spec.training.resources.requests.ephemeral-storage",
        {"training": {"resources": {"requests": {"ephemeral-storage": "1Gi"}}}},
    ),
    (
        "spec.training.resources.limits[b.com/b]",
        {"training": {"resources": {"limits": {"a.com/a": 1, "b.com/b": 1}}}},
    ),
]


def leaves(model: type[api.ApiModel], path: str) -> Iterator[str]:
    """The paths of all fields, lists and mappings not entered."""
    for name, field in model.model_fields.items():
        where = f"{path}.{field.alias or name}"
        inner = [one for one in (field.annotation, *typing.get_args(field.annotation)) if isinstance(one, type)]
        parts = [one for one in inner if issubclass(one, api.ApiModel)]
        if parts and where not in IMPLEMENTED | set(REFUSED):
            yield from leaves(parts[0], where)
        else:
            yield where


def test_every_field_is_decided_on() -> None:
    assert set(leaves(api.SklearnModelSpec, "spec")) == IMPLEMENTED | set(REFUSED)


CASES = [*REFUSED.items(), *REFUSED_VALUES]


@pytest.mark.parametrize("path, change", CASES, ids=lambda case: case if isinstance(case, str) else "")
def test_what_is_not_implemented_is_refused_by_name(path: str, change: dict[str, Any]) -> None:
    model = builders.model(api_cases.changed(builders.DIGITS, change))
    with pytest.raises(validation.NotAccepted) as refusal:
        validation.accept(model, settings.Settings(), builders.catalogue())
    assert refusal.value.reason == "NotImplemented"
    assert [problem.path for problem in refusal.value.problems] == [path]
    (problem,) = refusal.value.problems
    assert "implemented in this release" in problem.message and problem.value


def test_saying_what_holds_anyway_is_no_request() -> None:
    spec = copy.deepcopy(builders.DIGITS) | {
        "evaluation": {"gates": []},
        "training": {"requirements": [], "nodeSelector": {}, "tolerations": [], "imagePullSecrets": [], "cache": False},
        "artifacts": {"compress": 0},
        "serving": {"runtime": "sklearn-operator", "deploymentMode": "Standard"},
        "rollout": {"approval": "Automatic"},
        "retraining": {"timeZone": "Etc/UTC", "concurrencyPolicy": "Forbid", "minInterval": "0s"},
    }
    assert list(unsupported.problems(api.parse_spec(spec), settings.Settings())) == []


def test_all_that_is_asked_for_is_named() -> None:
    spec = api.parse_spec(api_cases.manifest("full")["spec"])
    named = {problem.path for problem in unsupported.problems(spec, settings.Settings())}
    assert named == set()
