"""Traces: what became of a version from its creation until it answers, as spans.

Invariant: ids follow from the version's uid and times from what is recorded of it, so that whoever tells a span again
tells the same one. No span holds other people's sentences: why it ended badly is one word, the rest is in the status.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sklearn_operator.core import announcing, observed, times

ROOT = "apply to ready"
Value = str | int | tuple[str, ...]


@dataclass(frozen=True)
class Span:
    """``parent``: the id of the span that it is a part of; None: it is the whole. ``error``: why it ended badly."""

    trace: int
    id: int
    parent: int | None
    name: str
    start: datetime
    end: datetime
    attributes: Mapping[str, Value]
    error: str | None = None


def trace_id(uid: str) -> int:
    """Not the uid itself: samplers take some bits of it for chance that are the same in every UUID."""
    return _hash(uid, 16)


def news(model: observed.Model, before: observed.Version, status: observed.Json) -> tuple[Span, ...]:
    """What is over by the record that makes ``status`` that of ``before``."""
    after = replace(before, status=status)
    if before.finished:
        # What a gate that was changed since says of it begins at a moment that nobody records.
        judged = {name: status.get(name) for name in ("phase", "gates")}
        before = replace(before, status={**before.status, **judged})
    told = {(span.id, span.end) for span in spans(model, before)}
    found = tuple(span for span in spans(model, after) if (span.id, span.end) not in told)
    return (*_given_up(model, before, status), *found)


def spans(model: observed.Model, version: observed.Version) -> tuple[Span, ...]:
    """All that is over of a version, as its status tells it."""
    return tuple(_spans(model, version))


def steps(model: observed.Model, version: observed.Version, status: observed.Json, now: datetime) -> tuple[Span, ...]:
    """The share of the requests that comes into effect for ``version`` when the model's status becomes ``status``.

    A moment without duration: when a step began is recorded nowhere, so at its end it would have to be guessed.
    """
    share = announcing.stepped(model, status)
    if share is None:
        return ()
    weight, until = int(share.get("weight") or 0), str(share["nextStepAt"])
    about: dict[str, Value] = {
        "sklearn_operator.rollout.weight": weight,
        "sklearn_operator.rollout.next_step_at": until,
    }
    return (_span(model, version, "rollout step", now, now, about, key=f"{weight}/{until}"),)


def _spans(model: observed.Model, version: observed.Version) -> Iterator[Span]:
    status, good = version.status, version.phase in ("Succeeded", "Rejected")
    run: Mapping[str, Any] = status.get("run") or {}
    began, ended = times.parse(run.get("startedAt")), times.parse(run.get("finishedAt"))
    recorded = _since(version, "Trained", "True" if good else "False") if version.finished else None
    if began is not None and version.attempt == 1:
        yield _span(model, version, "submit", version.created_at, began, _of_run(version, run))
    if began is not None and ended is not None and version.finished:
        yield _train(model, version, run, began, ended, _failure(version))
    if ended is not None and recorded is not None and good and status.get("gates"):
        error = "Rejected" if version.phase == "Rejected" else None
        yield _span(model, version, "judge", ended, recorded, _of_gates(status["gates"]), error=error)
    approved = _since(version, "AwaitingApproval", "False")
    if recorded is not None and approved is not None:
        yield _span(model, version, "approve", recorded, approved)
    if recorded is not None and good:
        yield from _rollouts(model, version, approved or recorded)
    end = _end(model, version, recorded)
    if end is not None:
        moment, outcome, error = end
        about = _words({"version.trigger": version.trigger_type, "version.outcome": outcome})
        yield _span(model, version, ROOT, version.created_at, moment, about, error=error)


def _given_up(model: observed.Model, before: observed.Version, status: observed.Json) -> Iterator[Span]:
    """The attempt that gives way to the next one, whose record takes the place of its own."""
    run, following = before.status.get("run") or {}, status.get("run") or {}
    began, ended = times.parse(run.get("startedAt")), times.parse(following.get("submittedAt"))
    if began is not None and ended is not None and run.get("attempt") != following.get("attempt"):
        yield _train(model, before, run, began, ended, "RunFailed")


def _train(
    model: observed.Model,
    version: observed.Version,
    run: Mapping[str, Any],
    began: datetime,
    ended: datetime,
    error: str | None,
) -> Span:
    return _span(model, version, "train", began, ended, _of_run(version, run), key=str(version.attempt), error=error)


def _rollouts(model: observed.Model, version: observed.Version, start: datetime) -> Iterator[Span]:
    """Until it answered for the first time. Of later rollouts of the same version the beginning is not known."""
    served, mark = times.parse(version.status.get("servedAt")), version.status.get("rolledBack") or {}
    back = times.parse(mark.get("at"))
    if back is not None and (served is None or back <= served):
        yield _span(model, version, "rollout", start, back, key=str(mark.get("serving")), error=str(mark.get("reason")))
        start = back
    if served is not None:
        yield _span(model, version, "rollout", start, served)


def _end(
    model: observed.Model, version: observed.Version, recorded: datetime | None
) -> tuple[datetime, str, str | None] | None:
    """When and how it ended, and why, where it is a bad end; that it answered once is the last word."""
    served, mark = times.parse(version.status.get("servedAt")), version.status.get("rolledBack") or {}
    back = times.parse(mark.get("at"))
    if served is not None:
        return served, "Served", None
    if recorded is None:
        return None
    if version.phase != "Succeeded":
        return recorded, version.phase, _failure(version) or version.phase
    if back is not None:
        return back, "RolledBack", str(mark.get("reason"))
    return (recorded, "Trained", None) if model.spec.get("serving") is None else None


def _span(
    model: observed.Model,
    version: observed.Version,
    name: str,
    start: datetime,
    end: datetime,
    about: Mapping[str, Value] | None = None,
    *,
    key: str = "",
    error: str | None = None,
) -> Span:
    """``key``: tells spans of one name apart. Three clocks write the times: what ends before it begins took none."""
    common: dict[str, Value] = {"k8s.namespace.name": model.key.namespace}
    common |= _words({"model.name": model.key.name, "version.name": version.name})
    failed = _words({"failure.step": (version.status.get("failure") or {}).get("step")}) if error else {}
    told = {"error.type": error} if error else {}
    return Span(
        trace=trace_id(version.uid),
        id=_span_id(version.uid, name, key),
        parent=None if name == ROOT else _span_id(version.uid, ROOT),
        name=name,
        start=start,
        end=max(start, end),
        attributes={**common, **(about or {}), **failed, **told},
        error=error,
    )


def _of_run(version: observed.Version, run: Mapping[str, Any]) -> dict[str, Value]:
    return {**_words({"run.id": run.get("id")}), "sklearn_operator.run.attempt": version.attempt}


def _of_gates(rows: Any) -> dict[str, Value]:
    failed = tuple(str(row.get("metric")) for row in rows if not row.get("passed"))
    passed = sum(bool(row.get("passed")) for row in rows)
    return {"sklearn_operator.gates.passed": passed, "sklearn_operator.gates.failed": failed}


def _words(known: Mapping[str, object]) -> dict[str, Value]:
    return {f"sklearn_operator.{name}": str(value) for name, value in known.items() if value}


def _failure(version: observed.Version) -> str | None:
    reason = (version.status.get("failure") or {}).get("reason") or version.phase
    return str(reason) if version.phase in ("Failed", "Canceled") else None


def _since(version: observed.Version, kind: str, says: str) -> datetime | None:
    """Since when its condition has said so."""
    rows = version.status.get("conditions") or ()
    row: observed.Json = next((row for row in rows if row.get("type") == kind and row.get("status") == says), {})
    return times.parse(row.get("lastTransitionTime"))


def _span_id(uid: str, name: str, key: str = "") -> int:
    return _hash(f"{uid}/{name}/{key}", 8)


def _hash(text: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size], "big")
