"""One listing for all running runs, never older than asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from sklearn_operator.backends import errors, memory_kfp
from sklearn_operator.core.observed import Run, RunState
from sklearn_operator.runtime import runs as room


class Counting(memory_kfp.MemoryKfp):
    def __init__(self) -> None:
        super().__init__()
        self.listings: list[frozenset[str]] = []
        self.finds = 0

    async def list_runs(self, *, namespace: str, run_ids: Collection[str]) -> dict[str, Run]:
        self.listings.append(frozenset(run_ids))
        await asyncio.sleep(0)
        return await super().list_runs(namespace=namespace, run_ids=run_ids)

    async def find_run(self, *, namespace: str, run_id: str, display_name: str) -> Run | None:
        self.finds += 1
        return await super().find_run(namespace=namespace, run_id=run_id, display_name=display_name)


class Setup:
    def __init__(self, count: int = 3) -> None:
        self.now = 0.0
        self.kfp = Counting()
        self.runs = room.Runs(self.kfp, 1.0, lambda: self.now)
        self.ids = [f"run-{index}" for index in range(count)]
        for run_id in self.ids:
            self.kfp._runs[run_id] = ("ns", Run(run_id, run_id, RunState.RUNNING))

    async def look(self) -> list[Run | None]:
        return list(await asyncio.gather(*(self.runs.find("ns", run_id, run_id) for run_id in self.ids)))


async def test_all_running_runs_share_one_listing() -> None:
    setup = Setup(20)
    await setup.look()
    assert setup.kfp.listings == []
    setup.now = 5.0
    assert all(await setup.look())
    assert setup.kfp.listings == [frozenset(setup.ids)]


async def test_what_is_fresh_is_not_asked_for_again() -> None:
    setup = Setup()
    await setup.look()
    setup.now = 0.9
    await setup.look()
    assert (setup.kfp.finds, setup.kfp.listings) == (3, [])


async def test_a_run_that_is_gone_is_not_listed_for_ever() -> None:
    setup = Setup()
    await setup.look()
    await setup.kfp.delete("run-0")
    setup.now = 5.0
    assert (await setup.look())[0] is None
    setup.now = 10.0
    await setup.look()
    assert setup.kfp.listings[-1] == frozenset(setup.ids[1:])


async def test_an_ended_run_is_remembered_and_an_absent_one_is_not() -> None:
    setup = Setup(1)
    setup.kfp.move("run-0", RunState.SUCCEEDED)
    await setup.look()
    setup.now = 1e6
    await setup.look()
    assert setup.kfp.finds == 1
    assert await setup.runs.find("ns", "nobody", "nobody") is None
    assert await setup.runs.find("ns", "nobody", "nobody") is None
    assert setup.kfp.finds == 3


async def test_an_error_of_the_listing_is_passed_on() -> None:
    setup = Setup(1)
    await setup.look()
    setup.now = 5.0
    setup.kfp.fail_next("list_runs", errors.Transient("down"))
    with pytest.raises(errors.Transient):
        await setup.runs.find("ns", "run-0", "run-0")


async def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_REMEMBERED", 5)
    setup = Setup(10)
    await setup.look()
    assert len(setup.runs._seen) == 5


class Silent(Counting):
    """Does not answer until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.waiting = 0
        self.asked = asyncio.Event()

    async def find_run(self, *, namespace: str, run_id: str, display_name: str) -> Run | None:
        self.waiting += 1
        self.asked.set()
        try:
            await self.answers.wait()
        finally:
            self.waiting -= 1
        return await super().find_run(namespace=namespace, run_id=run_id, display_name=display_name)


async def test_a_server_that_is_silent_is_waited_for_by_one_question_at_a_time() -> None:
    now = 0.0
    kfp = Silent()
    runs = room.Runs(kfp, 1.0, lambda: now)
    kfp.answers.set()
    kfp.fail_next("find_run", errors.Transient("kfp: no answer in time"))
    with pytest.raises(errors.Transient):
        await runs.find("ns", "first", "first")
    kfp.answers.clear()
    now = 5.0
    trial = asyncio.create_task(runs.find("ns", "second", "second"))
    kfp.asked.clear()
    await kfp.asked.wait()
    for other in ("third", "fourth"):
        with pytest.raises(errors.Transient, match="no answer in time"):
            await runs.find("ns", other, other)
    assert kfp.waiting == 1
    kfp.answers.set()
    assert await trial is None
    assert await runs.find("ns", "third", "third") is None


async def test_trouble_is_not_asked_after_again_at_once() -> None:
    setup = Setup(1)
    setup.kfp.fail_next("find_run", errors.Transient("down"))
    for expected in (1, 1):
        with pytest.raises(errors.Transient, match="down"):
            await setup.runs.find("ns", "run-0", "run-0")
        assert setup.kfp.finds == expected
    setup.now = 1.0
    assert await setup.runs.find("ns", "run-0", "run-0") is not None
