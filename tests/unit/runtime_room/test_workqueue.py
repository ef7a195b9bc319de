"""The queue's manners, on a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from sklearn_operator.runtime.workqueue import WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    """Work that can be held up, fails when told to, and remembers how it was called."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.running: set[str] = set()
        self.most_at_once = 0
        self.fail: set[str] = set()
        self.again: dict[str, float] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: str) -> float | None:
        assert key not in self.running, "one key, two workers"
        self.running.add(key)
        self.most_at_once = max(self.most_at_once, len(self.running))
        try:
            await self.gate.wait()
        finally:
            self.running.discard(key)
        self.done.append(key)
        if key in self.fail:
            raise RuntimeError(key)
        return self.again.pop(key, None)


@asynccontextmanager
async def running(
    work: Callable[[str], Awaitable[float | None]], clock: Clock, workers: int = 2
) -> AsyncIterator[WorkQueue[str]]:
    queue: WorkQueue[str] = WorkQueue(work, workers=workers, backoff=(1.0, 8.0), clock=clock, jitter=lambda: 0.0)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def settle() -> None:
    """Lets everything that is ready to run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_key_added_many_times_is_worked_on_once() -> None:
    work, clock = Recorder(), Clock()
    async with running(work, clock) as queue:
        for _ in range(5):
            queue.add("a")
        await until(lambda: work.done == ["a"])
        await settle()
        assert work.done == ["a"]


async def test_a_wake_up_during_the_work_runs_it_once_more() -> None:
    work, clock = Recorder(), Clock()
    work.gate.clear()
    async with running(work, clock) as queue:
        queue.add("a")
        await until(lambda: "a" in work.running)
        queue.add("a")
        queue.add("a")
        work.gate.set()
        await until(lambda: work.done == ["a", "a"])
        await settle()
        assert work.done == ["a", "a"]


async def test_no_more_workers_than_allowed() -> None:
    work, clock = Recorder(), Clock()
    work.gate.clear()
    async with running(work, clock, workers=2) as queue:
        for key in "abcd":
            queue.add(key)
        await until(lambda: len(work.running) == 2)
        await settle()
        work.gate.set()
        await until(lambda: sorted(work.done) == list("abcd"))
        assert work.most_at_once == 2


async def test_later_means_later_and_a_wake_up_brings_it_forward() -> None:
    work, clock = Recorder(), Clock()
    async with running(work, clock) as queue:
        queue.add_after("a", 100.0)
        queue.add_after("b", 100.0)
        queue.add("b")
        await until(lambda: work.done == ["b"])
        clock.now = 101.0
        queue.add("c")
        await until(lambda: sorted(work.done) == ["a", "b", "c"])
        await settle()
        assert work.done.count("b") == 1


async def test_an_earlier_appointment_wins_over_a_later_one() -> None:
    work, clock = Recorder(), Clock()
    async with running(work, clock) as queue:
        queue.add_after("a", 10.0)
        queue.add_after("a", 50.0)
        clock.now = 11.0
        queue.add("nudge")
        await until(lambda: "a" in work.done)


async def test_failures_back_off_doubling_to_the_cap_and_are_forgotten_on_success() -> None:
    work, clock = Recorder(), Clock()
    async with running(work, clock) as queue:
        assert [queue.backoff(count) for count in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
        work.fail.add("a")
        queue.add("a")
        await until(lambda: queue.failures("a") == 1)
        clock.now = 1.5
        queue.add("nudge")
        await until(lambda: queue.failures("a") == 2)
        work.fail.clear()
        clock.now = 5.0
        queue.add("nudge")
        await until(lambda: queue.failures("a") == 0)


async def test_a_failing_key_delays_nobody_else() -> None:
    work, clock = Recorder(), Clock()
    work.fail.add("bad")
    async with running(work, clock, workers=1) as queue:
        queue.add("bad")
        queue.add("good")
        await until(lambda: "good" in work.done)


async def test_what_is_being_worked_on_is_finished_before_the_queue_stops() -> None:
    work, clock = Recorder(), Clock()
    work.gate.clear()
    async with running(work, clock) as queue:
        queue.add("a")
        await until(lambda: "a" in work.running)
        asyncio.get_running_loop().call_soon(work.gate.set)
    assert work.done == ["a"]
