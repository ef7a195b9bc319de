"""The status of a SklearnModel while nothing can be reported of it: an outage, and the way out of the world.

Invariant: what was known stays, and why nothing moves is said in words that stay the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sklearn_operator.core import conditions, observed, report

#: What a model that is being taken down has no more.
_OF_SERVING = ("servingVersion", "candidateVersion", "url", "address", "nextScheduleTime")

#: A deletion that takes longer waits for something that a person may have to look at.
HELD_UP = timedelta(minutes=10)


def troubled(
    model: observed.Model,
    message: str,
    now: datetime,
    problem: tuple[str, str] | None = None,
    known: observed.Json | None = None,
) -> dict[str, Any]:
    """The status while an outside system does not answer: all that is ``known`` in spite of it, and why nothing moves.

    Without ``known`` everything stays as it was. Whether the manifest is valid is known all the same (``problem``): a
    correction shows although all else is down.
    """
    document = dict(known if known is not None else model.status)
    before = {row.get("type"): row for row in document.get("conditions") or []}
    ready = before.get("Ready") or {}
    rows = [
        conditions.Condition("Reconciling", "True", "Retrying", message),
        conditions.Condition("Stalled", "False", "Retrying", ""),
    ]
    if not model.deleting:
        rows.append(report.valid(problem))
    if ready.get("status") != "True" or model.deleting:
        rows.append(conditions.Condition("Ready", "False", "Deleting" if model.deleting else "Retrying", message))
    computed = before.values() if known is not None else ()
    told = [conditions.Condition(*(row[name] for name in ("type", "status", "reason", "message"))) for row in computed]
    said = {row.type: row for row in [*told, *rows]}
    document["conditions"] = conditions.merge(
        model.status.get("conditions") or [], list(said.values()), model.generation, now, keep_others=True
    )
    document["observedGeneration"] = model.generation
    document.setdefault("phase", "Pending")
    return document


def deleting(model: observed.Model, message: str, now: datetime) -> dict[str, Any]:
    """The status while things are being taken down."""
    document = {name: value for name, value in model.status.items() if name not in _OF_SERVING}
    since = model.deleting_since or now
    reason = "Deleting" if now - since < HELD_UP else "DeletionHeldUp"
    rows = [
        conditions.Condition("Ready", "False", reason, message),
        conditions.Condition("Reconciling", "True", reason, message),
        conditions.Condition("Stalled", "False", reason, ""),
    ]
    document["conditions"] = conditions.merge(
        document.get("conditions") or [], rows, model.generation, now, keep_others=True
    )
    document["observedGeneration"] = model.generation
    document["phase"] = "Deleting"
    return document
