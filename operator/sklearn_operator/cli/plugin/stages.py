"""The words of ``kubectl sklearn plan`` about what would run, and why.

Invariant: pure, and about actions that ``core.plan`` decided on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sklearn_operator import api
from sklearn_operator.cli.plugin import diffs
from sklearn_operator.core import actions, gates, observed, serving

_SHOWN = 8
_WHY = {
    "Manual": "it is asked for by the annotation sklearn-operator.io/retrain",
    "Schedule": "its time has come (spec.retraining.schedule)",
}


def told(
    action: actions.Action, spec: api.SklearnModelSpec, known: Sequence[observed.Version], service: observed.Json | None
) -> Iterator[str]:
    """One line for what is done at once, further ones for what follows from it."""
    match action:
        case actions.CreateVersion():
            yield f"train {action.name} ({action.trigger_type}): {_tasks(spec)}"
            yield from (f"  because {reason}" for reason in _reasons(action, known))
            yield from (f"  then {step}" for step in _afterwards(action.name, spec))
        case actions.ApplyInferenceService() if service is None:
            yield f"create InferenceService {action.manifest['metadata']['name']} with {action.version}"
        case actions.ApplyInferenceService() if shares := action.manifest["spec"].get("canary"):
            share = f"{shares[0]['trafficPercent']} % of the requests"
            yield f"change InferenceService {action.manifest['metadata']['name']}: {action.version} gets {share}"
        case actions.ApplyInferenceService():
            where = serving.differs(action.manifest, service) if service is not None else None
            yield f"change InferenceService {action.manifest['metadata']['name']} ({where}): {action.version} serves"
        case actions.DeleteInferenceService():
            yield f"delete InferenceService {action.name}"
        case actions.DeleteVersion():
            yield f"delete {action.name} with its artifacts (spec.history.limit)"
        case _:
            return


def _tasks(spec: api.SklearnModelSpec) -> str:
    train = "train"
    if spec.tuning is not None:
        train = f"train ({spec.tuning.algorithm} search, {spec.tuning.trials} trials)"
    if spec.pipeline.layout == "Fused":
        return f"prepare, {train}, evaluate, publish, in one task"
    if spec.training.cache:
        return f"fingerprint, prepare and {train} unless an earlier run had the same data, evaluate, publish"
    return f"prepare, {train}, evaluate, publish"


def _reasons(action: actions.CreateVersion, known: Sequence[observed.Version]) -> Iterator[str]:
    if action.trigger_type in _WHY:
        yield _WHY[action.trigger_type]
        return
    if not known:
        yield "there is no version yet"
        return
    before = max(known, key=lambda version: version.number)
    differences = list(diffs.changed(_own(before.training), _own(action.training)))
    if not differences:
        yield f"no good version has these inputs, and {before.name} is {before.status.get('phase') or 'not done'}"
    yield from differences[:_SHOWN]
    if len(differences) > _SHOWN:
        yield f"{len(differences) - _SHOWN} more fields differ from {before.name}"


def _own(training: Mapping[str, Any]) -> dict[str, Any]:
    """Without the gates and what they compare with: those make no version."""
    kept = {name: part for name, part in training.items() if name != gates.COMPARED}
    judging = {name: value for name, value in (kept.get("evaluation") or {}).items() if name != "gates"}
    return kept | {"evaluation": judging}


def _afterwards(name: str, spec: api.SklearnModelSpec) -> Iterator[str]:
    if spec.evaluation.gates:
        bounds = ", ".join(_bound(gate) for gate in spec.evaluation.gates)
        yield f"judge it by {bounds}"
    if spec.serving is None:
        return
    pin = spec.rollout.version
    if pin is not None and pin != name:
        yield f"nothing: {pin} is pinned (spec.rollout.version)"
        return
    if spec.rollout.approval == "Manual" and pin is None:
        yield "wait for approval (spec.rollout.approval)"
    if spec.rollout.canary is not None:
        steps = ", ".join(f"{step.weight} %" for step in spec.rollout.canary.steps)
        yield f"serve it in steps where another version serves ({steps}, all)"
    else:
        yield "serve it in the place of whatever serves"


def _bound(gate: api.Gate) -> str:
    bounds = [f"{word} {value}" for word, value in (("at least", gate.min), ("at most", gate.max)) if value is not None]
    if gate.compare_to is not None:
        bounds.append("against the serving version")
    return f"{gate.metric} {' and '.join(bounds)}"
