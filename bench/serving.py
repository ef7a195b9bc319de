"""The serving runtime against KServe's stock server and MLServer: requests per second, times, start and memory.

The model is StandardScaler and LogisticRegression on iris, trained by the project's own steps; the wire is V2 JSON over
loopback. In each turn all three are started one after the other, and then take turns at each point of load, another one
first each time.

Invariant: whatever else the machine does meets all three; a verdict compares a turn with itself, and only servers that
give the same predictions are compared.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import figures, servers, wrk
from bench import place as places
from sklearn_sandbox import paths

READY_GOAL, MEMORY_GOAL, PARITY = 2.0, 220.0, 1.0
SECONDS, WARM_SECONDS = 2, 1
BATCH = 1000
#: Rows of a request, connections.
POINTS = ((1, 1), (1, 8), (1, 32), (BATCH, 4))
NAMES = (servers.OURS, servers.KSERVE, servers.MLSERVER)
ROWS = "import json; from sklearn.datasets import load_iris; print(json.dumps(load_iris().data.tolist()))"
TIMES = {"p50": "p50", "p99": "p99", "cpu": "CPU per request"}

Point = tuple[int, int]


@dataclass(frozen=True)
class Loaded:
    """What a server made of one load: requests per second, and milliseconds."""

    rate: float
    p50: float
    p99: float
    cpu: float


@dataclass
class Samples:
    """Of one server, one entry per turn."""

    ready: list[float] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    loads: dict[Point, list[Loaded]] = field(default_factory=lambda: defaultdict(list))


def measure(runs: int, say: Callable[[str], None]) -> Iterator[figures.Figure]:
    """``runs`` turns after one that only warms the caches."""
    servers.mlserver()
    home = Path(tempfile.mkdtemp(prefix="sklearn-bench-"))
    try:
        artifact, bodies = _trained(home), _bodies(home)
        found = {name: Samples() for name in NAMES}
        for turn in range(runs + 1):
            _turn(turn, home, artifact, bodies, found if turn else {name: Samples() for name in NAMES})
            say(f"  turn {turn} of {runs}" if turn else "  warm")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    yield from _report(found)


def _turn(turn: int, home: Path, artifact: Path, bodies: dict[int, Path], found: dict[str, Samples]) -> None:
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(servers.running(name, artifact, home)) for name in _order(turn)}
        for body in bodies.values():
            _same_predictions(started.values(), body.read_bytes())
        for name, (rows, connections) in itertools.product(NAMES, POINTS):
            wrk.load(started[name].url, bodies[rows], connections, WARM_SECONDS)
        for place, point in enumerate(POINTS):
            for name in _order(turn + place):
                found[name].loads[point].append(_loaded(started[name], bodies[point[0]], point[1]))
        for name, server in started.items():
            found[name].ready.append(server.ready)
            found[name].rss.append(server.rss() / 1e6)


def _loaded(server: servers.Server, body: Path, connections: int) -> Loaded:
    before = server.cpu()
    seen = wrk.load(server.url, body, connections, SECONDS)
    return Loaded(seen.requests / seen.seconds, seen.p50, seen.p99, 1000 * (server.cpu() - before) / seen.requests)


def _order(turn: int) -> tuple[str, ...]:
    first = turn % len(NAMES)
    return NAMES[first:] + NAMES[:first]


def _same_predictions(started: Iterable[servers.Server], body: bytes) -> None:
    answers = {server.name: server.predicted(body) for server in started}
    if any(labels != answers[servers.OURS] for labels in answers.values()):
        raise places.NotMeasured("serving: the servers do not give the same predictions")


def _report(found: dict[str, Samples]) -> Iterator[figures.Figure]:
    ours, *others = (found[name] for name in NAMES)
    for point in POINTS:
        yield from _of_point(point, found, ours, others)
    part = "serving: a process"
    yield figures.Figure(part, "start to ready", "s", tuple(ours.ready), READY_GOAL)
    yield from (figures.Figure(part, f"  {name}", "s", tuple(found[name].ready)) for name in NAMES[1:])
    yield figures.Figure(part, "memory after load (RSS)", "MB", tuple(ours.rss), MEMORY_GOAL)
    yield from (figures.Figure(part, f"  {name}", "MB", tuple(found[name].rss)) for name in NAMES[1:])


def _of_point(
    point: Point, found: dict[str, Samples], ours: Samples, others: Sequence[Samples]
) -> Iterator[figures.Figure]:
    rows, connections = point
    part = f"serving: {rows:,} row{'s' * (rows > 1)}, {connections} connection{'s' * (connections > 1)}"
    turns = list(zip(ours.loads[point], *(other.loads[point] for other in others), strict=True))
    rates = tuple(mine.rate / max(other.rate for other in rest) for mine, *rest in turns)
    yield figures.Figure(part, "requests/s, to the better of the two", "x", rates, PARITY, at_least=True)
    for name in ("p50", "p99", "cpu"):
        times = tuple(getattr(mine, name) / min(getattr(other, name) for other in rest) for mine, *rest in turns)
        yield figures.Figure(part, f"{TIMES[name]}, to the better of the two", "x", times, PARITY)
    for name, (what, told) in itertools.product(NAMES, {"rate": "requests", **TIMES}.items()):
        samples = tuple(getattr(load, what) for load in found[name].loads[point])
        yield figures.Figure(part, f"  {name}: {told}", "/s" if what == "rate" else "ms", samples)


def _trained(home: Path) -> Path:
    """The artifact directory, as published."""
    folder = home / "artifact"
    steps = [
        {"name": "scale", "class": "sklearn.preprocessing.StandardScaler"},
        {"name": "classify", "class": "sklearn.linear_model.LogisticRegression"},
    ]
    config = {
        "namespace": "default", "model": servers.MODEL, "version": f"{servers.MODEL}-v1", "number": 1, "runId": "bench",
        "data": {"source": {"builtin": "iris"}}, "pipeline": steps, "artifactUri": f"file://{folder}/",
    }  # fmt: skip
    (home / "config.json").write_text(json.dumps(config))
    _trainer("-m", "sklearn_steps", "run-all", "--config", str(home / "config.json"))
    return folder


def _bodies(home: Path) -> dict[int, Path]:
    """Requests by their number of rows, encoded once."""
    rows = json.loads(_trainer("-c", ROWS))
    bodies = {}
    for count in {rows for rows, _ in POINTS}:
        data = list(itertools.chain.from_iterable(itertools.islice(itertools.cycle(rows), count)))
        tensor: dict[str, Any] = {"name": "input", "shape": [count, 4], "datatype": "FP64", "data": data}
        bodies[count] = home / f"rows-{count}.json"
        bodies[count].write_text(json.dumps({"inputs": [tensor]}))
    return bodies


def _trainer(*arguments: str) -> str:
    command = [str(paths.trainer_python()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise places.NotMeasured(f"serving: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout
