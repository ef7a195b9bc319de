"""Two operators at once, and one that sleeps through a change and wakes up with the world as it was before."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import waiting
from everything import callers, towns, worlds

pytestmark = pytest.mark.sandbox

NAME = "contested"


@pytest.fixture
def second(town: towns.Town, tmp_path: Path) -> Iterator[worlds.Operator]:
    """Another operator for the same namespace."""
    other = worlds.Operator(town.environment(), tmp_path / "second.log")
    other.start()
    other.wait_ready()
    yield other
    other.stop()
    print(other.log.read_text()[-20_000:])


def manifest(depth: int, version: str | None = None) -> dict[str, object]:
    rollout = {"rollout": {"version": version}} if version else {}
    return towns.manifest(NAME, params={"max_depth": depth}, serving={}, **rollout)


def executions(town: towns.Town) -> dict[str, list[int]]:
    """Of every version's runs."""
    found: dict[str, list[int]] = {}
    for run in town.runs(NAME):
        version = run["display_name"].partition(".")[2].rpartition("-")[0].rpartition("-")[0]
        found.setdefault(version, []).append(town.world.executions(run["run_id"]))
    return found


def test_two_at_once_do_everything_once_and_a_sleeper_undoes_nothing(town: towns.Town, second: worlds.Operator) -> None:
    town.apply(manifest(2))
    town.settled(NAME, f"{NAME}-v1")
    town.apply(manifest(3))
    town.settled(NAME, f"{NAME}-v2")
    with callers.calling(town, NAME) as caller:
        before = town.operator.passes()
        town.operator.signal(signal.SIGSTOP)
        town.apply(manifest(4))
        town.settled(NAME, f"{NAME}-v3")
        town.apply(manifest(4, version=f"{NAME}-v2"))
        town.settled(NAME, f"{NAME}-v2")
        second.signal(signal.SIGSTOP)
        town.operator.signal(signal.SIGCONT)
        town.apply(manifest(5, version=f"{NAME}-v2"))
        town.expect("v4 trained by the one that slept", lambda: trained(town, f"{NAME}-v4"), 240)
        second.signal(signal.SIGCONT)
        waiting.wait_for("its passes", lambda: town.operator.passes() > before, 60)
        town.settled(NAME, f"{NAME}-v2")
        caller.answered_last(f"{NAME}-v2")
        town.apply(manifest(5))
        town.settled(NAME, f"{NAME}-v4")
        caller.answered_last(f"{NAME}-v4")
    assert executions(town) == {f"{NAME}-v{number}": [1] for number in range(1, 5)}
    versions = [one["metadata"]["name"] for one in town.get("skmv") if one["spec"]["model"] == NAME]
    assert sorted(versions) == [f"{NAME}-v{number}" for number in range(1, 5)]
    town.kubectl("delete", f"skm/{NAME}", "--timeout=60s")
    assert town.runs(NAME) == [] and town.world.objects(f"{town.namespace}/{NAME}/") == []


def trained(town: towns.Town, version: str) -> bool:
    return bool((town.get("skmv", version) or {}).get("status", {}).get("artifact"))
