"""SIGKILL at every write of a model's life, before and after the server carried it out: the end is always the same.

A life is create, change (rolled out in steps), delete. Two lives without a fault show its writes. Then each of them is
met twice in the part it belongs to: the operator is killed before the write, started again, and killed after it. A life
takes every STRIDE-th of them, so that whatever a kill damages has a few undisturbed writes to show itself. Lives run
side by side, each in a namespace with an operator and a proxy of its own.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

import waiting
from everything import worlds
from faults import proxy as faults
from sklearn_sandbox import objects

LANES = 3
STRIDE = 5
PARTS = ("create", "change", "delete")
PATIENCE = 480.0
WHEN: tuple[Literal["before"], Literal["after"]] = ("before", "after")
Points: TypeAlias = dict[str, list[faults.Write]]
Lives: TypeAlias = "asyncio.Queue[Points]"
Ends: TypeAlias = list[dict[str, Any]]


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
            "rollout": {"canary": {"steps": [{"weight": 50, "pause": "1s"}]}},
        },
    }


@dataclass
class Life:
    """One namespace, one proxy, one operator."""

    world: worlds.World
    namespace: str
    proxy: faults.Proxy
    operator: worlds.Operator

    async def lived(self, points: Points) -> dict[str, Any]:
        """One whole life with two kills at each of the ``points`` by part; returns what each part ended in."""
        ends: dict[str, Any] = {}
        self.proxy.plain = self._plain
        for part in PARTS:
            traps = [faults.Trap(write, when) for write in points.get(part, []) for when in WHEN]
            ends[part] = await self._with_kills(part, traps)
            # Nothing is awaited from here to the next part's arming: a trap that springs between would leave nobody.
            ends[f"{part}.traps"] = traps
            ends[f"{part}.writes"] = list(self.proxy.writes)
        return ends

    async def _with_kills(self, part: str, traps: list[faults.Trap]) -> dict[str, Any]:
        self.proxy.arm(traps, self.operator.kill)
        await asyncio.to_thread(self._start, part)
        finished = asyncio.create_task(asyncio.to_thread(self._end, part))
        revived = 0
        while not finished.done() or revived < sum(trap.sprung for trap in traps):
            killed = asyncio.create_task(self.proxy.killed.wait())
            awaited = {killed} if finished.done() else {killed, finished}
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if killed.done():
                self.proxy.killed.clear()
                await asyncio.to_thread(self.operator.revive)
                revived += 1
            killed.cancel()
        try:
            return await finished
        except AssertionError as error:
            picture = await asyncio.to_thread(self.world.picture, self.namespace)
            raise AssertionError(f"{part}, killed at {traps}: {error}\n{picture}") from None

    def _plain(self, label: str) -> str:
        return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{8,}", "*", label.replace(self.namespace, "*"))

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
        """Everything that the part has left, without what differs by nature: times, ids, addresses."""
        self._wait(part)
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
        points = lives.get_nowait()
        namespace = f"{name}-{lives.qsize()}"
        await asyncio.to_thread(_prepare, world, namespace, folder / namespace)
        settings = {"SKLEARN_OPERATOR_NAMESPACES": namespace}
        async with worlds.behind_proxy(world, folder / namespace, **settings) as (proxy, operator):
            await asyncio.to_thread(operator.revive)
            ends.append(await Life(world, namespace, proxy, operator).lived(points))


def _prepare(world: worlds.World, namespace: str, folder: Path) -> None:
    folder.mkdir()
    secret = objects.store_secret(world.sandbox, namespace)
    world.kubectl("apply", "-f", "-", input=json.dumps(objects.namespace(namespace)))
    world.kubectl("apply", "-f", "-", input=json.dumps(secret))


async def run_lives(world: worlds.World, folder: Path, wanted: list[Points], name: str) -> Ends:
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
    untouched, another = await run_lives(world, tmp_path, [{}, {}], "whole")
    assert untouched["create"]["executions"] == [1]
    assert untouched["change"]["executions"] == [1, 1]
    assert untouched["delete"] == NOTHING
    # How often a status is written depends on when it is looked at; what is written does not.
    writes: Points = {
        part: [write for write in untouched[f"{part}.writes"] if write in another[f"{part}.writes"]] for part in PARTS
    }
    points = [{part: writes[part][first::STRIDE] for part in PARTS} for first in range(STRIDE)]
    lives = await run_lives(world, tmp_path, points, "killed")
    for life in lives:
        for part in PARTS:
            assert life[part] == untouched[part], f"{part}, killed at {life[f'{part}.traps']}"
            # Whoever is killed before a write of a status may have nothing to say in it afterwards.
            due = [trap for trap in life[f"{part}.traps"] if (trap.when, trap.write.nth) == ("before", 1)]
            came = [trap for trap in life[f"{part}.traps"] if trap.write in life[f"{part}.writes"]]
            assert all(trap.sprung for trap in due + came), f"{part}: {due + came} should all have killed"


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
