"""From apply to Ready on a warm sandbox, and where the time goes.

The parts add up: until the first task starts, the tasks, the gaps between them, until the InferenceService is written,
until its pod is ready, until Ready is reported. What is neither task nor server start is overhead.

Invariant: the layouts take turns, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from bench import audit, figures, timeline
from bench import place as places
from sklearn_sandbox import paths

LAYOUTS = ("Staged", "Fused")
GOALS = {"Staged": 8.0, "Fused": 5.0}
OVERHEAD_GOAL, WRITES_GOAL = 1.0, 8.0
#: A word that is nowhere else in the objects: they are cloned by replacing it.
NAME = "handwriting"
MODEL = f"{places.MODELS}/{NAME}"
WATCHED = (places.MODELS, places.VERSIONS, places.SERVICES, places.PODS)


@dataclass(frozen=True)
class Life:
    """The moments of one model from apply to Ready, in seconds since the epoch, and its writes until then."""

    layout: str
    applied: float
    tasks: tuple[tuple[float, float], ...]
    service: float
    pod_ready: float
    ready: float
    writes: tuple[audit.Write, ...]
    writes_after: tuple[audit.Write, ...]

    @property
    def total(self) -> float:
        return self.ready - self.applied

    @property
    def in_tasks(self) -> float:
        return sum(end - start for start, end in self.tasks)

    @property
    def server_start(self) -> float:
        return self.pod_ready - self.service

    @property
    def overhead(self) -> float:
        return self.total - self.in_tasks - self.server_start

    @property
    def parts_of_overhead(self) -> dict[str, float]:
        first, last = self.tasks[0][0], self.tasks[-1][1]
        return {
            "apply to first task": first - self.applied,
            "between tasks": last - first - self.in_tasks,
            "last task to its service": self.service - last,
            "pod ready to Ready": self.ready - self.pod_ready,
        }


def lives(place: places.Place, seen: timeline.Timeline, runs: int, *, warm: bool = True) -> Iterator[Life]:
    """``runs`` lives of each layout, in turns; the last model stays. The first of all only warms the caches."""
    if warm:
        live(place, seen, LAYOUTS[0])
    for _, layout in itertools.product(range(runs), LAYOUTS):
        yield live(place, seen, layout)


def live(place: places.Place, seen: timeline.Timeline, layout: str) -> Life:
    remove(place)
    place.quiet()
    began = time.time()
    place.create(places.MODELS, manifest(layout))
    ready, model = seen.first(places.MODELS, began, ready_model, f"{layout}: Ready")
    service, _ = seen.first(places.SERVICES, began, _any, f"{layout}: an InferenceService")
    pod_ready, _ = seen.first(places.PODS, began, _ready_pod, f"{layout}: a ready pod")
    tasks = _tasks(place, str(model["status"]["run"]["id"]))
    place.quiet()
    until, after = place.audit.writes(began, ready), place.audit.writes(ready)
    return Life(layout, began, tasks, service, pod_ready, ready, tuple(until), tuple(after))


def remove(place: places.Place) -> None:
    """Deletes the model and waits until nothing of it is left."""
    place.api.delete(MODEL)
    for path in (places.MODELS, places.VERSIONS, places.SERVICES, places.DEPLOYMENTS, places.PODS):
        places.wait_for(f"nothing left in {path}", lambda path=path: not place.list(path))  # type: ignore[misc]


def manifest(layout: str) -> dict[str, Any]:
    sample = paths.project_root() / "deploy" / "samples" / "digits.yaml"
    document: dict[str, Any] = yaml.safe_load(sample.read_text())
    document["metadata"] = {"name": NAME, "namespace": "default"}
    document["spec"]["pipeline"] = {"layout": layout}
    return document


def report(found: list[Life]) -> Iterator[figures.Figure]:
    medians: dict[str, float] = {}
    for layout in LAYOUTS:
        mine = [life for life in found if life.layout == layout]
        part = f"digits, {layout}"

        def figure(what: str, value: Callable[[Life], float], goal: float | None = None) -> figures.Figure:
            return figures.Figure(part, what, "s", tuple(value(life) for life in mine), goal)  # noqa: B023

        total = figure("apply to Ready", lambda life: life.total, GOALS[layout])
        medians[layout] = total.median
        yield total
        yield figure("  tasks", lambda life: life.in_tasks)
        yield figure("  server start", lambda life: life.server_start)
        yield figure("  overhead: everything else", lambda life: life.overhead, OVERHEAD_GOAL)
        for name in mine[0].parts_of_overhead:
            yield figure(f"    {name}", lambda life, name=name: life.parts_of_overhead[name])  # type: ignore[misc]
    yield figures.Figure("ratios", "Staged to Fused", "times", (medians["Staged"] / medians["Fused"],))
    for layout, median in medians.items():
        yield figures.Figure("ratios", f"{layout} to its goal", "times", (median / GOALS[layout],))


def report_writes(found: list[Life]) -> Iterator[figures.Figure]:
    part = "writes per model"
    counts = tuple(float(len(life.writes)) for life in found)
    yield figures.Figure(part, "create to Ready", "", counts, WRITES_GOAL)
    for name, _ in audit.counted([write for life in found for write in life.writes]):
        yield figures.Figure(part, f"  {name}", "", tuple(_count(life.writes, name) for life in found))
    yield figures.Figure(part, "after Ready", "", tuple(float(len(life.writes_after)) for life in found))
    for name, _ in audit.counted([write for life in found for write in life.writes_after]):
        yield figures.Figure(part, f"  {name}", "", tuple(_count(life.writes_after, name) for life in found))


def _count(writes: tuple[audit.Write, ...], name: str) -> float:
    return float(sum(str(write) == name for write in writes))


def _tasks(place: places.Place, run: str) -> tuple[tuple[float, float], ...]:
    """From the sandbox's own notes: over REST, as with the real server, times have whole seconds only."""
    noted = json.loads((place.sandbox.home / "kfp" / "runs" / run / "tasks.json").read_text())
    return tuple(sorted((float(task["started_at"]), float(task["finished_at"])) for task in noted.values()))


def _any(kind: str, found: timeline.Object) -> bool:
    return kind != "DELETED"


def ready_model(kind: str, found: timeline.Object) -> bool:
    rows = {row["type"]: row for row in (found.get("status") or {}).get("conditions", [])}
    ready = rows.get("Ready", {})
    current = ready.get("observedGeneration") == found["metadata"]["generation"]
    return kind != "DELETED" and current and ready.get("status") == "True"


def _ready_pod(kind: str, found: timeline.Object) -> bool:
    if kind == "DELETED" or (found["metadata"].get("labels") or {}).get("component") != "predictor":
        return False
    rows = {row["type"]: row["status"] for row in (found.get("status") or {}).get("conditions", [])}
    return rows.get("Ready") == "True"
