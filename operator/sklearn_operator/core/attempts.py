"""How an unfinished version gets ahead: one run at a time, one POST per attempt.

Invariant: a run is submitted only when it is certain that no earlier submission of the same attempt can still
surface. A cancellation is recorded before it is sent: Kubeflow Pipelines reports a terminated run as FAILED, so only
our own record tells the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import (
    actions,
    gates,
    naming,
    observed,
    outcomes,
    places,
    times,
    version_report,
    wording,
)
from sklearn_operator.core.settings import Settings


@dataclass(frozen=True)
class Context:
    """What the attempt must know besides itself."""

    model: observed.Model
    settings: Settings
    now: datetime
    superseded: bool = False
    suspended: bool = False
    unsubmitted: frozenset[tuple[str, int]] = frozenset()
    last_sent: datetime | None = None
    ending_since: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What to do about one version now; ``status`` None leaves its status alone."""

    actions: tuple[actions.Action, ...] = ()
    status: observed.Json | None = None
    look_again: timedelta | None = None


def advance(version: observed.Version, seen: observed.Attempt, context: Context) -> Step:
    """The next step of an unfinished version."""
    recorded_failure = version.status.get("failure")
    if recorded_failure:
        return _finish_cancellation(version, seen.run, recorded_failure, context)
    if context.superseded:
        return _cancel(version, seen.run, "Superseded", "a newer change of the manifest took its place", context)
    if seen.run is None:
        return _without_run(version, seen, context)
    if not seen.run.state.terminal:
        return _in_progress(version, seen, seen.run, context)
    return _ended(version, seen, seen.run, context)


def submission_settles_at(version: observed.Version, context: Context) -> datetime:
    """The moment from which an absent run is certainly not one that is still being created."""
    recorded = times.parse((version.status.get("run") or {}).get("submittedAt"))
    started = max(moment for moment in (version.created_at, recorded, context.last_sent) if moment is not None)
    return started + context.settings.submit_pause


def _without_run(version: observed.Version, seen: observed.Attempt, context: Context) -> Step:
    if seen.outcome is not None and seen.outcome.result is not None:
        return _succeed(version, None, seen.outcome.result, context)
    if version.run_recorded:
        reported = outcomes.failure(seen.outcome)
        message = (
            "the pipeline server no longer knows the run and it left no result; ask for another with the annotation"
        )
        failure = reported or _failure("run", "RunVanished", f"{message} {naming.ANNOTATION_RETRAIN}")
        return _fail(version, None, failure)
    if context.suspended:
        return Step()
    if (version.uid, version.attempt) in context.unsubmitted or context.now >= submission_settles_at(version, context):
        return Step(actions=(actions.SubmitRun(version.name, version.attempt),), look_again=timedelta())
    return Step(look_again=submission_settles_at(version, context) - context.now)


def _in_progress(version: observed.Version, seen: observed.Attempt, run: observed.Run, context: Context) -> Step:
    started = run.created_at or version.created_at
    timeout = _timeout(version)
    if timeout is not None and context.now - started > timeout:
        limit = (version.training.get("training") or {}).get("timeout")
        waiting = outcomes.from_pods(seen.troubles)
        why = f"; {waiting['message']}" if waiting else ""
        text = f"the run took longer than spec.training.timeout ({limit}){why}"
        return _cancel(version, run, "TimedOut", text, context)
    told = outcomes.failure(seen.outcome)
    if told is not None and told.get("permanent"):
        # The pipeline would wait and try again, which helps against passing trouble only.
        return _cancel(version, run, str(told["reason"]), str(told["message"]), context, step=str(told["step"]))
    stuck = outcomes.hopeless(seen.troubles, context.now, context.settings.pod_config_grace)
    if stuck is not None:
        return _cancel(
            version, run, stuck.reason, f"task pod {stuck.pod} cannot start: {outcomes.told(stuck)}", context
        )
    status = _running(version, run, context)
    return Step(status=status, look_again=_poll_interval(version, started, context))


def _ended(version: observed.Version, seen: observed.Attempt, run: observed.Run, context: Context) -> Step:
    result = seen.outcome.result if seen.outcome is not None else None
    if run.state in (observed.RunState.SUCCEEDED, observed.RunState.SKIPPED):
        if result is not None:
            return _succeed(version, run, result, context)
        ended = run.finished_at or context.now
        if context.now - ended < context.settings.result_grace and not (seen.outcome and seen.outcome.invalid):
            return Step(status=_running(version, run, context), look_again=timedelta(seconds=1))
        detail = seen.outcome.invalid if seen.outcome and seen.outcome.invalid else "it left no result.json"
        return _fail(version, run, _failure("publish", "ResultMissing", f"the run succeeded but {detail}"))
    failure = outcomes.cause(seen.outcome, seen.troubles) or (
        _failure(
            "run",
            "RunFailed",
            f"run {run.name} ended {run.state.value} and left no message; see its log, and ask for another "
            f"training with the annotation {naming.ANNOTATION_RETRAIN}",
        )
    )
    attempts = int((version.training.get("training") or {}).get("attempts") or 1)
    if version.attempt < attempts and not failure.get("permanent"):
        return _next_attempt(version, context)
    return _fail(version, run, failure)


def _next_attempt(version: observed.Version, context: Context) -> Step:
    number = version.attempt + 1
    run_id = naming.run_id(version.uid, number)
    name = naming.run_display_name(context.model.key.namespace, version.name, number, run_id)
    run = {"id": run_id, "name": name, "state": "SUBMITTING", "attempt": number, "submittedAt": times.text(context.now)}
    return Step(status={"phase": "Running", "run": run})


def _cancel(
    version: observed.Version,
    run: observed.Run | None,
    reason: str,
    message: str,
    context: Context,
    step: str = "run",
) -> Step:
    status = dict(version.status) | {
        "phase": "Running" if version.run_recorded else version.phase,
        "failure": {"step": step, "reason": wording.reason(reason), "message": wording.message(message)},
    }
    if run is None and not version.run_recorded and context.now < submission_settles_at(version, context):
        never_sent = (version.uid, version.attempt) in context.unsubmitted
        if not never_sent:
            return Step(status=status, look_again=submission_settles_at(version, context) - context.now)
    if run is None or run.state.terminal:
        return Step(status=_closed(status, run))
    return Step(actions=end(run, version.name, context), status=status, look_again=timedelta(seconds=1))


def end(run: observed.Run, version: str, context: Context) -> tuple[actions.Action, ...]:
    """Asks a run to end, once; one that does not is deleted after a while, which leaves its pods without a workflow."""
    asked = context.ending_since.get(run.id)
    if asked is None:
        return (actions.TerminateRun(run.id, version),)
    if context.now - asked >= context.settings.ending_patience:
        return (actions.DeleteRun(run.id, version),)
    return ()


def _finish_cancellation(
    version: observed.Version, run: observed.Run | None, failure: observed.Json, context: Context
) -> Step:
    reason, message, step = (str(failure.get(name)) for name in ("reason", "message", "step"))
    return _cancel(version, run, reason, message, context, step=step)


def _closed(status: dict[str, Any], run: observed.Run | None) -> dict[str, Any]:
    reason = status["failure"]["reason"]
    phase = "Canceled" if reason in ("Superseded", "Deleted") else "Failed"
    return status | {"phase": phase, "run": _run(status.get("run"), run)} if run else status | {"phase": phase}


def _running(version: observed.Version, run: observed.Run, context: Context) -> observed.Json | None:
    """Written when the run is first seen; PENDING turning RUNNING within seconds is not worth a write of its own."""
    before = version.status.get("run") or {}
    fresh = run.created_at is not None and context.now - run.created_at < timedelta(seconds=15)
    if before.get("id") == run.id and version.run_recorded and (fresh or before.get("state") == run.state.value):
        return None
    if run.state.terminal and version.run_recorded:
        return None
    return {"phase": "Running", "run": _run(version.status.get("run"), run, version.attempt)}


def _succeed(version: observed.Version, run: observed.Run | None, result: observed.Json, context: Context) -> Step:
    status: dict[str, Any] = {"phase": "Succeeded"}
    record = _run(version.status.get("run"), run, version.attempt) if run else dict(version.status.get("run") or {})
    if record:
        status["run"] = record
    metrics = result.get("metrics") or {}
    # Where it lies is ours to say: a task's word for it could point into somebody else's folder.
    artifact = dict(result["artifact"]) | {"uri": _own_folder(version, context)}
    status |= {"artifact": artifact, "metrics": dict(metrics), "lineage": dict(result["lineage"])}
    searched = outcomes.search(result.get("tuning"))
    if searched:
        status["tuning"] = searched
    compared = result.get("comparedWith")
    predecessor = gates.compares(version.training)
    if compared and predecessor:
        message = wording.message(str(compared.get("message") or ""))
        recorded = {"version": predecessor["version"], "metrics": compared.get("metrics"), "message": message}
        status["comparedWith"] = {name: value for name, value in recorded.items() if value}
    headline = result.get("headline")
    if headline in metrics:
        status["metric"] = metric_text(str(headline), metrics[headline])
    return Step(status=status)


def metric_text(name: str, value: float) -> str:
    """``accuracy=0.969``: three decimals, for the printer column."""
    return f"{name}={value:.3f}"


def _fail(version: observed.Version, run: observed.Run | None, failure: observed.Json) -> Step:
    status = {"phase": "Failed", "failure": {name: failure[name] for name in ("step", "reason", "message")}}
    recorded = _run(version.status.get("run"), run, version.attempt) if run else dict(version.status.get("run") or {})
    return Step(status=status | {"run": recorded} if recorded else status)


def refused(version: observed.Version, message: str, now: datetime) -> observed.Json:
    """The status of a version whose run the pipeline server will not take."""
    text = wording.message(f"the pipeline server refuses the run: {message}")
    failure = {"step": "run", "reason": "RunRefused", "message": text}
    return version_report.trained(version, {"phase": "Failed", "failure": failure}, now)


def _failure(step: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "step": step,
        "reason": wording.reason(reason),
        "message": wording.message(message),
        "permanent": False,
    }


def _run(before: observed.Json | None, run: observed.Run, attempt: int | None = None) -> dict[str, Any]:
    known = {
        "id": run.id,
        "name": run.name,
        "state": run.state.value,
        "attempt": attempt or int((before or {}).get("attempt") or 1),
        "startedAt": times.text(run.created_at) if run.created_at else None,
        "finishedAt": times.text(run.finished_at) if run.finished_at else None,
        "url": run.url,
    }
    return {name: value for name, value in known.items() if value is not None}


def _timeout(version: observed.Version) -> timedelta | None:
    text = (version.training.get("training") or {}).get("timeout")
    return api.parse_duration(text) if text else None


def _poll_interval(version: observed.Version, started: datetime, context: Context) -> timedelta:
    """A young run is looked at often, an old one seldom: a tenth of its age, within bounds.

    A search is followed while it goes on.
    """
    age, settings = context.now - started, context.settings
    most = settings.progress_pause if version.training.get("tuning") else settings.poll_max
    return max(settings.poll_min, min(most, age / 10))


def _own_folder(version: observed.Version, context: Context) -> str:
    return places.folder(context.model, version, context.settings)
