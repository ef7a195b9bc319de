"""One step of an unfinished version: whatever is seen, exactly one thing follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import actions, attempts, naming, observed, settings, times
from unit.core import builders

NOW = builders.NOW
SETTINGS = settings.Settings()
RESULT = {
    "artifact": {"uri": "s3://models/default/digits/v1-00000001/", "sha256": "ab" * 32, "size": 1},
    "metrics": {"accuracy": 0.96885},
    "headline": "accuracy",
    "lineage": {"rows": 10},
}
FAILURE = {"step": "prepare", "reason": "TargetMissing", "message": "no such column", "permanent": True}


def context(**changes: Any) -> attempts.Context:
    return attempts.Context(builders.model(), SETTINGS, NOW, **changes)


def running(**run: Any) -> observed.Version:
    fields = {"id": naming.run_id(builders.version().uid, 1), "state": "RUNNING", "attempt": 1} | run
    return builders.version(status={"phase": "Running", "run": fields})


def advance(version: observed.Version, state: str | None = None, age: float = 60, **words: Any) -> attempts.Step:
    seen = {name: words.pop(name) for name in ("outcome", "troubles") if name in words}
    run = builders.run(version, state, age) if state else None
    return attempts.advance(version, observed.Attempt(run, **seen), context(**words))


def outcome(**fields: Any) -> observed.Outcome:
    return observed.Outcome(**fields)


def trouble(reason: str, message: str = "why", age: float = 60) -> observed.PodTrouble:
    return observed.PodTrouble("pod-1", reason, message, NOW - timedelta(seconds=age))


def test_a_task_cannot_make_us_serve_from_another_folder() -> None:
    elsewhere = RESULT | {"artifact": {**RESULT["artifact"], "uri": "s3://models/other/secret/v1-00000001/"}}  # type: ignore[dict-item]
    version = running()
    step = advance(version, "SUCCEEDED", outcome=outcome(result=elsewhere))
    assert step.status is not None
    assert step.status["artifact"]["uri"] == naming.artifact_uri(
        SETTINGS.store_uri, "default", "digits", version.number, version.uid, 1
    )


# Nothing is submitted twice


def test_what_this_process_recorded_is_submitted_at_once() -> None:
    version = builders.version(created_at=NOW)
    step = advance(version, unsubmitted=frozenset({(version.uid, 1)}))
    assert step.actions == (actions.SubmitRun("digits-v1", 1),)


def test_what_another_process_may_have_submitted_is_waited_for() -> None:
    version = builders.version(created_at=NOW - timedelta(seconds=10))
    step = advance(version)
    assert (step.actions, step.look_again) == ((), SETTINGS.submit_pause - timedelta(seconds=10))


def test_the_pause_counts_from_the_last_submission() -> None:
    assert not advance(builders.version(), last_sent=NOW - timedelta(seconds=5)).actions
    assert advance(builders.version(), last_sent=NOW - timedelta(seconds=61)).actions


def test_a_submission_of_a_later_attempt_counts_from_its_own_record() -> None:
    fresh = {"state": "SUBMITTING", "attempt": 2, "submittedAt": times.text(NOW - timedelta(seconds=5))}
    version = builders.version(status={"phase": "Running", "run": fresh})
    assert not advance(version).actions
    old = fresh | {"submittedAt": times.text(NOW - timedelta(seconds=61))}
    assert advance(replace(version, status={"phase": "Running", "run": old})).actions == (
        actions.SubmitRun("digits-v1", 2),
    )


def test_suspended_nothing_is_submitted() -> None:
    assert advance(builders.version(), suspended=True) == attempts.Step()


def test_a_recorded_run_that_vanished_fails_its_version() -> None:
    step = advance(running())
    assert step.status is not None
    assert step.status["failure"]["reason"] == "RunVanished"
    assert naming.ANNOTATION_RETRAIN in step.status["failure"]["message"]


# A run in progress


@pytest.mark.parametrize("age, interval", [(1, 1), (20, 2), (100, 10), (3000, 15)])
def test_a_young_run_is_looked_at_often(age: float, interval: float) -> None:
    assert advance(running(), "RUNNING", age).look_again == timedelta(seconds=interval)


def test_a_run_is_recorded_when_it_is_first_seen() -> None:
    step = advance(builders.version(), "PENDING", 1)
    assert step.status is not None and step.status["phase"] == "Running"
    assert step.status["run"]["state"] == "PENDING"


def test_the_timeout_is_the_manifests() -> None:
    assert not advance(running(), "RUNNING", 3599).actions
    step = advance(running(), "RUNNING", 3601)
    assert [type(action) for action in step.actions] == [actions.TerminateRun]
    assert step.status is not None and step.status["failure"]["reason"] == "TimedOut"
    assert "spec.training.timeout (1h)" in step.status["failure"]["message"]


@pytest.mark.parametrize("reason, age, hopeless", [
    ("CreateContainerConfigError", 60, True),
    ("CreateContainerConfigError", 1, False),
    ("InvalidImageName", 60, True),
    ("ImagePullBackOff", 60, False),
    ("ContainerCreating", 60, False),
])  # fmt: skip
def test_a_pod_that_needs_a_person_ends_the_run(reason: str, age: float, hopeless: bool) -> None:
    step = advance(running(), "RUNNING", troubles=(trouble(reason, 'secret "x" not found', age),))
    assert bool(step.actions) == hopeless
    if hopeless:
        assert step.status is not None and step.status["failure"]["reason"] == reason
        assert 'secret "x" not found' in step.status["failure"]["message"]


# Ends


def test_success_needs_the_result() -> None:
    step = advance(running(), "SUCCEEDED", outcome=outcome(result=RESULT))
    assert step.status is not None
    assert (step.status["phase"], step.status["metric"]) == ("Succeeded", "accuracy=0.969")
    assert step.status["metrics"] == {"accuracy": 0.96885}
    waiting = advance(running(), "SUCCEEDED", outcome=outcome())
    assert waiting.look_again == timedelta(seconds=1)
    wrong = advance(running(), "SUCCEEDED", outcome=outcome(invalid="its result.json is not valid"))
    assert wrong.status is not None and wrong.status["failure"]["reason"] == "ResultMissing"


@pytest.mark.parametrize("seen, reason", [
    ({"outcome": outcome(failure=FAILURE)}, "TargetMissing"),
    ({"outcome": outcome(), "troubles": (trouble("OOMKilled"),)}, "OOMKilled"),
    ({"outcome": outcome(), "troubles": (trouble("Error"),)}, "RunFailed"),
    ({"outcome": outcome(failure=FAILURE), "troubles": (trouble("OOMKilled"),)}, "TargetMissing"),
    ({}, "RunFailed"),
])  # fmt: skip
def test_the_reason_of_a_failure(seen: dict[str, Any], reason: str) -> None:
    step = advance(running(), "FAILED", **seen)
    assert step.status is not None
    assert (step.status["phase"], step.status["failure"]["reason"]) == ("Failed", reason)
    assert set(step.status["failure"]) == {"step", "reason", "message"}


def test_data_too_large_for_the_environment_is_told_with_the_remedy_and_not_tried_again() -> None:
    """Linux: one environment variable holds 128 KiB."""
    message = "failed to start containerd task: exec: Argument list too long"
    version = replace(running(), training={"training": {"attempts": 3}})
    step = advance(version, "FAILED", outcome=outcome(), troubles=(trouble("StartError", message),))
    assert step.status is not None and step.status["phase"] == "Failed"
    assert step.status["failure"]["reason"] == "StartError"
    told = step.status["failure"]["message"]
    assert "spec.data.source.configMap is more than the 128 KiB" in told and "spec.data.source.uri" in told


def test_a_pod_that_waits_for_its_environment_to_shrink_is_not_waited_for() -> None:
    message = 'failed to start container "main": exec: "sh": argument list too long'
    step = advance(running(), "RUNNING", troubles=(trouble("RunContainerError", message),))
    assert [type(action) for action in step.actions] == [actions.TerminateRun]
    assert step.status is not None and "128 KiB" in step.status["failure"]["message"]


def test_a_failure_that_may_pass_has_further_attempts_in_folders_of_their_own() -> None:
    version = replace(running(), training={"training": {"attempts": 2}})
    step = advance(version, "FAILED", outcome=outcome(failure=FAILURE | {"permanent": False}))
    assert step.status is not None
    assert (step.status["run"]["attempt"], step.status["run"]["state"]) == (2, "SUBMITTING")
    assert step.status["run"]["id"] == naming.run_id(version.uid, 2)
    permanent = advance(version, "FAILED", outcome=outcome(failure=FAILURE))
    assert permanent.status is not None and permanent.status["phase"] == "Failed"


# Cancellation


def test_a_superseded_run_is_recorded_as_such_before_it_is_stopped() -> None:
    step = advance(running(), "RUNNING", superseded=True)
    assert step.status is not None and step.status["failure"]["reason"] == "Superseded"
    assert [type(action) for action in step.actions] == [actions.TerminateRun]
    after = replace(running(), status=step.status)
    ended = advance(after, "FAILED")
    assert ended.status is not None and ended.status["phase"] == "Canceled"


def test_an_absent_run_of_a_superseded_version_may_still_surface() -> None:
    young = builders.version(created_at=NOW - timedelta(seconds=10))
    step = advance(young, superseded=True)
    assert step.look_again == timedelta(seconds=50) and step.status is not None and step.status["phase"] == "Pending"
    own = advance(young, superseded=True, unsubmitted=frozenset({(young.uid, 1)}))
    assert own.status is not None and own.status["phase"] == "Canceled"


def test_a_refusal_of_the_pipeline_server_is_told_shortened() -> None:
    status = attempts.refused(builders.version(), "x" * 5000, builders.NOW)
    assert status["failure"]["reason"] == "RunRefused" and len(status["failure"]["message"].encode()) <= 1024


# Whatever is seen

states = st.none() | st.sampled_from([str(state) for state in observed.RunState])
words = st.text(st.characters(exclude_categories=()), max_size=12)
outcomes_seen = st.none() | st.sampled_from(
    [outcome(), outcome(result=RESULT), outcome(failure=FAILURE), outcome(invalid="bad")]
)
troubles_seen = st.lists(
    st.builds(trouble, words | st.sampled_from(["OOMKilled", "InvalidImageName"]), words), max_size=2
).map(tuple)


@given(st.booleans(), states, st.integers(0, 5000), outcomes_seen, troubles_seen, st.booleans(), st.booleans())
def test_a_step_never_both_starts_and_stops_and_its_status_fits(
    recorded: bool, state: str | None, age: int, result: Any, troubles: Any, superseded: bool, suspended: bool
) -> None:
    version = running() if recorded else builders.version()
    step = advance(version, state, age, outcome=result, troubles=troubles, superseded=superseded, suspended=suspended)
    kinds = {type(action) for action in step.actions}
    assert len(kinds) <= 1
    if actions.SubmitRun in kinds:
        assert state is None and not recorded and not suspended and not superseded
    if step.status is not None:
        api.VersionStatus.model_validate(step.status)
        failure = step.status.get("failure")
        assert failure is None or (failure["message"].isprintable() and failure["reason"].isascii())
    finished = step.status is not None and replace(version, status=step.status).finished
    waits_for_a_person = suspended and state is None
    assert finished or step.look_again is not None or waits_for_a_person
