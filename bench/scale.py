"""A restart with many settled models: how long until the operator has looked at all of them, and what it writes.

Nothing but the API server runs beside it. Steady means: ready, every model looked at, nothing waiting, and the
counters stay as they are.

Invariant: a restart is a new process each time; the models are the same.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench import audit, clones, figures
from bench import place as places
from sklearn_sandbox import paths, services, state

#: Up to so many objects of ours: seconds from start to steady, MB of memory.
GOALS = {2_000: (3.0, None), 12_000: (8.0, 220.0)}
WRITES_GOAL = 0.0
#: The counters must stay as they are for this long, in seconds.
STILL = 2.0
#: Of a core; below it the process counts as having nothing to do.
CALM = 0.1
#: Often enough for the goal, seldom enough not to be the load: each answer costs the operator some milliseconds.
POLL = 0.1


@dataclass(frozen=True)
class Restart:
    ready: float
    steady: float
    calm: float
    passes: float
    failed: float
    cpu: float
    memory: float
    writes: list[audit.Write]


def measure(place: places.Place, sample: clones.Sample, models: int, runs: int) -> Iterator[figures.Figure]:
    asyncio.run(clones.spread(place, sample, models))
    place.quiet()
    found = [_restart(place, models) for _ in range(runs)]
    objects = models * (1 + len(sample.versions))
    steady, memory = next((goals for most, goals in GOALS.items() if objects <= most), (None, None))
    part = f"restart with {models} settled models, {models * len(sample.versions)} versions"
    failed = sum(one.failed for one in found)
    note = f"{failed:.0f} passes failed" if failed else ""
    yield figures.Figure(part, "start to steady", "s", tuple(one.steady for one in found), steady, note)
    yield figures.Figure(part, "  start to ready", "s", tuple(one.ready for one in found))
    yield figures.Figure(part, "  start to its CPU at rest", "s", tuple(one.calm for one in found))
    yield figures.Figure(part, "  CPU time for it", "s", tuple(one.cpu for one in found))
    names = ", ".join(f"{count} {name}" for name, count in audit.counted([w for one in found for w in one.writes]))
    yield figures.Figure(part, "writes", "", tuple(float(len(one.writes)) for one in found), WRITES_GOAL, names)
    yield figures.Figure(part, "passes", "", tuple(one.passes for one in found))
    yield figures.Figure(part, "memory (RSS)", "MB", tuple(one.memory for one in found), memory)


def _restart(place: places.Place, models: int) -> Restart:
    log = place.sandbox.home / "logs" / "bench-operator.log"
    settings = {**services.operator_env(place.sandbox), state.MARKER: str(place.sandbox.home)}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SKLEARN_OPERATOR_")}
    command = [str(paths.operator_bin() / "sklearn-operator"), "run"]
    began, moment = time.monotonic(), time.time()
    with log.open("ab") as sink:
        process = subprocess.Popen(command, env=inherited | settings, stdout=sink, stderr=sink)
    try:
        watch = _Watch(began, psutil.Process(process.pid), place.sandbox.ports["operator"], models)
        places.wait_for(f"steady ({log})", lambda: watch.look(process, log), poll=POLL)
        place.quiet()
        return watch.result(place.audit.writes(moment))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


class _Watch:
    """Notes when counters and CPU last moved."""

    def __init__(self, began: float, process: psutil.Process, port: int, models: int) -> None:
        self._began = began
        self._process = process
        self._client = httpx.Client(base_url=f"http://{state.LOOPBACK}:{port}", timeout=10.0, trust_env=False)
        self._models = models
        self._ready: float | None = None
        self._counters: dict[str, float] = {}
        self._changed = self._busy = began
        self._used = (began, 0.0)

    def look(self, process: subprocess.Popen[bytes], log: Path) -> bool:
        """True once everything has stayed still for a while. Its counters are left alone before it is ready."""
        if process.poll() is not None:
            raise places.NotMeasured(f"the operator ended with {process.returncode}: {log.read_text()[-2000:]}")
        self._look_at_cpu()
        try:
            if self._client.get("/readyz").status_code != 200:
                return False
            counters = _counters(self._client.get("/metrics").text)
        except httpx.TransportError:
            return False
        now = time.monotonic()
        if self._ready is None:
            self._ready = self._changed = now
        if counters != self._counters:
            self._counters, self._changed = counters, now
        done = counters.get("depth", 1.0) == 0 and counters.get("ok", 0.0) >= self._models
        return done and now - max(self._changed, self._busy) > STILL

    def _look_at_cpu(self) -> None:
        now, times = time.monotonic(), self._process.cpu_times()
        then, before = self._used
        used = times.user + times.system
        if now - then > 0.2:
            self._used = (now, used)
            if (used - before) / (now - then) > CALM:
                self._busy = now

    def result(self, writes: list[audit.Write]) -> Restart:
        self._client.close()
        return Restart(
            ready=(self._ready or self._began) - self._began,
            steady=self._changed - self._began,
            calm=self._busy - self._began,
            cpu=sum(self._process.cpu_times()[:2]),
            passes=self._counters.get("ok", 0.0),
            failed=self._counters.get("error", 0.0),
            memory=self._process.memory_info().rss / 1e6,
            writes=writes,
        )


def _counters(exposition: str) -> dict[str, float]:
    patterns = {
        "ok": r'^sklearn_operator_reconciles_total\{result="ok"\} (\S+)',
        "error": r'^sklearn_operator_reconciles_total\{result="(?:error|unavailable|refused)"\} (\S+)',
        "depth": r"^sklearn_operator_queue_depth (\S+)",
    }
    found = {name: re.findall(pattern, exposition, re.MULTILINE) for name, pattern in patterns.items()}
    return {name: sum(map(float, values)) for name, values in found.items() if values}
