"""The HTTPRoute, in tables. What they say was read in KServe's code."""

from __future__ import annotations

import copy

import pytest
from kserve_things import Json, service

from sklearn_sandbox.kserve import canaries, routes, settings

STABLE, CANARY = "digits-v1-predictor", "digits-v2-predictor"


def given(*canary: tuple[str, int], **predictor: object) -> Json:
    isvc = service(name="v1", **predictor)
    if canary:
        isvc["spec"]["canary"] = [{"trafficPercent": share, "predictor": {"name": name}} for name, share in canary]
    return isvc


def shares(isvc: Json, *ready: str) -> dict[str, int]:
    reported = canaries.statuses(isvc["spec"], dict.fromkeys(ready, 1))
    found = routes.build(isvc, reported)["spec"]["rules"][0]["backendRefs"]
    return {backend["name"]: backend["weight"] for backend in found}


def test_without_canaries_there_is_one_backend() -> None:
    assert shares(given()) == {STABLE: 1}
    assert shares(service()) == {"digits-predictor": 1}


@pytest.mark.parametrize(
    ("canary", "ready", "expected"),
    [
        pytest.param([("v2", 10)], ["v2"], {STABLE: 90, CANARY: 10}, id="split"),
        pytest.param([("v2", 10)], [], {STABLE: 100}, id="not ready gets nothing"),
        pytest.param([("v2", 100)], ["v2"], {STABLE: 0, CANARY: 100}, id="all, stable stays in the list"),
        pytest.param([("v2", 0)], ["v2"], {STABLE: 100, CANARY: 0}, id="dark"),
        pytest.param([("v2", 10), ("v3", 20)], ["v2"], {STABLE: 90, CANARY: 10}, id="one of two"),
        pytest.param([("v2", 10)], ["v2", "old"], {STABLE: 90, CANARY: 10}, id="a stranger's readiness"),
    ],
)
def test_only_ready_canaries_have_a_weight(
    canary: list[tuple[str, int]], ready: list[str], expected: dict[str, int]
) -> None:
    assert shares(given(*canary), *ready) == expected


def test_it_belongs_to_its_inference_service_and_has_its_name() -> None:
    route = routes.build(given(), [])
    assert (route["metadata"]["name"], route["metadata"]["labels"]) == ("digits", {"team": "a"})
    assert "modelFormat" not in route["metadata"]["annotations"]
    (owner,) = route["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("InferenceService", "u-1", True)
    assert route["spec"]["hostnames"] == ["digits-default.example.com"]


def test_a_request_may_take_a_minute_or_what_the_predictor_says() -> None:
    assert routes.build(given(), [])["spec"]["rules"][0]["timeouts"] == {"request": "60s"}
    assert routes.build(given(timeout=5), [])["spec"]["rules"][0]["timeouts"] == {"request": "5s"}


def test_building_changes_nothing_that_was_given() -> None:
    isvc = given(("v2", 10))
    before = copy.deepcopy(isvc)
    routes.build(isvc, canaries.statuses(isvc["spec"], {"v2": 1}))
    assert isvc == before


def parents(*statuses: str) -> Json:
    told = [{"type": "Accepted", "status": one, "reason": "Why", "message": "so"} for one in statuses]
    return {"status": {"parents": [{"conditions": told}]}}


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (None, ("Predictor Deployment NotReady", "Predictor HTTPRoute not created")),
        ({}, ("ParentStatusNotAvailable", "InferenceService HttpRouteNotReady")),
        (parents("True", "False"), ("Why", "InferenceService so")),
        (parents("True"), None),
    ],
)
def test_the_ingress_is_ready_when_every_parent_took_the_route(
    route: Json | None, expected: tuple[str, str] | None
) -> None:
    assert routes.refusal(route) == expected


def test_the_settings_are_on_unless_said_otherwise() -> None:
    assert settings.load({}).gateway_api
    assert not settings.load({settings.GATEWAY_API: "off"}).gateway_api
    with pytest.raises(ValueError, match="must be on or off, not 'maybe'"):
        settings.load({settings.GATEWAY_API: "maybe"})
