"""Whether a manifest is accepted, and what is wrong with it if not.

Invariant: everything that the spec alone can tell is told here, before any pod starts: field, value, and what would
be right. The first few problems are enough: nobody can make the search for more of them expensive.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import (
    addresses,
    brought,
    datasets,
    knative,
    naming,
    observed,
    packages,
    parameters,
    quantities,
    runtimes,
    schedule,
    serving,
    steps,
    suitability,
    tuning,
    unsupported,
    wording,
)
from sklearn_operator.core.settings import Settings

_NAME_LIMIT = 40
_SERVED_NAME = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
_SHOWN = 5


class NotAccepted(Exception):
    """``reason`` and ``message`` of the Valid condition."""

    def __init__(self, reason: str, problems: Sequence[Problem]) -> None:
        self.reason = reason
        self.problems = tuple(problems)
        self.message = wording.message("; ".join(map(str, self.problems[:_SHOWN])))
        super().__init__(self.message)


def accept(model: observed.Model, settings: Settings, catalogue: parameters.Catalogue) -> api.SklearnModelSpec:
    """The parsed spec; raises NotAccepted."""
    _refuse_if_any("Invalid", _name(model))
    try:
        spec = api.parse_spec(model.spec)
    except api.InvalidSpec as error:
        raise NotAccepted("Invalid", error.problems) from None
    _refuse_if_any("NotImplemented", unsupported.problems(spec, settings))
    _refuse_if_any("Invalid", _problems(model, spec, settings, catalogue))
    return spec


def _refuse_if_any(reason: str, problems: Iterable[Problem]) -> None:
    found = list(itertools.islice(problems, _SHOWN))
    if found:
        raise NotAccepted(reason, found)


def _name(model: observed.Model) -> Iterator[Problem]:
    if len(model.key.name) > _NAME_LIMIT:
        text = f"has {len(model.key.name)} characters; a name has at most {_NAME_LIMIT}, so that every name derived "
        yield Problem("metadata.name", model.key.name, f"{text}from it fits")


def _problems(
    model: observed.Model, spec: api.SklearnModelSpec, settings: Settings, catalogue: parameters.Catalogue
) -> Iterator[Problem]:
    yield from _model(spec, catalogue)
    yield from brought.problems(spec, settings, catalogue)
    yield from tuning.problems(spec, catalogue)
    yield from _addresses(spec)
    if spec.data is not None:
        yield from datasets.problems(spec.data, settings)
    yield from _training(spec.training, settings)
    yield from _rollout(model.key.name, spec, settings)
    yield from schedule.problems(spec.retraining)
    if spec.training.cache and spec.pipeline.layout == "Fused":
        text = "the one task of layout Fused publishes, so it is never skipped: set spec.pipeline.layout: Staged"
        yield Problem("spec.training.cache", "true", text)
    yield from packages.problems(spec.training, catalogue)
    if spec.serving is not None:
        yield from _serving(model.key.name, spec.serving)
        yield from _knative(spec, settings)
        yield from runtimes.problems(spec, settings)


def _addresses(spec: api.SklearnModelSpec) -> Iterator[Problem]:
    given = {
        "spec.data.source.uri": spec.data.source.uri if spec.data else None,
        "spec.model.pretrained.uri": spec.model.pretrained.uri if spec.model.pretrained else None,
        "spec.artifacts.uri": spec.artifacts.uri if spec.artifacts else None,
    }
    for path, uri in given.items():
        if uri:
            yield from addresses.problems(path, uri)


def _model(spec: api.SklearnModelSpec, catalogue: parameters.Catalogue) -> Iterator[Problem]:
    """What is trained, and whether it can be this manifest's model; of a pipeline, its last step says."""
    if spec.model.estimator is not None:
        path, model = "spec.model.estimator", steps.document(spec.model.estimator)
        found = parameters.problems(model, catalogue, path)
    elif spec.model.pipeline is not None:
        pipeline, path = spec.model.pipeline, "spec.model.pipeline"
        found = steps.problems(pipeline, catalogue, path)
        path, model = f"{path}[{len(pipeline) - 1}]", steps.document(pipeline[-1])
    else:
        return
    wrong = list(itertools.islice(found, _SHOWN))
    yield from wrong or suitability.problems(model, spec, catalogue, path)
    yield from datasets.weight_problems(model, spec, catalogue)


def _training(training: api.TrainingSpec, settings: Settings) -> Iterator[Problem]:
    account = training.service_account_name
    if account and account not in settings.service_accounts:
        allowed = ", ".join(sorted(settings.service_accounts)) or "none"
        text = f"is not among the service accounts that the operator's settings allow ({allowed})"
        yield Problem("spec.training.serviceAccountName", account, text)
    yield from _resources("spec.training.resources", training.resources)


def _resources(path: str, resources: api.Resources | None) -> Iterator[Problem]:
    if resources is not None:
        yield from quantities.problems(path, resources.requests, resources.limits)


def _rollout(name: str, spec: api.SklearnModelSpec, settings: Settings) -> Iterator[Problem]:
    rollout, pin = spec.rollout, spec.rollout.version
    on_knative = spec.serving is not None and spec.serving.deployment_mode == knative.MODE
    if rollout.canary is not None and not on_knative and not settings.standard_canary:
        text = "takes a KServe later than 0.20 with Gateway API, which the operator's settings do not promise"
        yield Problem(
            "spec.rollout.canary",
            f"{len(rollout.canary.steps)} step(s)",
            f"{text} (SKLEARN_OPERATOR_STANDARD_CANARY); remove it",
        )
    if pin is not None and not naming.number(name, pin):
        text = f"is no version of {name}; those are called {name}-v1, {name}-v2 and so on"
        yield Problem("spec.rollout.version", pin, text)


def _knative(spec: api.SklearnModelSpec, settings: Settings) -> Iterator[Problem]:
    if spec.serving is None or spec.serving.deployment_mode != "Knative":
        return
    if not settings.knative:
        text = "takes Knative Serving, which the operator's settings do not promise (SKLEARN_OPERATOR_KNATIVE)"
        yield Problem("spec.serving.deploymentMode", "Knative", f"{text}; remove it")
    metric = spec.serving.scale_metric
    if "scale_metric" in spec.serving.model_fields_set and metric not in serving.PER_REQUEST:
        yield Problem("spec.serving.scaleMetric", metric, "Knative scales by concurrency or rps")
    if spec.rollout.canary is not None and not spec.serving.min_replicas:
        text = "a candidate that sleeps cannot be judged: with rollout.canary, keep at least 1"
        yield Problem("spec.serving.minReplicas", "0", text)


def _serving(name: str, spec: api.ServingSpec) -> Iterator[Problem]:
    if not _SERVED_NAME.fullmatch(name):
        text = "the name of a served model begins with a letter and has only lower-case letters, digits and '-'"
        yield Problem("metadata.name", name, f"{text}, as KServe wants it; rename it or remove spec.serving")
    yield from _resources("spec.serving.resources", spec.resources)
    for index, variable in enumerate(spec.env):
        if variable.name in serving.OWN_VARIABLES:
            text = "is set by the operator; choose another name"
            yield Problem(f"spec.serving.env[{index}].name", variable.name, text)
