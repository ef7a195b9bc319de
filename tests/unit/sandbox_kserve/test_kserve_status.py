"""The status, in tables. What they say was read in KServe's code and observed on its own controller."""

from __future__ import annotations

import pytest
from kserve_things import NOW, Json, deployment, pod

from sklearn_sandbox.kserve import conditions, status

URL = "http://digits-predictor-default.example.com"
AVAILABLE, UNAVAILABLE = ("Available", "True", "MinimumReplicasAvailable"), ("Available", "False", "TooFew")
DONE, ROLLING = ("Progressing", "True", "NewReplicaSetAvailable"), ("Progressing", "True", "ReplicaSetUpdated")
LATE, NO_PODS = ("Progressing", "False", "ProgressDeadlineExceeded"), ("ReplicaFailure", "True", "FailedCreate")


def known_as(**statuses: str) -> conditions.Conditions:
    known = conditions.Conditions([], NOW)
    known.start()
    for name, value in statuses.items():
        known.set(name, value)
    return known


@pytest.mark.parametrize(
    ("found", "ready", "reason"),
    [
        pytest.param([], "False", "", id="a Deployment that nobody looked at yet"),
        pytest.param([ROLLING], "Unknown", "ReplicaSetUpdated", id="progressing, availability unknown"),
        pytest.param([UNAVAILABLE, ROLLING], "False", "TooFew", id="first pods are not ready"),
        pytest.param([AVAILABLE, DONE], "True", "NewReplicaSetAvailable", id="rolled out"),
        pytest.param([AVAILABLE, ROLLING], "True", "MinimumReplicasAvailable", id="an update hides behind old pods"),
        pytest.param([AVAILABLE, LATE], "False", "ProgressDeadlineExceeded", id="after ten minutes it shows"),
        pytest.param([UNAVAILABLE, DONE], "False", "TooFew", id="pods got lost"),
        pytest.param([AVAILABLE, DONE, NO_PODS], "False", "FailedCreate", id="pods are refused"),
    ],
)
def test_predictor_ready_follows_the_deployment(found: list[tuple[str, str, str]], ready: str, reason: str) -> None:
    reported: Json = {}
    known = known_as(IngressReady="True")
    status.from_deployment(reported, known, deployment(*found, generation=7), URL)
    condition = known.get("PredictorReady") or {}
    assert (condition["status"], condition.get("reason", "")) == (ready, reason)
    assert reported["components"] == {"predictor": {"url": URL} if ready == "True" else {}}


def test_observed_generation_is_the_deployments() -> None:
    reported: Json = {}
    status.from_deployment(reported, known_as(), deployment(AVAILABLE, generation=42), URL)
    assert reported["observedGeneration"] == 42


def ended(code: int, reason: str = "Error", message: str = "boom") -> Json:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


LOOPING = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended(3)}


def initializer(**state: Json) -> Json:
    return {"initContainerStatuses": [{"name": "storage-initializer", **state}]}


def server(**state: Json) -> Json:
    return {"containerStatuses": [{"name": "kserve-container", **state}]}


@pytest.mark.parametrize(
    ("found", "ready", "target", "transition"),
    [
        pytest.param([], False, "Pending", "InProgress", id="no pod yet"),
        pytest.param([], True, "Pending", "InProgress", id="scaled to zero stays in progress for ever"),
        pytest.param([pod(**initializer(state={"running": {}}))], False, "Loading", "InProgress", id="downloading"),
        pytest.param([pod(**initializer(state=ended(1)))], False, "FailedToLoad", "BlockedByFailedLoad", id="no model"),
        pytest.param([pod(**initializer(**LOOPING))], False, "FailedToLoad", "BlockedByFailedLoad", id="again"),
        pytest.param([pod(**initializer(state=ended(1)))], True, "FailedToLoad", "BlockedByFailedLoad", id="update"),
        pytest.param([pod(**server(state=ended(3)))], False, "FailedToLoad", "BlockedByFailedLoad", id="server died"),
        pytest.param([pod(**server(**LOOPING))], False, "FailedToLoad", "BlockedByFailedLoad", id="server loops"),
        pytest.param([pod(**server(**LOOPING))], True, "Loaded", "UpToDate", id="Ready hides a broken update"),
        pytest.param([pod(**server(state=ended(137, "OOMKilled")))], False, "Pending", "InProgress", id="memory"),
        pytest.param(
            [pod(**server(state={"waiting": {"reason": "ImagePullBackOff"}}))],
            False,
            "Pending",
            "InProgress",
            id="image",
        ),
        pytest.param([pod(ready=True, **server(state={"running": {}}))], True, "Loaded", "UpToDate", id="serving"),
    ],
)
def test_model_status_by_the_newest_pod(found: list[Json], ready: bool, target: str, transition: str) -> None:
    reported: Json = {}
    known = known_as(IngressReady="True", PredictorReady=str(ready))
    assert status.from_pods(reported, known, found)
    assert reported["modelStatus"]["states"]["targetModelState"] == target
    assert reported["modelStatus"]["transitionStatus"] == transition


def test_only_ready_pods_are_copies() -> None:
    reported: Json = {}
    status.from_pods(reported, known_as(), [pod("a", ready=True), pod("b"), pod("c", ready=True)])
    assert reported["modelStatus"]["copies"] == {"failedCopies": 0, "totalCopies": 2}
    status.from_pods(reported, known_as(), [pod("b")])
    assert reported["modelStatus"]["copies"] == {"failedCopies": 0}


def test_a_failure_is_told_once_and_never_taken_back() -> None:
    reported: Json = {}
    status.from_pods(reported, known_as(), [pod(**initializer(state=ended(1, message="No model found")))])
    failure = {"reason": "ModelLoadFailed", "message": "No model found", "exitCode": 1}
    assert reported["modelStatus"]["lastFailureInfo"] == failure
    status.from_pods(reported, known_as(IngressReady="True", PredictorReady="True"), [pod(ready=True)])
    assert reported["modelStatus"]["transitionStatus"] == "UpToDate"
    assert reported["modelStatus"]["lastFailureInfo"] == failure


def test_a_download_that_failed_before_and_runs_again_says_nothing_yet() -> None:
    again = pod(**initializer(state={"running": {}}, lastState=ended(1)))
    assert not status.from_pods({}, known_as(), [again])


def test_the_newest_pod_is_first_and_names_break_ties() -> None:
    pods = [pod("b"), pod("old", created="2026-11-21T04:00:00Z"), pod("a")]
    assert [item["metadata"]["name"] for item in status.newest_first(pods)] == ["a", "b", "old"]


def test_the_addresses_are_the_sandboxs_and_it_is_not_ready_before_both_are_there() -> None:
    reported: Json = {}
    known = known_as(PredictorReady="True")
    status.addresses(reported, known, None, None)
    assert reported == {}
    assert known.status("Ready") == "Unknown"
    status.addresses(reported, known, "127.0.0.1:4711", None)
    assert (reported, known.status("Ready")) == ({"url": "http://127.0.0.1:4711"}, "Unknown")
    status.addresses(reported, known, "127.0.0.1:4711", "127.0.0.1:4712")
    assert reported == {"url": "http://127.0.0.1:4711", "address": {"url": "http://127.0.0.1:4712"}}
    assert known.status("Ready") == "True"
