"""Doing steps as early as what they need allows, several at once.

Invariant: a step runs only after everything it needs has succeeded; the first failure stops new steps, and running ones
are told through `stopping`.
"""

from __future__ import annotations

import concurrent.futures as cf
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    action: Callable[[threading.Event], None]
    needs: tuple[str, ...] = ()


def run(steps: Mapping[str, Step]) -> None:
    """Raises what the first failing step raised. Needs that are no step of this run count as met."""
    stopping = threading.Event()
    done: set[str] = set()
    begun: set[str] = set()
    running: dict[cf.Future[None], str] = {}
    with cf.ThreadPoolExecutor(max_workers=max(1, len(steps))) as pool:
        try:
            while len(done) < len(steps):
                for name, step in steps.items():
                    if name not in begun and all(need in done or need not in steps for need in step.needs):
                        begun.add(name)
                        running[pool.submit(step.action, stopping)] = name
                if not running:
                    raise ValueError(f"steps wait for each other: {sorted(set(steps) - done)}")
                finished, _ = cf.wait(running, return_when=cf.FIRST_COMPLETED)
                for future in finished:
                    name = running.pop(future)
                    future.result()
                    done.add(name)
        finally:
            stopping.set()
