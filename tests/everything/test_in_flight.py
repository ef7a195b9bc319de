"""Requests that hang, or that arrive after they were given up: one execution, and nobody else waits."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import waiting
from everything import towns, worlds
from faults import proxy as faults

pytestmark = pytest.mark.sandbox

#: Long enough for an operator to start on a busy machine, so that the late request comes before the pause is over.
PAUSE = "20"


@pytest_asyncio.fixture
async def lane(
    world: worlds.World, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[towns.Town, faults.Proxy]]:
    """A namespace whose operator reaches its servers through the proxy."""
    namespace = f"flight-{zlib.crc32(request.node.name.encode())}"
    settings = {"SKLEARN_OPERATOR_NAMESPACES": namespace, "SKLEARN_OPERATOR_KFP_SUBMIT_PAUSE": PAUSE}
    async with worlds.behind_proxy(world, tmp_path, **settings) as (proxy, operator):
        town = towns.Town(world, operator, namespace, tmp_path / "account")
        await asyncio.to_thread(town.prepare)
        await asyncio.to_thread(operator.revive)
        yield town, proxy
        if proxy.gate is not None:
            proxy.gate.opened.set()
        await asyncio.to_thread(town.clear)


async def looked_again(proxy: faults.Proxy, begin: int) -> None:
    """Until the operator has asked the pipeline server for a run, later than its first ``begin`` reads."""

    def asked() -> bool:
        return any("/v2beta1/runs/" in path for path in proxy.reads[begin:])

    await asyncio.to_thread(waiting.wait_for, "the operator looking for the run", asked, 60)


def executions(town: towns.Town, name: str) -> list[int]:
    return [town.world.executions(run["run_id"]) for run in town.runs(name)]


async def late(town: towns.Town, proxy: faults.Proxy, *, abort: bool, meanwhile: Callable[[], None]) -> list[int]:
    """Trains a model whose one POST reaches the pipeline server when its absence was already seen."""
    gate = proxy.gate = faults.Gate("kfp", "/v2beta1/runs", abort=abort)
    await asyncio.to_thread(town.apply, towns.manifest("late"))
    await asyncio.wait_for(gate.entered.wait(), 60)
    begin = len(proxy.reads)
    await asyncio.to_thread(meanwhile)
    await looked_again(proxy, begin)
    gate.opened.set()
    await asyncio.to_thread(town.settled, "late", "late-v1")
    return await asyncio.to_thread(executions, town, "late")


async def test_killed_while_the_run_is_being_submitted(lane: tuple[towns.Town, faults.Proxy]) -> None:
    town, proxy = lane

    def killed() -> None:
        town.operator.kill()
        town.operator.revive()

    assert await late(town, proxy, abort=False, meanwhile=killed) == [1]


async def test_a_submission_given_up_that_arrives_all_the_same(lane: tuple[towns.Town, faults.Proxy]) -> None:
    town, proxy = lane
    assert await late(town, proxy, abort=True, meanwhile=lambda: None) == [1]


async def test_a_pipeline_server_that_hangs_holds_up_nobody_who_does_not_need_it(
    lane: tuple[towns.Town, faults.Proxy],
) -> None:
    town, proxy = lane
    await asyncio.to_thread(town.apply, towns.manifest("served", serving={}))
    await asyncio.to_thread(town.settled, "served", "served-v1")
    gate = proxy.gate = faults.Gate("kfp")
    await asyncio.to_thread(town.apply, *(towns.manifest(f"waiting-{number}") for number in range(12)))
    await asyncio.wait_for(gate.entered.wait(), 60)
    greeting = {"name": "GREETING", "value": "hello"}
    await asyncio.to_thread(town.apply, towns.manifest("served", serving={"env": [greeting]}))

    def greeted() -> bool:
        service: dict[str, Any] = town.get("isvc", "served")
        return greeting in service["spec"]["predictor"]["model"]["env"]

    await asyncio.to_thread(waiting.wait_for, "the change of serving", greeted, 60)
    assert not gate.opened.is_set()
    await asyncio.to_thread(town.kubectl, "delete", "skm/served", "--wait=false")
    await asyncio.to_thread(waiting.wait_for, "no InferenceService", lambda: town.get("isvc", "served") is None, 60)
    assert town.get("skm", "served") is not None
    gate.opened.set()
    await asyncio.to_thread(town.settled, "waiting-11", "waiting-11-v1", 180)
    await asyncio.to_thread(world_is_clean, town)


def world_is_clean(town: towns.Town) -> None:
    town.world.wait_gone("skm", "served", 90, town.namespace)
    for number in range(12):
        assert executions(town, f"waiting-{number}") in ([], [1])
