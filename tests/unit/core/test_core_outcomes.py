"""What tasks leave behind counts only if it names their own run."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator.core import observed, outcomes
from unit.core import builders

RUN = "run-1"
RESULT: dict[str, Any] = {
    "formatVersion": 1, "runId": RUN, "version": "digits-v1", "attempt": 1, "estimatorType": "classifier",
    "artifact": {"uri": "s3://b/", "sha256": "ab" * 32, "size": 1}, "metrics": {"accuracy": 0.9},
    "lineage": {"dataSha256": "x", "rows": 1, "features": 1, "python": "3", "sklearn": "1", "numpy": "2", "seed": 0},
    "finishedAt": "2026-01-01T12:00:00Z",
}  # fmt: skip
FAILURE: dict[str, Any] = {
    "formatVersion": 1, "runId": RUN, "version": "digits-v1", "attempt": 1, "step": "prepare", "reason": "EmptyData",
    "message": "no rows", "permanent": True, "at": "2026-01-01T12:00:00Z",
}  # fmt: skip


def judged(result: Any = None, failure: Any = None) -> observed.Outcome:
    documents = [None if item is None else json.dumps(item).encode() for item in (result, failure)]
    return outcomes.judge(documents[0], documents[1], RUN)


def test_a_task_that_was_killed_after_it_had_told_of_passing_trouble_was_killed() -> None:
    killed = observed.PodTrouble("pod-2", "OOMKilled", "")
    passing = observed.Outcome(failure={"step": "train", "reason": "Store", "message": "m", "permanent": False})
    final = observed.Outcome(failure={"step": "train", "reason": "Target", "message": "m", "permanent": True})
    found = [outcomes.cause(*seen) for seen in ((passing, ()), (passing, (killed,)), (final, (killed,)))]
    assert [cause and cause["reason"] for cause in found] == ["Store", "OOMKilled", "Target"]


def test_a_result_and_a_failure_of_this_run() -> None:
    good = judged(RESULT)
    assert good.result is not None and good.result["metrics"] == {"accuracy": 0.9}
    bad = judged(None, FAILURE)
    assert bad.failure is not None and bad.failure["reason"] == "EmptyData"
    assert outcomes.failure(bad) == bad.failure
    assert judged() == observed.Outcome()


def test_those_of_another_run_do_not_count() -> None:
    other = judged(RESULT | {"runId": "run-2"}, FAILURE | {"runId": "run-2"})
    assert (other.result, other.failure) == (None, None)
    assert other.invalid == "its result.json was written by another run (run-2)"


@pytest.mark.parametrize(
    "change, says",
    [
        ({"metrics": {"accuracy": "high"}}, "metrics.accuracy"),
        ({"artifact": {"uri": "s3://b/", "sha256": "short", "size": 1}}, "artifact.sha256"),
        ({"formatVersion": 2}, "formatVersion"),
    ],
)
def test_a_result_of_the_wrong_shape_is_told_by_its_field(change: dict[str, Any], says: str) -> None:
    seen = judged(RESULT | change)
    assert seen.result is None and seen.invalid is not None and says in seen.invalid


def test_a_newer_trainer_may_say_more() -> None:
    assert judged(RESULT | {"somethingNew": 1}).result is not None


@given(st.binary(max_size=200) | st.sampled_from([b"{}", b"[]", b"null", b'"x"', b"NaN", b"\xff"]), st.booleans())
def test_any_bytes_are_as_good_as_absent(content: bytes, is_result: bool) -> None:
    seen = outcomes.judge(content if is_result else None, None if is_result else content, RUN)
    assert (seen.result, seen.failure) == (None, None)


def trouble(reason: str, message: str = "m", age: int = 60) -> observed.PodTrouble:
    return observed.PodTrouble("p", reason, message, builders.NOW - timedelta(seconds=age))


def test_pods_speak_where_the_task_could_not() -> None:
    told = outcomes.from_pods([trouble("Error"), trouble("OOMKilled", "")])
    assert told is not None and told["reason"] == "OOMKilled"
    assert outcomes.from_pods([trouble("Error")]) is None


def test_the_kernels_words_for_too_much_data_come_with_a_remedy() -> None:
    told = outcomes.from_pods([trouble("RunContainerError", 'exec: "python": argument list too long: unknown')])
    assert told is not None and told["permanent"]
    assert "128 KiB" in told["message"] and "argument list too long" in told["message"]
