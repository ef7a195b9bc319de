"""One trace for each version: what is in it, when, and that whoever tells it again tells the same."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sklearn_operator.core import observed, times, tracing, version_report
from unit.core import builders

NOW = builders.NOW
UID = "0a1b2c3d-1111-4222-8333-123456789abc"
MODEL = builders.model()
NEW = builders.version(uid=UID, created_at=NOW)
RUN = {"id": "run-1", "state": "RUNNING", "attempt": 1, "startedAt": times.text(NOW + timedelta(seconds=4))}
OVER = {**RUN, "state": "SUCCEEDED", "finishedAt": times.text(NOW + timedelta(seconds=60))}
GATES = [{"metric": "accuracy", "passed": True}, {"metric": "recall", "passed": True}]
SECRET = "a-word-of-somebody-else"


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def trained(version: observed.Version, status: dict[str, Any], seconds: int) -> dict[str, Any]:
    return version_report.trained(version, status, at(seconds))


def running() -> observed.Version:
    return replace(NEW, status=trained(NEW, {"phase": "Running", "run": RUN}, 5))


def ended(phase: str = "Succeeded", **changes: Any) -> observed.Version:
    """Recorded two seconds after the end of its run."""
    return replace(NEW, status=trained(running(), {"phase": phase, "run": OVER, **changes}, 62))


def serving(version: observed.Version, seconds: int = 75) -> observed.Version:
    return replace(version, status=version_report.served(version, at(seconds)))


def rolled_back(version: observed.Version, seconds: int = 90) -> observed.Version:
    mark = version_report.rolled_back(version, "hash", "RolloutTimedOut", SECRET, at(seconds))
    return replace(version, status=mark)


def told(before: observed.Version, after: observed.Version, model: observed.Model = MODEL) -> dict[str, tracing.Span]:
    return {span.name: span for span in tracing.news(model, before, after.status)}


def shown(span: tracing.Span) -> tuple[str, float, float, str | None]:
    """Name, beginning and end in seconds since the apply, and why it ended badly."""
    return span.name, (span.start - NOW).total_seconds(), (span.end - NOW).total_seconds(), span.error


def test_from_apply_to_ready_each_part_is_told_once_when_it_is_over() -> None:
    lives = [NEW, running(), ended(gates=GATES), serving(ended(gates=GATES))]
    turns = [tracing.news(MODEL, before, after.status) for before, after in itertools.pairwise(lives)]
    assert [[shown(span) for span in turn] for turn in turns] == [
        [("submit", 0, 4, None)],
        [("train", 4, 60, None), ("judge", 60, 62, None)],
        [("rollout", 62, 75, None), ("apply to ready", 0, 75, None)],
    ]
    found = [span for turn in turns for span in turn]
    assert tuple(found) == tracing.spans(MODEL, lives[-1])
    *parts, root = found
    assert {f"{span.trace:032x}" for span in found} == {hashlib.sha256(UID.encode()).hexdigest()[:32]}
    assert root.parent is None and {span.parent for span in parts} == {root.id}
    assert len({span.id for span in found}) == len(found)


def test_what_it_is_about_is_said_by_names_that_others_know_and_by_our_own() -> None:
    spans = {span.name: dict(span.attributes) for span in tracing.spans(MODEL, serving(ended(gates=GATES)))}
    common = {
        "k8s.namespace.name": "default",
        "sklearn_operator.model.name": "digits",
        "sklearn_operator.version.name": "digits-v1",
    }
    run = {"sklearn_operator.run.id": "run-1", "sklearn_operator.run.attempt": 1}
    ending = {"sklearn_operator.version.trigger": "SpecChange", "sklearn_operator.version.outcome": "Served"}
    assert spans == {
        "submit": common | run,
        "train": common | run,
        "judge": common | {"sklearn_operator.gates.passed": 2, "sklearn_operator.gates.failed": ()},
        "rollout": common,
        "apply to ready": common | ending,
    }


FAILURE = {"step": "train", "reason": "ScriptFailed", "message": SECRET}
BAD_GATES = [GATES[0], {"metric": "recall", "passed": False, "message": SECRET}]


@pytest.mark.parametrize(
    ("before", "after", "outcome", "reason", "seconds"),
    [
        (running(), ended("Failed", failure=FAILURE), "Failed", "ScriptFailed", 62),
        (running(), ended("Canceled", failure={**FAILURE, "reason": "Superseded"}), "Canceled", "Superseded", 62),
        (running(), ended("Rejected", gates=BAD_GATES), "Rejected", "Rejected", 62),
        (ended(), rolled_back(ended()), "RolledBack", "RolloutTimedOut", 90),
    ],
    ids=["failed", "canceled", "rejected by a gate", "rolled back"],
)
def test_a_bad_end_has_its_reason_and_nobodys_sentence(
    before: observed.Version, after: observed.Version, outcome: str, reason: str, seconds: int
) -> None:
    found = told(before, after)
    root = found["apply to ready"]
    assert shown(root) == ("apply to ready", 0, seconds, reason)
    assert root.attributes["sklearn_operator.version.outcome"] == outcome
    assert root.attributes["error.type"] == reason
    assert SECRET not in repr(found)
    bad = {span.name for span in found.values() if span.error} - {"apply to ready"}
    assert (
        bad == {"Failed": {"train"}, "Canceled": {"train"}, "Rejected": {"judge"}, "RolledBack": {"rollout"}}[outcome]
    )
    if outcome == "Rejected":
        assert found["judge"].attributes["sklearn_operator.gates.failed"] == ("recall",)
    if outcome == "Failed":
        assert found["train"].attributes["sklearn_operator.failure.step"] == "train"


def test_where_nothing_is_served_the_training_is_the_end() -> None:
    model = builders.model({name: part for name, part in builders.DIGITS.items() if name != "serving"})
    root = told(running(), ended(), model)["apply to ready"]
    assert shown(root) == ("apply to ready", 0, 62, None)
    assert root.attributes["sklearn_operator.version.outcome"] == "Trained"
    assert "apply to ready" not in told(running(), ended())


def test_the_time_for_which_a_person_was_waited_is_a_part_of_its_own() -> None:
    approved = replace(ended(), status=version_report.approved(ended(), at(3600)))
    assert [shown(span) for span in told(ended(), approved).values()] == [("approve", 62, 3600, None)]
    assert shown(told(approved, serving(approved, 3610))["rollout"]) == ("rollout", 3600, 3610, None)


def test_what_a_changed_gate_says_later_has_no_beginning_and_is_not_told() -> None:
    good = ended(gates=GATES)
    bad = replace(good, status={**good.status, "phase": "Rejected", "gates": BAD_GATES})
    assert told(good, bad) == {} == told(bad, good)
    assert told(ended(), good) == {}, "nor what the first gates say"
    assert set(told(good, serving(good))) == {"rollout", "apply to ready"}, "it comes to its end all the same"


def test_who_was_taken_back_and_comes_up_later_ends_well_under_the_same_ids() -> None:
    back = rolled_back(ended())
    later = serving(back, 300)
    first, last = told(ended(), back), told(back, later)
    assert shown(last["apply to ready"]) == ("apply to ready", 0, 300, None)
    assert first["apply to ready"].id == last["apply to ready"].id
    assert shown(last["rollout"]) == ("rollout", 90, 300, None) and last["rollout"].id != first["rollout"].id


def test_who_answered_once_has_nothing_more_to_tell() -> None:
    once = serving(ended())
    replaced = replace(once, status=version_report.replaced(once, "digits-v2 answers requests", at(500)))
    again = serving(replaced, 900)
    assert told(once, replaced) == told(replaced, again) == told(replaced, rolled_back(replaced, 950)) == {}


def test_a_second_attempt_was_not_submitted_when_the_version_was_made() -> None:
    second = ended(run={**OVER, "attempt": 2})
    spans = {span.name: span for span in tracing.spans(MODEL, second)}
    assert "submit" not in spans
    assert spans["train"].attributes["sklearn_operator.run.attempt"] == 2


def test_an_attempt_that_failed_is_told_when_the_next_one_is_recorded() -> None:
    following = {"id": "run-2", "state": "SUBMITTING", "attempt": 2, "submittedAt": times.text(at(50))}
    waiting = replace(NEW, status=trained(running(), {"phase": "Running", "run": following}, 50))
    (first,) = tracing.news(MODEL, running(), waiting.status)
    assert shown(first) == ("train", 4, 50, "RunFailed")
    assert first.attributes["sklearn_operator.run.attempt"] == 1
    second = told(waiting, ended(run={**OVER, "id": "run-2", "attempt": 2}))["train"]
    assert second.id != first.id and second.error is None


def test_clocks_that_differ_make_no_span_that_ends_before_it_begins() -> None:
    early = replace(NEW, created_at=at(10))
    span = next(iter(tracing.spans(MODEL, replace(early, status=running().status))))
    assert span.start == span.end == at(10)


def test_an_unfinished_version_tells_nothing_of_an_end() -> None:
    canceling = {"phase": "Running", "run": OVER, "failure": FAILURE}
    version = replace(NEW, status=trained(NEW, canceling, 5))
    assert [span.name for span in tracing.spans(MODEL, version)] == ["submit"]
    assert tracing.spans(MODEL, NEW) == ()


def step(known: dict[str, Any], weight: int = 10, **share: str) -> tuple[tracing.Span, ...]:
    status = {"candidateVersion": "digits-v1", "rollout": {"step": 1, "weight": weight, **share}}
    return tracing.steps(builders.model(status=known), NEW, status, at(70))


def test_a_step_of_a_rollout_is_the_moment_at_which_its_share_is_in_effect() -> None:
    until = {"nextStepAt": times.text(at(100))}
    (span,) = step({}, **until)
    assert shown(span) == ("rollout step", 70, 70, None)
    assert span.attributes["sklearn_operator.rollout.weight"] == 10
    assert span.attributes["sklearn_operator.rollout.next_step_at"] == until["nextStepAt"]
    reported = {"candidateVersion": "digits-v1", "rollout": {"step": 1, "weight": 10, **until}}
    assert step(reported, **until) == step({}) == ()
    (other,) = step(reported, 50, nextStepAt=times.text(at(200)))
    assert other.id != span.id and other.trace == span.trace and other.parent == span.parent
