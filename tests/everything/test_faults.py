"""Servers that go wrong, one after the other and all at once: told truthfully while it lasts, healed soon after.

Two operators, each behind a proxy of its own, live through it at the same time: one sees Kubeflow Pipelines and the
store fail in every way that docs/faults.md lists, the other loses the API server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

import waiting
from everything import towns, worlds
from faults import proxy as faults

pytestmark = pytest.mark.sandbox

#: From the end of a fault to the end of what it held up.
HEALED = 60.0
#: How long the API server is away here, with a model that serves and one in training. Five minutes of it, and what they
#: take of memory, are in tests/decoupled/test_away.py.
AWAY = 35.0
PIPELINES: dict[str, tuple[int | Literal["garbage", "away"], str]] = {
    "unknown": (401, "SKLEARN_OPERATOR_KFP_TOKEN_FILE"),
    "forbidden": (403, "grant the operator's service account"),
    "busy": (429, "429"),
    "broken": (500, "500"),
    "garbage": ("garbage", "not a JSON object"),
    "silent": ("away", "connection lost"),
}


@dataclass
class Lane:
    town: towns.Town
    proxy: faults.Proxy

    def message(self, name: str) -> str:
        row = self.town.condition(name, "Reconciling")
        return str(row.get("message")) if (row.get("status"), row.get("reason")) == ("True", "Retrying") else ""

    async def told(self, name: str, words: str) -> None:
        """Ready is not True, and the condition says why."""
        await waiting.until(f"{words} of {name}", lambda: asyncio.to_thread(self._says, name, words), HEALED)

    def _says(self, name: str, words: str) -> bool:
        ready = self.town.condition(name, "Ready").get("status")
        return words in self.message(name) and ready != "True"

    async def healed(self, name: str) -> None:
        await asyncio.to_thread(self.town.settled, name, f"{name}-v1", HEALED)

    async def apply(self, *names: str, **spec: Any) -> None:
        await asyncio.to_thread(self.town.apply, *(towns.manifest(name, **spec) for name in names))

    def failing(self) -> int:
        """Models whose last pass failed, as its metrics have it."""
        return self.town.operator.counted("sklearn_operator_failing_models ")


@contextlib.asynccontextmanager
async def lane(world: worlds.World, folder: Path) -> AsyncIterator[Lane]:
    await asyncio.to_thread(folder.mkdir)
    namespace = f"faults-{folder.name}"
    async with worlds.behind_proxy(world, folder, SKLEARN_OPERATOR_NAMESPACES=namespace) as (proxy, operator):
        town = towns.Town(world, operator, namespace, folder / "account")
        await asyncio.to_thread(town.prepare)
        await asyncio.to_thread(operator.revive)
        yield Lane(town, proxy)
        proxy.refuse.clear()
        await asyncio.to_thread(town.clear)
        assert operator.alive()
        assert "Traceback" not in operator.log.read_text()


async def test_every_fault_is_told_and_healed(world: worlds.World, tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_servers(world, tmp_path / "servers"))
        group.create_task(_api_server(world, tmp_path / "api"))


async def _servers(world: worlds.World, folder: Path) -> None:
    async with lane(world, folder) as one:
        proxy = one.proxy
        proxy.refuse["s3"] = 403
        await one.apply("stored")
        await one.told("stored", "access denied")
        gate = proxy.gate = faults.Gate("s3")
        del proxy.refuse["s3"]
        await one.told("stored", "does not answer in time")
        for name, (refusal, words) in PIPELINES.items():
            proxy.refuse["kfp"] = refusal
            await one.apply(name)
            await one.told(name, words)
            assert await asyncio.to_thread(one.failing) >= 1
        del proxy.refuse["kfp"]
        gate.opened.set()
        for name in ("stored", *PIPELINES):
            await one.healed(name)
        assert [world.executions(run["run_id"]) for name in PIPELINES for run in one.town.runs(name)] == [1] * 6
        assert await asyncio.to_thread(one.failing) == 0


async def _api_server(world: worlds.World, folder: Path) -> None:
    async with lane(world, folder) as one:
        await one.apply("serving", serving={})
        await one.healed("serving")
        await one.apply("midway")
        await waiting.until("a training under way", lambda: asyncio.to_thread(one.town.get, "skmv", "midway-v1"), 60)
        began = asyncio.get_running_loop().time()
        one.proxy.go_away("kubernetes")
        await one.apply("unseen")
        rows = [[5.1, 3.5, 1.4, 0.2]]

        def knows() -> bool:
            return one.failing() >= 1 and one.town.predict("serving", rows) == [0]

        await waiting.until("its metrics saying so", lambda: asyncio.to_thread(knows), 60)
        await waiting.until("the longest pauses", lambda: _passed(began + AWAY), AWAY + 10, pause=0.5)
        assert await asyncio.to_thread(one.town.predict, "serving", rows) == [0]
        assert await asyncio.to_thread(one.town.get, "skmv", "unseen-v1") is None
        del one.proxy.refuse["kubernetes"]
        for name in ("midway", "unseen", "serving"):
            await one.healed(name)
        assert await asyncio.to_thread(one.failing) == 0


async def _passed(moment: float) -> bool:
    return asyncio.get_running_loop().time() >= moment
