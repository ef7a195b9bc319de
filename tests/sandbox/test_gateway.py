"""The gateway between real pods: how traffic is split, and that no change of it costs a request."""

from __future__ import annotations

import concurrent.futures as futures
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import gateway_lab
import kserve_lab as lab_module
import pytest
from gateway_lab import Caller, ask, connect, count
from kserve_lab import DEPLOYMENTS, ROUTES, SERVICES, Json, Lab, look

from sklearn_sandbox import lifecycle

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with gateway_lab.opened(tmp_path_factory.mktemp("gateway")) as opened:
        yield opened


def predictor(version: str, **fields: Any) -> Json:
    model = lab_module.model("any", version)
    labels = {"sklearn-operator.io/version": version}
    return {"name": version, "minReplicas": 1, "labels": labels, "model": model, **fields}


def apply(lab: Lab, name: str, stable: Json, *canary: tuple[int, Json]) -> None:
    body = lab_module.inference_service(name)
    body["spec"] = {
        "predictor": stable,
        "canary": [{"trafficPercent": share, "predictor": one} for share, one in canary],
    }
    lab.apply(SERVICES, body)


def in_force(lab: Lab, name: str, weights: dict[str, int]) -> bool:
    """The route says so, and the gateway has said that it knows."""
    route = lab.there(f"{ROUTES}/{name}")
    told = [one for parent in (route.get("status") or {}).get("parents") or [] for one in parent["conditions"]]
    known = {one["observedGeneration"] for one in told} == {route["metadata"]["generation"]}
    return known and lab.weights(name) == {f"{name}-{version}-predictor": weight for version, weight in weights.items()}


def url_of(lab: Lab, name: str) -> str:
    return str(lab.status(name, "Ready", "True")["status"]["url"])


def test_no_request_fails_from_the_first_canary_to_the_promotion(lab: Lab) -> None:
    v1, v2, v3 = predictor("v1"), predictor("v2"), predictor("v3")
    apply(lab, "ride", v1)
    url = url_of(lab, "ride")
    with Caller(url) as caller:
        for share in (10, 50, 25, 0, 100):
            apply(lab, "ride", v1, (share, v2))
            lab.until(lambda wanted={"v1": 100 - share, "v2": share}: in_force(lab, "ride", wanted))  # type: ignore[misc]
        apply(lab, "ride", v2)
        lab.until(lambda: in_force(lab, "ride", {"v2": 1}))
        lab.until(lambda: not lab.pods("ride", "v1"))
        # Rolled back at full weight: for a moment the route has nobody to send to.
        apply(lab, "ride", v2, (100, v3))
        lab.until(lambda: in_force(lab, "ride", {"v2": 0, "v3": 100}))
        apply(lab, "ride", v2)
        lab.until(lambda: in_force(lab, "ride", {"v2": 1}))
        lab.until(lambda: not lab.pods("ride", "v3"))
        # Promoted from a small share: the rest of the weight is on a Service that is gone.
        apply(lab, "ride", v2, (10, v3))
        lab.until(lambda: in_force(lab, "ride", {"v2": 90, "v3": 10}))
        apply(lab, "ride", v3)
        lab.until(lambda: in_force(lab, "ride", {"v3": 1}))
        lab.until(lambda: not lab.pods("ride", "v2"))
    assert caller.failures == []
    assert caller.heard.keys() == {"v1", "v2", "v3"}
    assert url_of(lab, "ride") == url


def test_the_split_is_exact(lab: Lab) -> None:
    v1, v2, v3 = predictor("v1"), predictor("v2"), predictor("v3")
    apply(lab, "split", v1, (10, v2))
    url = url_of(lab, "split")
    for shares in ({"v2": 10}, {"v2": 35}, {"v2": 20, "v3": 5}, {"v2": 100}):
        apply(lab, "split", v1, *((share, {"v2": v2, "v3": v3}[name]) for name, share in shares.items()))
        expected = {"v1": 100 - sum(shares.values()), **shares}
        lab.until(lambda wanted=expected: in_force(lab, "split", wanted))  # type: ignore[misc]
        assert count(url) == {name: share for name, share in expected.items() if share}


def test_a_canary_that_is_not_ready_gets_nothing(lab: Lab) -> None:
    never = predictor("v2")
    never["model"]["readinessProbe"] = {"httpGet": {"path": "/", "port": 9}, "periodSeconds": 1}
    apply(lab, "unready", predictor("v1"))
    url = url_of(lab, "unready")
    apply(lab, "unready", predictor("v1"), (50, never))
    lab.until(lambda: in_force(lab, "unready", {"v1": 100}))
    lab.until(lambda: lab.pods("unready", "v2"))
    assert look(lab.service("unready"), "CanaryPredictorReady") == "False"
    assert count(url) == {"v1": 100}


def test_a_request_under_way_outlives_its_predictor(lab: Lab) -> None:
    v1, v2 = predictor("v1"), predictor("v2")
    apply(lab, "late", v1, (100, v2))
    url = url_of(lab, "late")
    lab.until(lambda: in_force(lab, "late", {"v1": 0, "v2": 100}))
    with connect(url) as connection, futures.ThreadPoolExecutor() as pool:
        under_way = pool.submit(ask, connection, **{"X-Seconds": "3"})
        apply(lab, "late", v1)
        lab.until(lambda: lab.get(f"{DEPLOYMENTS}/late-v2-predictor") is None)
        lab.until(lambda: in_force(lab, "late", {"v1": 1}))
        assert count(url, 10) == {"v1": 10}
        assert under_way.result() == "v2"


def test_the_port_stays_across_restarts_of_the_gateway(lab: Lab) -> None:
    apply(lab, "steady", predictor("v1"))
    url = url_of(lab, "steady")
    before = lab.there(f"{ROUTES}/steady")["metadata"]["resourceVersion"]
    lifecycle.up(lab.cluster.state, only={"gateway"}, restart={"gateway"})
    assert count(url, 10) == {"v1": 10}
    assert lab.there(f"{ROUTES}/steady")["metadata"]["resourceVersion"] == before, "it writes nothing anew"
    ports = json.loads((lab.cluster.state / "gateway.json").read_text())
    assert ports["default/steady/http"] == urlsplit(url).port
    lab.delete(f"{SERVICES}/steady")
    lab.until(lambda: "default/steady/http" not in json.loads((lab.cluster.state / "gateway.json").read_text()))
