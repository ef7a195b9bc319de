"""What is worth an Event: every turn that a person may want to know of, or have to do something about.

Invariant: an Event follows from a change that is recorded in the same pass, and comes before the record of it: whoever
dies in between announces it again under the same name. A settled model makes none, a flapping one at most one an hour
for each reason. From a first manifest to its first answer there is one, after the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sklearn_operator.core import actions, gates, observed, times, version_report, wording

#: Of these conditions' reasons for Stalled an Event of the version tells already.
_TOLD = ("Trained", "GatesPassed")
#: What is over sooner is not worth an Event.
LASTING = timedelta(minutes=5)


def turns(before: observed.Version, after: observed.Version) -> Iterator[actions.Announce]:
    """Of a version whose status becomes another."""
    yield from _ends(before, after)
    name = before.name
    mark = after.status.get("rolledBack") or {}
    if mark and mark != before.status.get("rolledBack"):
        text = f"{name} was rolled back: {mark.get('message')}"
        yield _warning("RolledBack", text, f"{name}/{mark.get('serving')}")
    if version_report.says(after, "Served") == "True" != version_report.says(before, "Served"):
        metric = after.status.get("metric")
        text = f"{name} answers requests" + (f" ({metric})" if metric else "")
        yield _normal("Serving", text, f"{name}/{_since(before.status, 'Served')}")


def _ends(before: observed.Version, after: observed.Version) -> Iterator[actions.Announce]:
    name, metric = before.name, after.status.get("metric")
    if before.phase == after.phase:
        return
    failure = after.status.get("failure") or {}
    if after.phase == "Failed":
        text = f"{name} failed in step {failure.get('step')}: {failure.get('message')}"
        yield _warning("TrainingFailed", text, f"{name}/{after.attempt}")
    elif after.phase == "Rejected":
        yield _warning("Rejected", f"{name}: {gates.told(after)}", f"{name}/{gates.told(after)}")
    elif after.phase == "Canceled" and failure.get("reason") == "Superseded":
        yield _normal("TrainingCanceled", f"{name}: {failure.get('message')}", name)
    elif after.phase == "Succeeded" and not before.finished and before.number > 1:
        text = f"{name} was trained ({before.trigger_type})" + (f": {metric}" if metric else "")
        yield _normal("Trained", text, name)


def waiting(model: observed.Model, version: observed.Version, text: str) -> Iterator[actions.Announce]:
    """Of a version that begins to wait for a person."""
    if model.status.get("candidateVersion") != version.name:
        yield _normal("ApprovalNeeded", text, version.name)


def changes(model: observed.Model, status: observed.Json, now: datetime) -> Iterator[actions.Announce]:
    """Of a model whose status becomes another."""
    before, after = _rows(model.status), _rows(status)
    stalled = after.get("Stalled", {})
    told = {after.get(kind, {}).get("message") for kind in _TOLD}
    if stalled.get("status") == "True" and stalled.get("reason") != "RolledBack" and stalled.get("message") not in told:
        was = before.get("Stalled", {})
        if (was.get("status"), was.get("message")) != ("True", stalled.get("message")):
            text = str(stalled.get("message"))
            yield _warning(str(stalled.get("reason")), text, f"{model.generation}/{text}")
    ready = after.get("Ready", {})
    if ready.get("status") == "False" and before.get("Ready", {}).get("status") == "True" and not model.deleting:
        yield _warning("NotReady", str(ready.get("message")), f"{ready.get('reason')}/{_hour(now)}")
    yield from _steps(model, status)
    if "DeletionHeldUp" == ready.get("reason") != before.get("Ready", {}).get("reason"):
        yield _warning("DeletionHeldUp", str(ready.get("message")), model.uid)


def _steps(model: observed.Model, status: observed.Json) -> Iterator[actions.Announce]:
    step, candidate = stepped(model, status), status.get("candidateVersion")
    if step is not None:
        text = f"{candidate} gets {step.get('weight')} % of the requests until {step['nextStepAt']}"
        yield _normal("RolloutStep", text, f"{candidate}/{step.get('weight')}")


def stepped(model: observed.Model, status: observed.Json) -> observed.Json | None:
    """A step of a rollout that begins: it counts once its share is in effect, which is when its end is known."""
    step: observed.Json = status.get("rollout") or {}
    known = model.status.get("rollout") or {}
    begun = "nextStepAt" in known and known.get("weight") == step.get("weight")
    return step if "nextStepAt" in step and not begun else None


def repaired(repairs: str, now: datetime) -> actions.Announce:
    """Of an InferenceService that others had changed; somebody who goes on doing so is named once an hour."""
    text = f"the InferenceService was put right: {repairs}"
    return _warning("DriftRepaired", text, f"{repairs}/{_hour(now)}")


def lasting(since: datetime, message: str, now: datetime) -> actions.Announce | None:
    """Of trouble with an outside system; None while it may still be a hiccup."""
    if now - since < LASTING:
        return None
    return _warning("Retrying", f"for {int(LASTING.total_seconds() // 60)} minutes now: {message}", times.text(since))


def _normal(reason: str, message: str, key: str) -> actions.Announce:
    return actions.Announce("Normal", reason, wording.message(message), key)


def _warning(reason: str, message: str, key: str) -> actions.Announce:
    return actions.Announce("Warning", reason, wording.message(message), key)


def _hour(now: datetime) -> str:
    return times.text(now)[:13]


def _since(status: observed.Json, kind: str) -> str:
    return str(_rows(status).get(kind, {}).get("lastTransitionTime"))


def _rows(status: observed.Json) -> dict[str, Mapping[str, Any]]:
    return {str(row.get("type")): row for row in status.get("conditions") or ()}
