"""The operator with nothing to do: what it costs to have it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import audit, figures
from bench import place as places

PART = "operator at rest"
CPU_GOAL, MEMORY_GOAL, WRITES_GOAL = 1.0, 120.0, 0.0


def measure(place: places.Place, seconds: float) -> Iterator[figures.Figure]:
    """Looks at the running operator, and at the API server's audit log, for ``seconds``."""
    place.quiet()
    operator = place.operator()
    before, began, moment = operator.cpu_times(), time.monotonic(), time.time()
    time.sleep(seconds)
    after, took = operator.cpu_times(), time.monotonic() - began
    used = after.user + after.system - before.user - before.system
    writes = place.audit.writes(moment)
    note = ", ".join(f"{count} {name}" for name, count in audit.counted(writes))
    yield figures.Figure(PART, f"writes in {took:.0f} s", "", (float(len(writes)),), WRITES_GOAL, note)
    yield figures.Figure(PART, "of one core", "%", (100 * used / took,), CPU_GOAL)
    yield figures.Figure(PART, "memory (RSS)", "MB", (operator.memory_info().rss / 1e6,), MEMORY_GOAL)
