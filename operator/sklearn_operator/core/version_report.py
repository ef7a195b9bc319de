"""The conditions of a version: how its training ended, and whether it is the one that answers.

Invariant: they follow from the rest of its status and from what answers now, so they can be written along with it; a
version that nothing new is said about keeps its status byte for byte.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sklearn_operator.core import conditions, observed, times, wording

_GENERATION = 1  # the spec of a version never changes


def trained(version: observed.Version, status: observed.Json, now: datetime) -> dict[str, Any]:
    """``status`` with the condition that its phase makes true."""
    return _with(version, status, _trained(version.name, status), now)


def served(version: observed.Version, now: datetime) -> dict[str, Any]:
    """The version answers requests; ``servedAt`` keeps the first time."""
    row = conditions.Condition("Served", "True", "Serving", f"{version.name} answers requests")
    return _with(version, {"servedAt": times.text(now)} | dict(version.status), row, now)


def replaced(version: observed.Version, why: str, now: datetime) -> dict[str, Any]:
    row = conditions.Condition("Served", "False", "Replaced", why)
    return _with(version, version.status, row, now)


def approved(version: observed.Version, now: datetime) -> dict[str, Any]:
    row = conditions.Condition("AwaitingApproval", "False", "Approved", f"{version.name} may serve")
    return _with(version, version.status, row, now)


def rolled_back(version: observed.Version, serving: str, reason: str, message: str, now: datetime) -> dict[str, Any]:
    """The version did not come up in time with that serving part, and is not tried again with it."""
    mark = {"serving": serving, "reason": wording.reason(reason), "message": wording.message(message)}
    row = conditions.Condition("Served", "False", "RolledBack", message)
    return _with(version, dict(version.status) | {"rolledBack": mark | {"at": times.text(now)}}, row, now)


def says(version: observed.Version, kind: str) -> str | None:
    """What its condition says now; None for nothing."""
    rows = version.status.get("conditions") or []
    return next((str(row.get("status")) for row in rows if row.get("type") == kind), None)


def _trained(name: str, status: observed.Json) -> conditions.Condition:
    phase = status.get("phase")
    if phase in ("Succeeded", "Rejected"):
        sha256 = (status.get("artifact") or {}).get("sha256")
        return conditions.Condition("Trained", "True", "Succeeded", f"{name}: sha256 {sha256}")
    if phase in ("Failed", "Canceled"):
        failure = status.get("failure") or {}
        return conditions.Condition("Trained", "False", str(failure.get("reason")), str(failure.get("message")))
    return conditions.Condition("Trained", "Unknown", "Training", f"{name} is in training")


def _with(version: observed.Version, status: observed.Json, row: conditions.Condition, now: datetime) -> dict[str, Any]:
    before = version.status.get("conditions") or []
    rows = conditions.merge(before, [row], _GENERATION, now, keep_others=True)
    return dict(status) | {"conditions": rows}
