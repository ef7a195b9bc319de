"""The queue, the faults and the storage initializer's own rules."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sklearn_sandbox import storage_initializer
from sklearn_sandbox.kserve import faults, workqueue

KEY = ("default", "digits")


async def test_a_key_is_queued_once_and_again_when_it_changes_meanwhile() -> None:
    queue = workqueue.WorkQueue()
    queue.add(KEY)
    queue.add(KEY)
    assert await queue.take() == KEY
    queue.add(KEY)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.01)
    queue.done(KEY, failed=False)
    assert await queue.take() == KEY


async def test_a_failed_key_comes_back_by_itself() -> None:
    queue = workqueue.WorkQueue()
    for _ in range(3):
        queue.add(KEY)
        assert await queue.take() == KEY
        queue.done(KEY, failed=True)
        assert await asyncio.wait_for(queue.take(), 5) == KEY
        queue.done(KEY, failed=False)


def test_faults_are_off_until_asked_for() -> None:
    now = [100.0]
    known = faults.Faults(clock=lambda: now[0])
    assert known.delay(KEY) == 0
    known.set("late", 2)
    assert known.delay(KEY) == 2
    now[0] += 1.5
    assert known.delay(KEY) == 0.5
    now[0] += 1
    assert known.delay(KEY) == 0
    known.set("never", 2)
    assert known.delay(KEY) is None
    with pytest.raises(ValueError, match="late, never, twice"):
        known.set("sometimes", 2)


@pytest.mark.parametrize(
    ("key", "path", "expected"),
    [
        ("churn/v1/model.joblib", "churn/v1/", "model.joblib"),
        ("churn/v1/sub/a", "churn/v1/", "sub/a"),
        ("churn/v10/model.joblib", "churn/v1", "0/model.joblib"),
        ("churn/v1/model.joblib", "churn/v1/model.joblib", "model.joblib"),
    ],
)
def test_where_an_object_goes(key: str, path: str, expected: str, tmp_path: Path) -> None:
    assert storage_initializer._target(key, path, tmp_path) == tmp_path / expected


def test_no_object_leaves_the_folder(tmp_path: Path) -> None:
    with pytest.raises(storage_initializer.FetchError, match="outside"):
        storage_initializer._target("a/../../x", "a/", tmp_path)


@pytest.mark.parametrize("arguments", [[], ["s3://b/x"], ["gs://b/x/", "/tmp/nowhere"]])
def test_what_it_cannot_do_ends_with_1(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert storage_initializer.main(arguments, {}) == 1
    assert capsys.readouterr() != ("", "")
