"""Gates: whether they can be judged at all, and which trained versions they let through now.

Invariant: a judgement is made from recorded figures each time anew, so that changing a gate changes it without any
training (docs/adr/0012). A version of another manifest keeps the judgement of its day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import naming, observed, wording
from sklearn_steps import contract
from sklearn_steps import gates as rules

#: Where a version's frozen inputs name the version that it is compared with.
COMPARED = "compareWith"
_JUDGED = ("Succeeded", "Rejected")


def problems(kind: str, spec: api.SklearnModelSpec) -> Iterator[Problem]:
    """What is wrong with the judging that ``spec`` asks for, of a model of that kind."""
    evaluation = spec.evaluation
    computed = _computed(kind, spec)
    if evaluation.cross_validation is not None and not computed:
        text = "there is no metric to cross-validate for this kind of estimator: remove it"
        yield Problem("spec.evaluation.crossValidation", api.show(evaluation.cross_validation.folds), text)
    for index, gate in enumerate(evaluation.gates):
        where = f"spec.evaluation.gates[{index}]"
        if gate.metric not in computed:
            yield Problem(f"{where}.metric", gate.metric, _not_computed(gate.metric, computed))
        else:
            yield from _bounds(where, gate)


def _bounds(where: str, gate: api.Gate) -> Iterator[Problem]:
    """A bound that no model can keep, and one that every model keeps because its sign was forgotten."""
    ceiling = rules.ceiling(gate.metric)
    if ceiling is None:
        return
    negated = gate.metric.startswith("neg_")
    if gate.min is not None and gate.min > ceiling:
        advice = f"an error of at most {gate.min:g} is min: {-gate.min:g}" if negated else "write 95 % as 0.95"
        yield Problem(f"{where}.min", api.show(gate.min), f"{gate.metric} is never above {ceiling:g}; {advice}")
    if gate.max is not None and negated and gate.max > ceiling:
        text = f"{gate.metric} is never above 0, so every model would pass; an error of at most {gate.max:g} is "
        yield Problem(f"{where}.max", api.show(gate.max), f"{text}min: {-gate.max:g}")


def _computed(kind: str, spec: api.SklearnModelSpec) -> tuple[str, ...]:
    if spec.evaluation.metrics:
        return tuple(spec.evaluation.metrics)
    target = spec.data.target if spec.data is not None else None
    several = isinstance(target, tuple) and len(target) > 1
    return contract.MULTILABEL_METRICS if kind == "classifier" and several else contract.DEFAULT_METRICS[kind]


def _not_computed(metric: str, computed: Sequence[str]) -> str:
    if not computed:
        return "no metric is computed for this kind of estimator: remove the gate"
    close = wording.closest(metric, computed)
    advice = f"did you mean {close}? " if close else ""
    there = ", ".join(computed)
    return f"is not computed, so nothing can be judged by it; {advice}add it to spec.evaluation.metrics ({there})"


def predecessor(known: Iterable[observed.Version], name: str | None) -> dict[str, str] | None:
    """What a new version is to be compared with, as its frozen inputs name it; None where there is nothing.

    It is named even where no gate asks for it yet, so that one that asks later can tell what it has missed.
    """
    version = next((one for one in known if one.name == name and not one.deleting), None)
    artifact = (version.status.get("artifact") or {}) if version else {}
    if version is None or not artifact.get("uri") or not artifact.get("sha256"):
        return None
    return {"version": version.name, "uri": str(artifact["uri"]), "sha256": str(artifact["sha256"])}


def needed(known: Iterable[observed.Version]) -> frozenset[str]:
    """Versions that an unfinished one is yet to be compared with: their files have to stay."""
    asking = (compares(one.training) or {} for one in known if not one.finished)
    return frozenset(str(entry["version"]) for entry in asking if "version" in entry)


def compares(frozen: observed.Json) -> observed.Json | None:
    """Whom the run of these inputs compares with: it is named in them, and one of their gates asks for it."""
    named = frozen.get(COMPARED)
    return named if any(gate.get("compareTo") for gate in _own_gates(frozen)) else None


def judged(
    version: observed.Version, status: observed.Json, spec: api.SklearnModelSpec | None, wish: str | None
) -> observed.Json:
    """``status`` of ``version`` with the present judgement in it; unchanged where there is nothing to judge."""
    if status.get("phase") not in _JUDGED:
        return status
    if spec is not None and version.training_hash == wish:
        given = (gate.model_dump(mode="json", by_alias=True, exclude_none=True) for gate in spec.evaluation.gates)
        declared: Sequence[Mapping[str, Any]] = list(given)
    elif version.finished:
        return status
    else:
        declared = _own_gates(version.training)
    found = rules.judge(_parsed(declared), status.get("metrics") or {}, _compared(version, status))
    rest = {name: value for name, value in status.items() if name != "gates"}
    rest["phase"] = "Succeeded" if all(one.passed for one in found) else "Rejected"
    rows = [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in found]
    return rest | {"gates": rows} if rows else rest


def told(version: observed.Version) -> str:
    """All that the gates say of a version, those first that it does not pass."""
    rows = sorted(version.status.get("gates") or (), key=lambda row: bool(row.get("passed")))
    return "; ".join(str(row.get("message") or row.get("metric")) for row in rows)


def _parsed(declared: Iterable[Mapping[str, Any]]) -> tuple[contract.Gate, ...]:
    return tuple(contract.Gate.model_validate(dict(gate)) for gate in declared)


def _own_gates(frozen: observed.Json) -> list[Mapping[str, Any]]:
    """Those that a version was made with."""
    return list((frozen.get("evaluation") or {}).get("gates") or ())


def _compared(version: observed.Version, status: observed.Json) -> contract.Compared | None:
    """As recorded. A version that was made without the gate has no comparison, and passes only if it has served."""
    recorded = status.get("comparedWith")
    if recorded:
        return contract.Compared.model_validate(recorded)
    named = version.training.get(COMPARED)
    if not named or status.get("servedAt"):
        return None
    text = (
        f"it was trained before a gate asked for the comparison; for a training with it, set the annotation "
        f"{naming.ANNOTATION_RETRAIN} to a new value"
    )
    return contract.Compared(version=str(named["version"]), message=text)
