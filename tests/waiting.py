"""Waiting for something to become true.

Invariant: a test looks until it is so or the deadline has passed; it never sleeps for the sake of time. A deadline that
is no claim is a long one: several worlds may start on two processors at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T | None], seconds: float = 120.0, pause: float = 0.1) -> T:
    """The first truthy value of ``condition``; ``seconds`` is the longest wait, ``pause`` lies between two looks."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise _late(what, seconds, value)
        time.sleep(pause)
    return value


async def until(
    what: str, condition: Callable[[], Awaitable[T | None]], seconds: float = 120.0, pause: float = 0.1
) -> T:
    """The same for a question that is awaited."""
    deadline = time.monotonic() + seconds
    while not (value := await condition()):
        if time.monotonic() > deadline:
            raise _late(what, seconds, value)
        await asyncio.sleep(pause)
    return value


def _late(what: str, seconds: float, value: object) -> AssertionError:
    return AssertionError(f"{what} did not happen within {seconds:g} s; last seen: {value!r}")
