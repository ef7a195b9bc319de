"""What the operator hears is late, doubled, in another order or never comes; what it does is the same in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from everything import callers, towns, worlds
from faults import proxy as faults

pytestmark = pytest.mark.sandbox

NAMESPACE = "hearsay"
#: A third of the events comes late, and so after younger ones; others twice, not at all, or as they should.
_FATES: tuple[tuple[float, ...], ...] = ((0.0,), (2.0,), (0.0, 0.5), (), (0.0,), (1.0, 3.0))


def unreliable(watched: str, number: int) -> tuple[float, ...]:
    return _FATES[(number + len(watched)) % len(_FATES)]


@pytest_asyncio.fixture
async def town(world: worlds.World, tmp_path: Path) -> AsyncIterator[tuple[towns.Town, faults.Proxy]]:
    """Its operator looks at everything every 2 s, and gives a version a quarter of a minute to come up."""
    settings = {
        "SKLEARN_OPERATOR_NAMESPACES": NAMESPACE,
        "SKLEARN_OPERATOR_RESYNC_PERIOD": "2",
        "SKLEARN_OPERATOR_ROLLOUT_DEADLINE": "15",
    }
    async with worlds.behind_proxy(world, tmp_path, **settings) as (proxy, operator):
        proxy.delivery = unreliable
        one = towns.Town(world, operator, NAMESPACE, tmp_path / "account")
        await asyncio.to_thread(one.prepare)
        await asyncio.to_thread(operator.revive)
        yield one, proxy
        await asyncio.to_thread(one.clear)


def tree(depth: int, version: str | None = None) -> dict[str, object]:
    rollout = {"rollout": {"version": version}} if version else {}
    return towns.manifest("heard", params={"max_depth": depth}, serving={}, **rollout)


@contextmanager
def status(world: worlds.World, fault: str) -> Iterator[None]:
    """KServe's word on an InferenceService is late, twice or never to be heard."""
    world.kserve_status(fault)
    try:
        yield
    finally:
        world.kserve_status(None)


async def test_unreliable_watches_and_a_kserve_that_says_nothing(
    town: tuple[towns.Town, faults.Proxy],
) -> None:
    one, proxy = town
    await asyncio.to_thread(_a_life, one)
    await asyncio.to_thread(_kserve_mumbles, one)
    proxy.delivery = None
    await asyncio.to_thread(_an_end, one)


def _a_life(town: towns.Town) -> None:
    town.apply(tree(2))
    town.settled("heard", "heard-v1")
    with callers.calling(town, "heard") as caller:
        town.apply(tree(3))
        town.settled("heard", "heard-v2")
        caller.answered_last("heard-v2")
        town.apply(tree(3, version="heard-v1"))
        town.settled("heard", "heard-v1")
        caller.answered_last("heard-v1")
        town.apply(tree(3))
        town.settled("heard", "heard-v2")


def _kserve_mumbles(town: towns.Town) -> None:
    """What was ready is proved by its pods and a prediction; what is new waits for KServe's word, and takes it late."""
    with callers.calling(town, "heard") as caller:
        for depth, fault in ((4, "twice"), (5, "late"), (6, "never")):
            with status(town.world, fault):
                town.apply(tree(depth))
                town.settled("heard", f"heard-v{depth - 1}")
                caller.answered_last(f"heard-v{depth - 1}")
    with status(town.world, "never"):
        town.apply(towns.manifest("unheard", serving={}))
        stalled = town.wait("unheard", "Stalled", "True", 120)
        assert stalled["reason"] == "RolloutTimedOut"
        assert "unheard-v1 did not come up within 15s: KServe does not report it" in stalled["message"]
        assert town.condition("unheard", "Ready")["status"] == "False"
    town.kubectl("annotate", "isvc/unheard", "looked-at=again")
    town.settled("unheard", "unheard-v1")


def _an_end(town: towns.Town) -> None:
    runs = town.runs("heard")
    assert sorted(town.world.executions(run["run_id"]) for run in runs) == [1, 1, 1, 1, 1]
    versions = [one["metadata"]["name"] for one in town.get("skmv") if one["spec"]["model"] == "heard"]
    assert sorted(versions) == [f"heard-v{number}" for number in range(1, 6)]
    town.kubectl("delete", "skm/heard", "--timeout=60s")
    assert town.runs("heard") == [] and town.world.objects(f"{NAMESPACE}/heard/") == []
