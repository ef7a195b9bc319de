"""The status of a SklearnModel, computed from what was seen.

Invariant: the whole status follows from the arguments; of the previous status only transition times are kept. The rows
of the state table in the API reference are what the tests of this module are made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sklearn_operator.core import (
    conditions,
    gates,
    naming,
    observed,
    serving,
    times,
    tuning,
    version_report,
    versions,
    wording,
)

Condition = conditions.Condition


@dataclass(frozen=True)
class Situation:
    """The facts that the report is written from.

    ``wanted``: the version of the present manifest; ``target``: the one meant to serve; ``answering``: the one that
    does. ``waiting``: the one that a person has to let through, where the manifest asks for that (``approval``);
    ``awaited``: the name of a pinned one that is still to come.
    ``problem``: why the spec is not accepted, ``hindrance``: why what it asks for is not served, both as (reason,
    message). ``rolling``: pods of the present InferenceService are still to come. ``rollout``: the step of a rollout
    in steps. ``progress``: how far each search is. ``next_slot``: of the schedule. ``resting``: the moment until which
    the next training waits for ``minInterval``.
    """

    model: observed.Model
    known: Sequence[observed.Version]
    now: datetime
    problem: tuple[str, str] | None = None
    wanted: observed.Version | None = None
    target: observed.Version | None = None
    waiting: observed.Version | None = None
    awaited: str | None = None
    approval: bool = False
    rolling: bool = False
    next_slot: datetime | None = None
    resting: datetime | None = None
    hindrance: tuple[str, str] | None = None
    answering: str | None = None
    train_only: bool = False
    suspended: bool = False
    verdict: serving.Verdict = field(default_factory=serving.Verdict)
    service: observed.Json | None = None
    progress: Mapping[str, observed.Json] = field(default_factory=dict)
    rollout: observed.Json = field(default_factory=dict)


def status(situation: Situation) -> dict[str, Any]:
    """The complete status object."""
    rows = _conditions(situation)
    previous = situation.model.status.get("conditions") or []
    shown = _shown_version(situation)
    latest = versions.newest(situation.known)
    number = versions.latest_number(situation.model, situation.known)
    served = serving.url(situation.service) if situation.answering else None
    document: dict[str, Any] = {
        "observedGeneration": situation.model.generation,
        "phase": _phase(situation, rows),
        "conditions": conditions.merge(previous, rows, situation.model.generation, situation.now),
        "latestVersion": naming.version_name(situation.model.key.name, number) if number else None,
        "servingVersion": situation.answering,
        "candidateVersion": _candidate(situation),
        "metric": shown.status.get("metric") if shown else None,
        "metrics": dict(shown.status["metrics"]) if shown and shown.status.get("metrics") else None,
        "url": served,
        "address": serving.address(situation.service) if situation.answering else None,
        "artifactUri": (shown.status.get("artifact") or {}).get("uri") if shown else None,
        "run": _run(latest),
        "tuning": _tuning(situation, latest),
        "rollout": dict(situation.rollout) or None,
        "lastTrainedTime": _last_trained(situation.known, situation.model.status.get("lastTrainedTime")),
        "nextScheduleTime": times.text(situation.next_slot) if situation.next_slot else None,
        "retrainHandled": _retrain_handled(situation),
    }
    return {name: value for name, value in document.items() if value is not None}


def _conditions(s: Situation) -> list[Condition]:
    trained = _trained(s)
    passed = _gates(s)
    served = _served(s)
    accepted = valid(s.problem)
    ready = _ready(s, accepted, trained, passed, served)
    stalled = _stalled(s, accepted, trained, passed)
    rows = [ready, _reconciling(s, stalled, ready, trained, served), stalled, accepted, trained, passed]
    rows = rows if s.train_only else [*rows, served]
    return [*rows, _awaiting(s)] if s.approval else rows


def valid(problem: tuple[str, str] | None) -> Condition:
    return Condition("Valid", "False", *problem) if problem else Condition("Valid", "True", "Accepted", "")


def _trained(s: Situation) -> Condition:
    newest = s.wanted
    if newest is None and s.problem is not None:
        return Condition("Trained", "Unknown", s.problem[0], "the manifest is not accepted")
    if newest is None:
        return Condition(
            "Trained", "Unknown", "Suspended" if s.suspended else "Pending", "no version of this manifest yet"
        )
    if newest.phase in ("Succeeded", "Rejected"):
        artifact = newest.status.get("artifact") or {}
        return Condition("Trained", "True", "Succeeded", f"{newest.name}: sha256 {artifact.get('sha256')}")
    if newest.finished:
        return _failed(newest, s.model.key.namespace)
    search = newest.training.get("tuning")
    doing = f", {tuning.summary(search)}" if search else ""
    return Condition("Trained", "False", "Training", f"{newest.name} is in training{doing}")


def _failed(version: observed.Version, namespace: str) -> Condition:
    """In which step, why, and where the log is: a long reason is cut, the way to the log is not."""
    failure, run = version.status.get("failure") or {}, version.status.get("run") or {}
    place = run.get("url") or (f"kubectl -n {namespace} logs -l pipeline/runid={run['id']}" if run.get("id") else "")
    log = f"; its log: {place}" if place else ""
    text = f"{version.name} failed in step {failure.get('step')}: {failure.get('message')}"
    return Condition("Trained", "False", str(failure.get("reason") or version.phase), wording.message(text, log))


def _gates(s: Situation) -> Condition:
    if s.wanted is None or s.wanted.phase not in ("Succeeded", "Rejected"):
        return Condition("GatesPassed", "Unknown", "NotJudged", "no trained version to judge")
    if s.wanted.phase == "Rejected":
        return Condition("GatesPassed", "False", "Rejected", f"{s.wanted.name}: {gates.told(s.wanted)}")
    if not s.wanted.status.get("gates"):
        return Condition("GatesPassed", "True", "NoGates", f"{s.wanted.name}: no gates are declared")
    return Condition("GatesPassed", "True", "Passed", f"{s.wanted.name}: {gates.told(s.wanted)}")


def _served(s: Situation) -> Condition:
    if s.target is None:
        if s.answering is not None:
            return Condition("Served", "True", "Serving", f"{s.answering} answers requests")
        if s.waiting is not None:
            return Condition("Served", "False", "ApprovalNeeded", _awaiting(s).message)
        if s.hindrance is not None:
            return Condition("Served", "False", *s.hindrance)
        if s.awaited is not None:
            return Condition("Served", "False", "PinAwaited", f"spec.rollout.version: {s.awaited} does not exist yet")
        return Condition("Served", "False", "NothingToServe", "no accepted version yet")
    if s.problem is not None and s.answering is None:
        return Condition("Served", "False", s.problem[0], "the manifest is not accepted")
    if s.answering == s.target.name and not s.rolling:
        return Condition("Served", "True", "Serving", f"{s.answering} answers requests")
    if s.rollout and s.answering is not None:
        return Condition("Served", "True", "Canary", f"{s.answering} answers requests; {_share(s, s.target.name)}")
    coming = "a change of spec.serving" if s.answering == s.target.name else s.target.name
    trouble = s.verdict.trouble or f"{coming} is being deployed"
    if s.answering is not None:
        trouble = f"{s.answering} answers requests; {trouble}"
    return Condition("Served", "True" if s.answering else "False", s.verdict.reason, trouble)


def _share(s: Situation, candidate: str) -> str:
    trouble = f": {s.verdict.trouble}" if s.verdict.trouble else ""
    until = f" until {s.rollout['nextStepAt']}" if "nextStepAt" in s.rollout else f", once it is ready{trouble}"
    return f"{candidate} gets {s.rollout['weight']} % of them{until}"


def _awaiting(s: Situation) -> Condition:
    if s.waiting is None:
        return Condition("AwaitingApproval", "False", "Approved", "no version waits")
    return Condition("AwaitingApproval", "True", "ApprovalNeeded", how_to_approve(s.waiting.name))


def how_to_approve(name: str) -> str:
    return (
        f"{name} waits for approval: set spec.rollout.version to {name}, or the annotation {naming.ANNOTATION_APPROVE}"
    )


def _ready(s: Situation, accepted: Condition, trained: Condition, passed: Condition, served: Condition) -> Condition:
    if s.train_only:
        if s.target is not None:
            return Condition("Ready", "True", "Trained", f"{s.target.name} is in the store; serving is not asked for")
    elif s.answering is not None:
        return Condition("Ready", "True", "Serving", served.message)
    missing = next((row for row in (accepted, trained, passed, served) if row.status != "True"), served)
    return Condition("Ready", "False", missing.reason, missing.message)


def _stalled(s: Situation, accepted: Condition, trained: Condition, passed: Condition) -> Condition:
    if accepted.status == "False":
        return Condition("Stalled", "True", accepted.reason, accepted.message)
    if s.wanted is not None and s.wanted.phase in ("Failed", "Rejected"):
        cause = trained if s.wanted.phase == "Failed" else passed
        return Condition("Stalled", "True", cause.reason, cause.message)
    if s.hindrance is not None:
        return Condition("Stalled", "True", *s.hindrance)
    if s.verdict.refused:
        return Condition("Stalled", "True", s.verdict.reason, s.verdict.trouble or "")
    return Condition("Stalled", "False", "Progressing", "")


def _reconciling(
    s: Situation, stalled: Condition, ready: Condition, trained: Condition, served: Condition
) -> Condition:
    if stalled.status == "True":
        return Condition("Reconciling", "False", "Stalled", "")
    if s.suspended and (s.wanted is None or not s.wanted.finished):
        return Condition("Reconciling", "False", "Suspended", "spec.suspend is true: nothing new is started")
    pending = s.wanted is None or not s.wanted.finished
    if s.resting is not None and s.wanted is None:
        text = f"the next training begins at {times.text(s.resting)}, for spec.retraining.minInterval"
        return Condition("Reconciling", "True", "Resting", text)
    if pending and (ready.status != "True" or s.wanted is None or s.wanted.trigger_type == "SpecChange"):
        return Condition("Reconciling", "True", "Training", trained.message)
    if s.awaited is not None and ready.status != "True":
        return Condition("Reconciling", "True", "PinAwaited", served.message)
    if s.rolling and s.target is not None and s.answering == s.target.name:
        return Condition("Reconciling", "True", "Deploying", served.message)
    if s.rollout and ready.status == "True":
        return Condition("Reconciling", "False", "Canary", served.message)
    rolling = not s.train_only and s.target is not None and s.answering != s.target.name
    if rolling and (ready.status != "True" or (s.target and s.target.trigger_type == "SpecChange")):
        return Condition("Reconciling", "True", "Deploying", served.message)
    return Condition("Reconciling", "False", "UpToDate", "")


def _phase(s: Situation, rows: Sequence[Condition]) -> str:
    by_type = {row.type: row for row in rows}
    ready = by_type["Ready"].status == "True"
    if by_type["Stalled"].status == "True":
        return "Degraded" if ready else "Failed"
    if s.suspended:
        return "Suspended"
    if s.wanted is None:
        return "Pending"
    if not s.wanted.finished:
        return "Training"
    if s.waiting is not None:
        return "AwaitingApproval"
    if s.train_only or (s.target is not None and s.answering == s.target.name and not s.rolling):
        return "Ready"
    if s.target is None and s.answering is None:
        return "Pending"
    return "Degraded" if _lost(s) else "Deploying"


def _lost(s: Situation) -> bool:
    """What served does not answer any more, and its pods are tried for as long as it takes."""
    before = s.target is not None and version_report.says(s.target, "Served") == "True"
    return before and s.answering is None and not s.rolling


def _shown_version(s: Situation) -> observed.Version | None:
    by_name: Mapping[str, observed.Version] = {version.name: version for version in s.known}
    return by_name.get(s.answering or "") or s.target


def _candidate(s: Situation) -> str | None:
    if s.waiting is not None:
        return s.waiting.name
    # A share is on trial whether or not the old version still answers: by this name its step is known again.
    beside = s.answering is not None or bool(s.rollout)
    rolling = s.target is not None and not s.train_only and beside and s.answering != s.target.name
    return s.target.name if rolling and s.target else None


def _run(latest: observed.Version | None) -> dict[str, Any] | None:
    run = (latest.status.get("run") or {}) if latest else {}
    if latest is None or not run:
        return None
    shown = {name: run[name] for name in ("id", "name", "state", "startedAt", "finishedAt", "url") if name in run}
    return shown | {"version": latest.name}


def _tuning(s: Situation, latest: observed.Version | None) -> dict[str, Any] | None:
    """The newest version's search; what was seen of it last stays until there is more to say."""
    search = latest.training.get("tuning") if latest else None
    if latest is None or not search:
        return None
    reported = s.model.status
    same = (reported.get("run") or {}).get("version") == latest.name
    before = (reported.get("tuning") or {}) if same else {}
    nothing = {"completed": 0, "failed": 0, "total": search.get("trials")}
    return nothing | dict(latest.status.get("tuning") or s.progress.get(latest.name) or before)


def _last_trained(known: Sequence[observed.Version], reported: object) -> str | None:
    ends = [
        times.parse((version.status.get("run") or {}).get("finishedAt"))
        for version in known
        if version.phase in ("Succeeded", "Rejected")
    ]
    latest = max((moment for moment in ends if moment is not None), default=times.parse(reported))
    return times.text(latest) if latest else None


def _retrain_handled(s: Situation) -> str | None:
    request = versions.retrain_request(s.model)
    return request if request and versions.answered(request, s.known) else s.model.status.get("retrainHandled")
