"""What the verbs mean when they are not told everything.

Invariant: pure; each raises kubectl.Failed with what to type instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_operator.cli.plugin.kubectl import Failed

Json = Mapping[str, Any]


def condition(found: Json, kind: str) -> Json:
    """The condition, if it is about the present generation."""
    generation = (found.get("metadata") or {}).get("generation")
    rows = (found.get("status") or {}).get("conditions") or []
    current = (row for row in rows if row.get("type") == kind and row.get("observedGeneration") == generation)
    return next(current, {})


def to_approve(model: Json) -> str:
    """The version that waits."""
    waiting = (model.get("status") or {}).get("candidateVersion")
    if condition(model, "AwaitingApproval").get("status") != "True" or not waiting:
        raise Failed(f"no version of {model['metadata']['name']} waits for approval")
    return str(waiting)


def to_go_back_to(model: Json, versions: Sequence[Json]) -> str:
    """The newest good version that served before the one that serves now; while another is on trial, that one."""
    name, status = model["metadata"]["name"], model.get("status") or {}
    if status.get("rollout") and status.get("servingVersion"):
        return str(status["servingVersion"])
    serving = next((one for one in versions if one["metadata"]["name"] == status.get("servingVersion")), None)
    if serving is None:
        raise Failed(
            f"no version of {name} serves now; name the one that should: kubectl sklearn rollback {name} VERSION"
        )
    good = [
        one["metadata"]["name"]
        for one in versions
        if one["spec"]["number"] < serving["spec"]["number"]
        and (one.get("status") or {}).get("phase") == "Succeeded"
        and (one.get("status") or {}).get("servedAt")
    ]
    if not good:
        raise Failed(f"no version of {name} before {serving['metadata']['name']} has served")
    return str(good[-1])


def run_id(versions: Sequence[Json], version: str | None) -> tuple[str, Json]:
    """Version and run of ``version``, else of the newest."""
    found = [one for one in versions if version in (None, one["metadata"]["name"])]
    if not found:
        raise Failed(f"there is no version {version}" if version else "there is no version yet")
    run = (found[-1].get("status") or {}).get("run") or {}
    if not run.get("id"):
        raise Failed(f"{found[-1]['metadata']['name']} has no run yet")
    return str(found[-1]["metadata"]["name"]), run


def verdict(model: Json) -> tuple[bool, str] | None:
    """How waiting ends: (well, why); None while there is something to wait for."""
    stalled, ready = condition(model, "Stalled"), condition(model, "Ready")
    if stalled.get("status") == "True":
        return False, str(stalled.get("message"))
    if condition(model, "AwaitingApproval").get("status") == "True":
        return False, str(condition(model, "AwaitingApproval").get("message"))
    if ready.get("status") == "True" and condition(model, "Reconciling").get("status") == "False":
        phase = (model.get("status") or {}).get("phase")
        return (True, str(ready.get("message"))) if phase in ("Ready", "Suspended") else None
    return None
