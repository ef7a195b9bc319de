"""Revisions, targets and conditions, in tables."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sklearn_sandbox.knative import names, revisions, states, traffic

Json = dict[str, Any]
NOW, LATER = "2026-11-21T04:43:34Z", "2026-11-21T05:00:00Z"
LATEST: Json = {"latestRevision": True, "percent": 100}


def service(*targets: Json, least: int = 1) -> Json:
    annotations = {
        names.MIN_SCALE: str(least),
        "internal.serving.kserve.io/storage-initializer-sourceuri": "s3://m/v1/",
    }
    template = {
        "metadata": {"labels": {"sklearn-operator.io/version": "v1"}, "annotations": annotations},
        "spec": {"containers": [{"name": "kserve-container", "image": "i"}], "containerConcurrency": 2},
    }
    metadata = {"name": "digits-predictor", "namespace": "default", "uid": "u", "generation": 1}
    return {"metadata": metadata, "spec": {"template": template, "traffic": list(targets)}}


def revision(number: int = 1, least: int = 1) -> Json:
    built = revisions.build(service(least=least), number)
    built["metadata"]["uid"] = f"u-{number}"
    return built


def test_a_revision_is_numbered_and_has_the_templates_labels() -> None:
    found = revision(12)
    assert found["metadata"]["name"] == "digits-predictor-00012"
    assert found["metadata"]["labels"]["sklearn-operator.io/version"] == "v1"
    assert names.number(found) == 12


def test_the_digest_knows_the_template_and_not_the_order_of_its_fields() -> None:
    template = service()["spec"]["template"]
    turned = dict(reversed(template.items()))
    assert revisions.digest(template) == revisions.digest(turned)
    other = copy.deepcopy(template)
    other["metadata"]["labels"]["a"] = "b"
    assert revisions.digest(template) != revisions.digest(other)


def test_the_pods_are_found_by_their_revision() -> None:
    built = revisions.deployment(revision(), wanted=True)
    labels = built["spec"]["template"]["metadata"]["labels"]
    assert built["metadata"]["name"] == "digits-predictor-00001-deployment"
    assert labels["serving.knative.dev/revision"] == "digits-predictor-00001"
    assert labels["sklearn-operator.io/version"] == "v1"
    assert "containerConcurrency" not in built["spec"]["template"]["spec"]
    private = revisions.private(revision(), wanted=True)
    assert private["spec"]["selector"] == {"serving.knative.dev/revision": "digits-predictor-00001"}


@pytest.mark.parametrize(
    ("least", "wanted", "replicas", "sleeps"),
    [
        pytest.param(2, True, 2, False, id="its minimum"),
        pytest.param(2, False, 0, False, id="out of traffic"),
        pytest.param(0, True, None, True, id="for requests to say"),
        pytest.param(0, False, 0, False, id="out of traffic, and nobody wakes it"),
    ],
)
def test_how_many_pods(least: int, wanted: bool, replicas: int | None, sleeps: bool) -> None:
    found = revision(least=least)
    assert revisions.deployment(found, wanted=wanted)["spec"].get("replicas") == replicas
    assert (names.SCALES in revisions.private(found, wanted=wanted)["metadata"]["annotations"]) == sleeps


def test_targets_are_resolved_to_ready_revisions() -> None:
    targets = [LATEST | {"percent": 10}, {"revisionName": "r1", "percent": 90, "tag": "prev"}]
    found = traffic.resolve(service(*targets), "r2", ["r1", "r2"], ["r1", "r2"])
    assert found == [
        {"latestRevision": True, "percent": 10, "revisionName": "r2"},
        {"latestRevision": False, "percent": 90, "revisionName": "r1", "tag": "prev"},
    ]


@pytest.mark.parametrize(
    ("target", "ready", "known", "broken"),
    [
        pytest.param(LATEST, [], ["r1"], False, id="none is ready yet"),
        pytest.param({"revisionName": "r1", "percent": 100}, [], ["r1"], False, id="the named one is not"),
        pytest.param({"revisionName": "r0", "percent": 100}, ["r1"], ["r1"], True, id="the named one is gone"),
    ],
)
def test_a_target_without_a_ready_revision(target: Json, ready: list[str], known: list[str], broken: bool) -> None:
    with pytest.raises(traffic.Missing) as caught:
        traffic.resolve(service(target), ready[-1] if ready else None, ready, known)
    assert caught.value.broken == broken


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([("r2", 10), ("r1", 90)], {"r2-private": 10, "r1-private": 90}),
        ([("r2", 0), ("r1", 100)], {"r1-private": 100}),
        ([("r1", 20), ("r1", 80)], {"r1-private": 100}),
    ],
)
def test_the_route(shares: list[tuple[str, int]], expected: dict[str, int]) -> None:
    built = traffic.route(service(), [{"revisionName": name, "percent": share} for name, share in shares])
    assert {one["name"]: one["weight"] for one in built["spec"]["rules"][0]["backendRefs"]} == expected


def accepted(generation: int, status: str = "True") -> Json:
    told = {"type": "Accepted", "status": status, "observedGeneration": generation}
    return {"metadata": {"generation": 2}, "status": {"parents": [{"conditions": [told]}]}}


def test_a_route_is_in_force_once_the_gateway_has_said_so_of_this_generation() -> None:
    assert not traffic.in_force({"metadata": {"generation": 1}})
    assert not traffic.in_force(accepted(1))
    assert not traffic.in_force(accepted(2, "False"))
    assert traffic.in_force(accepted(2))


def deployment(available: int = 0, replicas: int = 1, **progressing: str) -> Json:
    told = [{"type": "Progressing", **progressing}] if progressing else []
    return {"spec": {"replicas": replicas}, "status": {"availableReplicas": available, "conditions": told}}


def was(status: str) -> Json:
    return {"conditions": [{"type": "Ready", "status": status}]}


def crashed(name: str = "kserve-container") -> Json:
    ended = {"terminated": {"exitCode": 3, "message": "boom"}}
    return {"status": {"containerStatuses": [{"name": name, "lastState": ended}]}}


@pytest.mark.parametrize(
    ("before", "found", "pods", "expected", "active"),
    [
        pytest.param({}, None, [], ("Unknown", "Deploying"), "Queued", id="nothing there yet"),
        pytest.param({}, deployment(), [], ("Unknown", "Deploying"), "Queued", id="on its way"),
        pytest.param({}, deployment(1), [], ("True", ""), "", id="up"),
        pytest.param(was("True"), deployment(0, 0), [], ("True", ""), "NoTraffic", id="at zero"),
        pytest.param(was("True"), deployment(0, 1), [crashed()], ("True", ""), "Queued", id="once up, ready for good"),
        pytest.param({}, deployment(), [crashed()], ("False", "ExitCode3"), "Queued", id="it ends"),
        pytest.param(was("False"), deployment(1), [crashed()], ("True", ""), "", id="it came up after all"),
        pytest.param({}, deployment(), [crashed("istio")], ("Unknown", "Deploying"), "Queued", id="somebody else ends"),
        pytest.param(
            {},
            deployment(status="False", reason="ProgressDeadlineExceeded", message="late"),
            [],
            ("False", "ProgressDeadlineExceeded"),
            "Queued",
            id="after ten minutes",
        ),
    ],
)
def test_a_revisions_state(
    before: Json, found: Json | None, pods: list[Json], expected: tuple[str, str], active: str
) -> None:
    told = states.of_revision(before, found, pods)
    assert (told["Ready"].status, told["Ready"].reason) == expected
    assert told["Active"].reason == active


@pytest.mark.parametrize(
    ("latest", "routes", "expected"),
    [
        ("True", states.TRUE, "True"),
        ("Unknown", states.TRUE, "Unknown"),
        ("False", states.TRUE, "False"),
        ("True", states.State("Unknown"), "Unknown"),
        ("True", states.State("False"), "False"),
    ],
)
def test_a_service_is_what_its_newest_revision_and_its_route_are(
    latest: str, routes: states.State, expected: str
) -> None:
    assert states.of_service({"metadata": {"name": "r"}, "status": was(latest)}, routes)["Ready"].status == expected


def test_a_condition_that_stays_what_it_is_keeps_its_time() -> None:
    first = states.conditions({"Ready": states.TRUE}, [], NOW)
    assert states.conditions({"Ready": states.TRUE}, first, LATER) == first
    assert states.conditions({"Ready": states.State("False", "Why")}, first, LATER)[0]["lastTransitionTime"] == LATER
