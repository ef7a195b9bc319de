"""SIGKILL at every write of a model's life, before and after the server carried it out: the end is always the same.

A life is create, change, delete. A first life without a fault numbers its writes; then every number gets two lives in
which the operator is killed there, once in each part of the life, and started again. Lives run side by side, each in a
namespace with an operator and a proxy of its own.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from everything import worlds
from faults import proxy as faults
from sklearn_sandbox import objects

LANES = 3
PARTS = ("create", "change", "delete")
PATIENCE = 240.0
TREE = "sklearn.tree.DecisionTreeClassifier"


def manifest(namespace: str, max_depth: int) -> dict[str, Any]:
    return {
        "apiVersion": "sklearn-operator.io/v1alpha1",
        "kind": "SklearnModel",
        "metadata": {"name": "flower", "namespace": namespace},
        "spec": {
            "data": {"source": {"builtin": "iris"}},
            "model": {
                "estimator": {"class": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": max_depth}}
            },
            "pipeline": {"layout": "Fused"},
            "serving": {},
        },
    }


@dataclass
class Lane:
    """One namespace, one proxy, one operator; every life in it starts from nothing."""

    world: worlds.World
    namespace: str
    proxy: faults.Proxy
    operator: worlds.Operator
    seen: list[str] = field(default_factory=list)

    async def life(self, number: int | None, when: Literal["before", "after"] = "after") -> dict[str, Any]:
        """One whole life with a kill at write ``number`` of each part; returns what each part ended in."""
        ends: dict[str, Any] = {}
        for part in PARTS:
            sprung = await self._with_kill(part, number, when)
            ends[part] = await asyncio.to_thread(self._end, part)
            ends[f"{part}.writes"] = [write.label for write in self.proxy.writes]
            ends[f"{part}.killed"] = sprung
        return ends

    async def _with_kill(self, part: str, number: int | None, when: Literal["before", "after"]) -> str | None:
        self.proxy.reset()
        trap = None if number is None else self.proxy.set(number, when, self.operator.kill)
        await asyncio.to_thread(self._start, part)
        finished = asyncio.create_task(asyncio.to_thread(self._wait, part))
        if trap is not None:
            sprung = asyncio.create_task(trap.sprung.wait())
            await asyncio.wait({finished, sprung}, return_when=asyncio.FIRST_COMPLETED)
            if sprung.done():
                await asyncio.to_thread(self.operator.revive)
            else:
                sprung.cancel()
        try:
            await finished
        except AssertionError as error:
            picture = await asyncio.to_thread(self.world.picture, self.namespace)
            raise AssertionError(f"{part}, killed {when} {trap and trap.at}: {error}\n{picture}") from None
        return str(trap.at) if trap is not None and trap.at is not None else None

    def _start(self, part: str) -> None:
        if part == "delete":
            self.world.kubectl("delete", "skm/flower", "-n", self.namespace, "--wait=false")
        else:
            self.world.apply(manifest(self.namespace, 2 if part == "create" else 3))

    def _wait(self, part: str) -> None:
        if part == "delete":
            self.world.wait_gone("skm", "flower", PATIENCE, self.namespace)
            return
        version = "flower-v1" if part == "create" else "flower-v2"

        def settled() -> bool:
            model = self.world.get("skm", "flower", self.namespace)
            mark = self.world.get("skmv", version, self.namespace)
            return (
                self.world.ready(model)
                and model["status"].get("servingVersion") == version
                and bool((mark or {}).get("status", {}).get("servedAt"))
            )

        worlds.wait_for(f"{version} serving", settled, PATIENCE)

    def _end(self, part: str) -> dict[str, Any]:
        """Everything that the life has left so far, without what differs by nature: times, ids, addresses."""
        names = ("skm", "skmv", "isvc")
        found = {
            name: [item["metadata"]["name"] for item in self.world.get(name, None, self.namespace)] for name in names
        }
        runs = self.world.runs(self.namespace)
        model = self.world.get("skm", "flower", self.namespace) or {}
        status = model.get("status") or {}
        return {
            **found,
            "runs": len(runs),
            "executions": [self.world.executions(run["run_id"]) for run in runs],
            "objects": sorted(_kind_of(key) for key in self.world.objects(f"{self.namespace}/")),
            "conditions": {row["type"]: (row["status"], row["reason"]) for row in status.get("conditions", [])},
            "metrics": status.get("metrics"),
            "versions": [status.get("servingVersion"), status.get("latestVersion")],
            "finalizers": model.get("metadata", {}).get("finalizers"),
        }


def _kind_of(key: str) -> str:
    """``<version number>/<file>``: the folder's name carries a uid."""
    folder, name = key.split("/")[-2:]
    return f"{folder.split('-')[0]}/{name}"


async def lane(world: worlds.World, namespace: str, folder: Path, lives: asyncio.Queue[Any], ends: list[Any]) -> None:
    await asyncio.to_thread(_prepare, world, namespace, folder)
    async with worlds.behind_proxy(world, folder, SKLEARN_OPERATOR_NAMESPACES=namespace) as (proxy, operator):
        await asyncio.to_thread(operator.revive)
        one = Lane(world, namespace, proxy, operator)
        while not lives.empty():
            number, when = lives.get_nowait()
            ends.append((number, when, await one.life(number, when)))


def _prepare(world: worlds.World, namespace: str, folder: Path) -> None:
    folder.mkdir()
    secret = objects.store_secret(world.sandbox, namespace)
    world.kubectl("apply", "-f", "-", input=json.dumps(objects.namespace(namespace)))
    world.kubectl("apply", "-f", "-", input=json.dumps(secret))


async def run_lives(world: worlds.World, folder: Path, wanted: list[tuple[int | None, str]], name: str) -> list[Any]:
    lives: asyncio.Queue[Any] = asyncio.Queue()
    for life in wanted:
        lives.put_nowait(life)
    ends: list[Any] = []
    lanes = [f"{name}-{number}" for number in range(min(LANES, len(wanted)))]
    async with asyncio.TaskGroup() as group:
        for namespace in lanes:
            group.create_task(lane(world, namespace, folder / namespace, lives, ends))
    return ends


@pytest.mark.sandbox
async def test_a_kill_at_any_write_changes_nothing_in_the_end(world: worlds.World, tmp_path: Path) -> None:
    [(_, _, untouched)] = await run_lives(world, tmp_path, [(None, "after")], "whole")
    assert untouched["create"]["executions"] == [1]
    assert untouched["change"]["executions"] == [1, 1]
    assert untouched["delete"] | {"finalizers": None} == NOTHING
    longest = max(len(untouched[f"{part}.writes"]) for part in PARTS)
    points = [(number, when) for number in range(1, longest + 1) for when in ("before", "after")]

    for number, when, ends in await run_lives(world, tmp_path, list(points), "killed"):
        for part in PARTS:
            writes = untouched[f"{part}.writes"]
            if number <= len(writes):
                assert ends[f"{part}.killed"], f"{part}: nothing was killed {when} write {number}: {writes}"
            assert ends[part] == untouched[part], f"{part}, killed {when} {ends[f'{part}.killed']}"


NOTHING: dict[str, Any] = {
    "skm": [],
    "skmv": [],
    "isvc": [],
    "runs": 0,
    "executions": [],
    "objects": [],
    "conditions": {},
    "metrics": None,
    "versions": [None, None],
    "finalizers": None,
}
