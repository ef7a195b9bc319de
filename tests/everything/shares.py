"""What tests of a rollout in steps look at: the step that is reached, who answers how often, a request that errs."""

from __future__ import annotations

import json
from typing import Any

from everything import callers, towns

#: Of a value that is in no row of iris.
ODD = [5.1, 3.5, 1.4, 77.7]


def at(town: towns.Town, name: str, weight: int) -> dict[str, Any]:
    """The status, once the candidate has that share and the step has begun."""

    def seen() -> dict[str, Any] | None:
        status = town.status(name)
        rollout = status.get("rollout") or {}
        return status if rollout.get("weight") == weight and "nextStepAt" in rollout else None

    return dict(town.expect(f"{weight} % of {name}", seen, 90))


def share(caller: callers.Caller, version: str, count: int = 200) -> float:
    """Of the next answers."""
    start = len(caller.answers)
    caller.answered(start + count)
    since = caller.answers[start : start + count]
    return since.count(version) / len(since)


def refused(town: towns.Town, stranger: callers.Caller, name: str) -> dict[str, Any] | None:
    """Asks what the candidate cannot answer; the condition, once somebody has noticed."""
    try:
        stranger.ask()
    except ValueError as error:
        assert json.loads(str(error).partition(" ")[2])["error"], error
    row = town.condition(name, "Stalled")
    return row if row.get("status") == "True" else None
