"""One model through everything that changes what serves, asked all the time, the operator killed in between.

``MARATHON_ROUNDS`` says how many retrainings there are; with 20 it takes some minutes.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from everything import callers, towns

pytestmark = pytest.mark.sandbox

ROUNDS = int(os.environ.get("MARATHON_ROUNDS", "1"))
NAME = "runner"


def manifest(canary: bool = False, **changes: Any) -> dict[str, Any]:
    steps = {"canary": {"steps": [{"weight": 50, "pause": "1s"}]}} if canary else {}
    fields: dict[str, Any] = {"serving": {}, "rollout": steps, "history": {"limit": 3}} | changes
    return towns.manifest(NAME, **fields)


def interrupted(town: towns.Town) -> None:
    """The operator dies in the middle of whatever it does, and another one goes on."""
    town.operator.kill()
    town.operator.revive()


def test_no_request_fails_whatever_changes(town: towns.Town) -> None:
    town.apply(manifest())
    town.settled(NAME, f"{NAME}-v1")
    number = 1

    def serves(version: int) -> None:
        town.settled(NAME, f"{NAME}-v{version}", 180)
        caller.answered_last(f"{NAME}-v{version}")

    with callers.calling(town, NAME, by="url") as caller:
        for _ in range(ROUNDS):
            number += 1
            town.kubectl("annotate", f"skm/{NAME}", f"sklearn-operator.io/retrain={number}", "--overwrite")
            interrupted(town)
            serves(number)
        town.apply(manifest(rollout={"version": f"{NAME}-v{number - 1}"}))
        interrupted(town)
        serves(number - 1)
        town.apply(manifest())
        interrupted(town)
        serves(number)
        town.apply(manifest(serving={"env": [{"name": "COLOUR", "value": "green"}]}))
        interrupted(town)
        serves(number)
        number += 1
        town.apply(manifest(canary=True, params={"max_depth": 2}))
        interrupted(town)
        serves(number)
    order = [version for index, version in enumerate(caller.answers) if version not in caller.answers[:index]]
    assert order == [f"{NAME}-v{version}" for version in range(1, number + 1)]
    versions = [one["metadata"]["name"] for one in town.get("skmv") if one["spec"]["model"] == NAME]
    assert len(versions) <= 3
    assert [town.world.executions(run["run_id"]) for run in town.runs(NAME)] == [1] * len(town.runs(NAME))
