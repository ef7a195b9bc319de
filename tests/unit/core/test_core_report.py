"""The state table of the API reference, row by row, and that any situation makes a status that the CRD takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import observed, report, serving, trouble
from unit.core import builders

NOW = builders.NOW
GOOD = {
    "phase": "Succeeded",
    "metric": "accuracy=0.969",
    "metrics": {"accuracy": 0.96885},
    "artifact": {"uri": "s3://b/v1/", "sha256": "ab" * 32, "size": 1},
    "run": {"id": "r", "name": "n", "state": "SUCCEEDED", "attempt": 1, "finishedAt": "2026-01-01T11:00:00Z"},
}
FAILED = {"phase": "Failed", "failure": {"step": "train", "reason": "OneClass", "message": "only one class"}}


def good(number: int, **changes: Any) -> observed.Version:
    return builders.version(number, status=GOOD, **changes)


def failed(number: int) -> observed.Version:
    return builders.version(number, status=FAILED)


def busy(number: int, **changes: Any) -> observed.Version:
    return builders.version(number, "Running", **changes)


def situation(*known: observed.Version, **fields: Any) -> report.Situation:
    return report.Situation(**({"model": builders.model(), "known": known, "now": NOW} | fields))


def table(status: dict[str, Any]) -> tuple[str, str, str]:
    rows = {row["type"]: row["status"] for row in status["conditions"]}
    return rows["Ready"], rows["Reconciling"], rows["Stalled"]


V1, V2 = good(1), good(2)
MANUAL = {"trigger_type": "Manual"}


@pytest.mark.parametrize(
    "phase, ready_reconciling_stalled, what",
    [
        ("Pending", ("False", "True", "False"), situation()),
        ("Training", ("False", "True", "False"), situation(busy(1), wanted=busy(1))),
        ("Deploying", ("False", "True", "False"), situation(V1, wanted=V1, target=V1)),
        ("Ready", ("True", "False", "False"), situation(V1, wanted=V1, target=V1, answering="digits-v1")),
        ("Ready", ("True", "False", "False"), situation(V1, wanted=V1, target=V1, train_only=True)),
        # retraining in the background while the old version serves
        (
            "Training", ("True", "False", "False"),
            situation(V1, busy(2, **MANUAL), wanted=busy(2, **MANUAL), target=V1, answering="digits-v1"),
        ),
        (
            "Deploying", ("True", "False", "False"),
            situation(V1, good(2, **MANUAL), wanted=good(2, **MANUAL), target=good(2, **MANUAL), answering="digits-v1"),
        ),
        # the spec changed, the old version serves
        (
            "Training", ("True", "True", "False"),
            situation(V1, busy(2), wanted=busy(2), target=V1, answering="digits-v1"),
        ),
        ("Deploying", ("True", "True", "False"), situation(V1, V2, wanted=V2, target=V2, answering="digits-v1")),
        # the new version failed
        (
            "Degraded", ("True", "False", "True"),
            situation(V1, failed(2), wanted=failed(2), target=V1, answering="digits-v1"),
        ),
        ("Failed", ("False", "False", "True"), situation(failed(1), wanted=failed(1))),
        # an invalid spec
        ("Failed", ("False", "False", "True"), situation(problem=("Invalid", "spec.x: 1: no"))),
        (
            "Degraded", ("True", "False", "True"),
            situation(V1, target=V1, answering="digits-v1", problem=("NotImplemented", "spec.tuning: set: no")),
        ),
        # suspended: as it was
        (
            "Suspended", ("True", "False", "False"),
            situation(V1, wanted=V1, target=V1, answering="digits-v1", suspended=True),
        ),
        ("Suspended", ("False", "False", "False"), situation(suspended=True)),
    ],
)  # fmt: skip
def test_the_state_table(phase: str, ready_reconciling_stalled: tuple[str, str, str], what: report.Situation) -> None:
    status = report.status(what)
    assert (status["phase"], table(status)) == (phase, ready_reconciling_stalled)
    api.SklearnModelStatus.model_validate(status)


def test_ready_copies_the_reason_of_what_is_missing() -> None:
    rows = {row["type"]: row for row in report.status(situation(failed(1), wanted=failed(1)))["conditions"]}
    assert (rows["Ready"]["reason"], rows["Stalled"]["reason"]) == ("OneClass", "OneClass")
    assert "digits-v1 failed in step train: only one class" in rows["Ready"]["message"]


@pytest.mark.parametrize(
    ("run", "log"),
    [
        ({"id": "0a1b"}, "; its log: kubectl -n default logs -l pipeline/runid=0a1b"),
        ({"id": "0a1b", "url": "https://kfp/#/runs/details/0a1b"}, "; its log: https://kfp/#/runs/details/0a1b"),
        ({}, ""),
    ],
)
@pytest.mark.parametrize("length", [10, 2000])
def test_a_failure_says_where_its_log_is_however_long_it_is(length: int, run: dict[str, str], log: str) -> None:
    failure = {"step": "train", "reason": "FitFailed", "message": "x" * length}
    version = builders.version(1, status={"phase": "Failed", "failure": failure, "run": run})
    rows = {row["type"]: row for row in report.status(situation(version, wanted=version))["conditions"]}
    for kind in ("Trained", "Ready", "Stalled"):
        message = rows[kind]["message"]
        assert message.startswith("digits-v1 failed in step train: xxxxxxxxxx") and message.endswith(log)
        assert len(message.encode()) <= 1024


def test_what_is_shown_is_of_the_version_that_answers() -> None:
    status = report.status(situation(V1, busy(2), wanted=busy(2), target=V1, answering="digits-v1"))
    assert (status["servingVersion"], status["latestVersion"]) == ("digits-v1", "digits-v2")
    assert (status["metric"], status["metrics"]) == ("accuracy=0.969", {"accuracy": 0.96885})
    assert status["lastTrainedTime"] == "2026-01-01T11:00:00Z"
    assert "candidateVersion" not in status and "url" not in status
    rolling = report.status(situation(V1, V2, wanted=V2, target=V2, answering="digits-v1"))
    assert rolling["candidateVersion"] == "digits-v2"


def test_a_reason_of_a_pod_is_made_fit() -> None:
    verdict = serving.Verdict(trouble="pod p: exit code 137\nKilled", reason="exit code 137")
    status = report.status(situation(V1, wanted=V1, target=V1, verdict=verdict))
    rows = {row["type"]: row for row in status["conditions"]}
    assert (rows["Served"]["reason"], rows["Served"]["message"]) == ("ExitCode137", "pod p: exit code 137 Killed")
    api.SklearnModelStatus.model_validate(status)


def test_an_unchanged_situation_gives_an_unchanged_status() -> None:
    first = report.status(situation(V1, wanted=V1, target=V1, answering="digits-v1"))
    model = builders.model(status=first)
    later = NOW + timedelta(hours=1)
    again = situation(V1, model=model, now=later, wanted=V1, target=V1, answering="digits-v1")
    assert report.status(again) == first


# Trouble and deletion


def test_trouble_with_an_outside_system_is_told_and_does_not_count_up() -> None:
    settled = report.status(situation(V1, wanted=V1, target=V1, answering="digits-v1"))
    told = trouble.troubled(builders.model(status=settled), "Kubeflow Pipelines cannot be reached", NOW)
    assert table(told) == ("True", "True", "False")
    assert told["servingVersion"] == "digits-v1"
    assert trouble.troubled(builders.model(status=told), "Kubeflow Pipelines cannot be reached", NOW) == told
    fresh = trouble.troubled(builders.model(), "x" * 5000, NOW)
    assert table(fresh) == ("False", "True", "False") and fresh["phase"] == "Pending"
    assert all(len(row["message"].encode()) <= 1024 for row in fresh["conditions"])


def test_deletion_says_what_it_waits_for() -> None:
    told = trouble.deleting(builders.model(), "waiting for run r", NOW)
    assert table(told) == ("False", "True", "False")
    assert told["conditions"][0]["message"] == "waiting for run r"
    assert trouble.deleting(builders.model(status=told), "waiting for run r", NOW) == told


# Any situation

statuses = st.sampled_from([{}, {"phase": "Running"}, GOOD, FAILED, {"phase": "Canceled"}])
known_versions = st.lists(statuses, max_size=4).map(
    lambda rows: tuple(builders.version(number, status=row) for number, row in enumerate(rows, start=1))
)
wild = st.text(st.characters(exclude_categories=()), max_size=30)
verdicts = st.builds(serving.Verdict, trouble=st.none() | wild, reason=wild)


@given(known_versions, st.data(), st.booleans(), st.booleans(), st.none() | st.tuples(wild, wild), verdicts)
def test_any_situation_makes_a_status_that_the_api_server_takes(
    known: tuple[observed.Version, ...],
    data: st.DataObject,
    train_only: bool,
    suspended: bool,
    problem: tuple[str, str] | None,
    verdict: serving.Verdict,
) -> None:
    one = st.none() | st.sampled_from(known) if known else st.none()
    target, answering = data.draw(one), data.draw(one)
    status = report.status(
        situation(
            *known, wanted=data.draw(one), target=target, answering=answering.name if answering else None,
            train_only=train_only, suspended=suspended, problem=problem, verdict=verdict,
        )
    )  # fmt: skip
    api.SklearnModelStatus.model_validate(status)
    _, reconciling, stalled = table(status)
    assert not (reconciling == "True" and stalled == "True")
    assert {row["type"] for row in status["conditions"]} >= {"Ready", "Reconciling", "Stalled", "Valid", "Trained"}
