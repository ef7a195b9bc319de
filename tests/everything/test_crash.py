"""SIGKILL at every write of a model's life, before and after the server carried it out: the end is always the same.

A life is create, change, delete. A first life without a fault numbers its writes; then every number gets two
lives in which the operator is killed there, once in each part of the life, and started again. Lives run side by side,
each in a namespace with an operator and a proxy of its own.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

import waiting
from everything import worlds
from faults import proxy as faults
from sklearn_sandbox import objects

LANES = 3
PARTS = ("create", "change", "delete")
PATIENCE = 240.0
When: TypeAlias = Literal["before", "after"]
Lives: TypeAlias = "asyncio.Queue[tuple[int | None, When]]"
Ends: TypeAlias = list[tuple[int | None, When, dict[str, Any]]]
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
class Life:
    """One namespace, one proxy, one operator."""

    world: worlds.World
    namespace: str
    proxy: faults.Proxy
    operator: worlds.Operator

    async def lived(self, number: int | None, when: When) -> dict[str, Any]:
        """One whole life with a kill at write ``number`` of each part; returns what each part ended in."""
        ends: dict[str, Any] = {}
        for part in PARTS:
            sprung = await self._with_kill(part, number, when)
            ends[part] = await asyncio.to_thread(self._end, part)
            ends[f"{part}.writes"] = [write.label for write in self.proxy.writes]
            ends[f"{part}.killed"] = sprung
        return ends

    async def _with_kill(self, part: str, number: int | None, when: When) -> str | None:
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

        waiting.wait_for(f"{version} serving", settled, PATIENCE)

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


async def lane(world: worlds.World, folder: Path, lives: Lives, ends: Ends, name: str) -> None:
    """One life after the other; each in a namespace where nothing was before, not even an experiment."""
    while not lives.empty():
        number, when = lives.get_nowait()
        namespace = f"{name}-{lives.qsize()}"
        await asyncio.to_thread(_prepare, world, namespace, folder / namespace)
        settings = {"SKLEARN_OPERATOR_NAMESPACES": namespace}
        async with worlds.behind_proxy(world, folder / namespace, **settings) as (proxy, operator):
            await asyncio.to_thread(operator.revive)
            ends.append((number, when, await Life(world, namespace, proxy, operator).lived(number, when)))


def _prepare(world: worlds.World, namespace: str, folder: Path) -> None:
    folder.mkdir()
    secret = objects.store_secret(world.sandbox, namespace)
    world.kubectl("apply", "-f", "-", input=json.dumps(objects.namespace(namespace)))
    world.kubectl("apply", "-f", "-", input=json.dumps(secret))


async def run_lives(world: worlds.World, folder: Path, wanted: list[tuple[int | None, When]], name: str) -> Ends:
    lives: Lives = asyncio.Queue()
    for life in wanted:
        lives.put_nowait(life)
    ends: Ends = []
    async with asyncio.TaskGroup() as group:
        for _ in range(LANES):
            group.create_task(lane(world, folder, lives, ends, name))
    return ends


@pytest.mark.sandbox
async def test_a_kill_at_any_write_changes_nothing_in_the_end(world: worlds.World, tmp_path: Path) -> None:
    (_, _, untouched), (_, _, another) = await run_lives(world, tmp_path, [(None, "after")] * 2, "whole")
    assert untouched["create"]["executions"] == [1]
    assert untouched["change"]["executions"] == [1, 1]
    assert untouched["delete"] == NOTHING
    # A slow machine may see one look more; what both lives wrote, every life writes.
    writes = {part: min(len(life[f"{part}.writes"]) for life in (untouched, another)) for part in PARTS}
    points: list[tuple[int | None, When]] = []
    for number in range(1, max(writes.values()) + 1):
        points += [(number, "before"), (number, "after")]

    for point, when, ends in await run_lives(world, tmp_path, points, "killed"):
        for part in PARTS:
            if point is not None and point <= writes[part]:
                assert ends[f"{part}.killed"], f"{part}: nothing was killed {when} write {point}"
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
