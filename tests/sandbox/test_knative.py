"""Knative mode with real pods: revisions, the split between them, zero and back.

What the tables say of KServe was read in its code (reconcilers/knative, PropagateStatus), nothing of it on a cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import gateway_lab
import kserve_lab
import pytest
from gateway_lab import Caller, count
from kserve_lab import DEPLOYMENTS, ROUTES, SERVICES, Json, Lab, look

pytestmark = pytest.mark.sandbox
KNATIVE = "/apis/serving.knative.dev/v1/namespaces/default"
MODE = "serving.kserve.io/deploymentMode"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_KNATIVE_IDLE_SECONDS", "2")
        with gateway_lab.opened(tmp_path_factory.mktemp("knative")) as opened:
            yield opened


def apply(lab: Lab, name: str, version: str, **predictor: Any) -> None:
    model = kserve_lab.model("any", version) | predictor.pop("model", {})
    body = kserve_lab.inference_service(name, version, model=model, **predictor)
    body["metadata"]["annotations"][MODE] = "Knative"
    lab.apply(SERVICES, body)


def component(lab: Lab, name: str) -> Json:
    found: Json = ((lab.service(name).get("status") or {}).get("components") or {}).get("predictor") or {}
    return found


def shares(lab: Lab, name: str) -> dict[str, int]:
    """Of the traffic that the status tells, by the number of the revision, which may be in it twice."""
    found: Counter[str] = Counter()
    for one in component(lab, name).get("traffic") or []:
        found[one["revisionName"][-1]] += one["percent"]
    return dict(found)


def rolled_out(lab: Lab, name: str, number: int, **expected: int) -> str:
    """The URL, once that revision is the latest, it is ready, and this is the split that the gateway goes by."""

    def settled() -> bool:
        found, wanted = component(lab, name), f"{name}-predictor-0000{number}"
        created, ready = found.get("latestCreatedRevision"), found.get("latestReadyRevision")
        split = {key.removeprefix("r"): share for key, share in expected.items()}
        return created == ready == wanted and shares(lab, name) == split and look(lab.service(name), "Ready") == "True"

    lab.until(settled)
    return str(lab.service(name)["status"]["url"])


def revisions(lab: Lab, name: str) -> list[str]:
    label = f"serving.knative.dev/service={name}-predictor"
    return [one["metadata"]["name"] for one in lab.items(f"{KNATIVE}/revisions?labelSelector={label}")]


def test_a_first_revision_and_the_whole_status(lab: Lab) -> None:
    apply(lab, "first", "v1")
    url = rolled_out(lab, "first", 1, r1=100)
    status = lab.service("first")["status"]
    (route,) = (one for one in lab.items(ROUTES) if one["metadata"]["name"] == "first-predictor")
    assert url == f"http://{route['metadata']['annotations']['sandbox.sklearn-operator.io/address']}"
    revision = "first-predictor-00001"
    assert status["address"] == {"url": url}
    assert status["components"]["predictor"] == {
        "url": url,
        "address": {"url": url},
        "latestCreatedRevision": revision,
        "latestReadyRevision": revision,
        "latestRolledoutRevision": revision,
        "traffic": [{"revisionName": revision, "latestRevision": True, "percent": 100}],
    }
    assert {one["type"]: (one["status"], one.get("severity")) for one in status["conditions"]} == {
        "IngressReady": ("True", None),
        "LatestDeploymentReady": ("True", "Info"),
        "PredictorConfigurationReady": ("True", "Info"),
        "PredictorReady": ("True", None),
        "PredictorRouteReady": ("True", "Info"),
        "Ready": ("True", None),
        "RoutesReady": ("True", "Info"),
        "Stopped": ("False", "Info"),
    }
    assert (status["deploymentMode"], status["observedGeneration"]) == ("Knative", 1)
    assert count(url, 10) == {"v1": 10}
    labels = {"serving.knative.dev/revision": revision, "sklearn-operator.io/version": "v1"}
    (pod,) = lab.pods("first", "v1")
    assert labels.items() <= pod["metadata"]["labels"].items()
    assert lab.there(f"{KNATIVE}/revisions/{revision}")["metadata"]["labels"]["sklearn-operator.io/version"] == "v1"
    assert lab.get(f"{DEPLOYMENTS}/{revision}-deployment")


def test_canary_promotion_and_rollback_lose_no_request(lab: Lab) -> None:
    """The share of a canary on the first deploy is ignored: there is nothing to share with."""
    apply(lab, "ride", "v1", canaryTrafficPercent=10)
    url = rolled_out(lab, "ride", 1, r1=100)
    with Caller(url) as caller:
        apply(lab, "ride", "v2", canaryTrafficPercent=10)
        rolled_out(lab, "ride", 2, r2=10, r1=90)
        assert component(lab, "ride")["latestRolledoutRevision"] == "ride-predictor-00001"
        assert [one.get("tag") for one in component(lab, "ride")["traffic"]] == [None, "prev"]
        apply(lab, "ride", "v2", canaryTrafficPercent=40)
        rolled_out(lab, "ride", 2, r2=40, r1=60)
        apply(lab, "ride", "v2", canaryTrafficPercent=0)
        rolled_out(lab, "ride", 2, r2=0, r1=100)
        apply(lab, "ride", "v2")
        rolled_out(lab, "ride", 2, r2=100)
        lab.until(lambda: component(lab, "ride")["latestRolledoutRevision"] == "ride-predictor-00002")
        assert component(lab, "ride")["previousRolledoutRevision"] == "ride-predictor-00001"
        assert revisions(lab, "ride") == ["ride-predictor-00001", "ride-predictor-00002"], "a share makes no revision"
        lab.until(lambda: not lab.pods("ride", "v1"))
        apply(lab, "ride", "v1")  # what was before is a new revision
        rolled_out(lab, "ride", 3, r3=100)
        lab.until(lambda: not lab.pods("ride", "v2"))
    assert caller.failures == []
    assert caller.heard.keys() == {"v1", "v2"}


def test_the_split_is_exact(lab: Lab) -> None:
    apply(lab, "split", "v1")
    rolled_out(lab, "split", 1, r1=100)
    apply(lab, "split", "v2", canaryTrafficPercent=25)
    assert count(rolled_out(lab, "split", 2, r2=25, r1=75)) == {"v1": 75, "v2": 25}


def test_a_revision_that_does_not_come_up_gets_no_traffic(lab: Lab) -> None:
    apply(lab, "broken", "v1")
    url = rolled_out(lab, "broken", 1, r1=100)
    apply(lab, "broken", "v2", model={"command": ["python", "-c", "raise SystemExit('no luck')"]})
    found = lab.status("broken", "PredictorReady", "False")
    assert look(found, "PredictorReady.reason") == "RevisionFailed"
    assert 'Revision "broken-predictor-00002" failed with message: Container' in look(found, "PredictorReady.message")
    assert look(found, "LatestDeploymentReady") == "False"
    assert look(found, "RoutesReady") == "True"
    assert component(lab, "broken")["latestCreatedRevision"] == "broken-predictor-00002"
    assert component(lab, "broken")["latestReadyRevision"] == "broken-predictor-00001"
    assert count(url, 10) == {"v1": 10}
    apply(lab, "broken", "v3")
    assert count(rolled_out(lab, "broken", 3, r3=100), 10) == {"v3": 10}


def test_to_zero_and_back_without_losing_a_request(lab: Lab) -> None:
    apply(lab, "sleepy", "v1", minReplicas=0)
    url = rolled_out(lab, "sleepy", 1, r1=100)
    for _ in range(2):
        lab.until(lambda: not lab.pods("sleepy"))
        revision = lab.until(lambda: no_traffic(lab, "sleepy-predictor-00001"))
        assert look(revision, "Ready") == "True"
        assert look(lab.service("sleepy"), "Ready") == "True"
        assert count(url, 20) == {"v1": 20}
    with Caller(url) as caller:  # who asks all the time keeps it awake
        uid = lab.pods("sleepy")[0]["metadata"]["uid"]
        lab.until(lambda: sum(caller.heard.values()) > 500)
        assert [one["metadata"]["uid"] for one in lab.pods("sleepy")] == [uid]
    assert caller.failures == []


def no_traffic(lab: Lab, name: str) -> Json | None:
    revision = lab.there(f"{KNATIVE}/revisions/{name}")
    return revision if look(revision, "Active.reason") == "NoTraffic" else None


def test_old_revisions_are_removed_but_for_a_few(lab: Lab) -> None:
    for number in range(1, 7):
        apply(lab, "many", "v1", annotations={"round": str(number)})
        rolled_out(lab, "many", number, **{f"r{number}": 100})
    expected = [f"many-predictor-0000{number}" for number in (3, 4, 5, 6)]
    lab.until(lambda: revisions(lab, "many") == expected)
    lab.until(lambda: len(lab.pods("many")) == 1)


def test_stop_and_delete_leave_nothing(lab: Lab) -> None:
    apply(lab, "gone", "v1")
    rolled_out(lab, "gone", 1, r1=100)
    lab.merge(f"{SERVICES}/gone", {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}})
    found = lab.status("gone", "Stopped", "True")
    assert "components" not in found["status"]
    lab.until(lambda: lab.get(f"{KNATIVE}/services/gone-predictor") is None)
    lab.until(lambda: not revisions(lab, "gone") and not lab.pods("gone"))
    lab.until(lambda: lab.get(f"{ROUTES}/gone-predictor") is None)
    lab.merge(f"{SERVICES}/gone", {"metadata": {"annotations": {"serving.kserve.io/stop": None}}})
    rolled_out(lab, "gone", 1, r1=100)
    lab.delete(f"{SERVICES}/gone")
    lab.until(lambda: not revisions(lab, "gone") and not lab.pods("gone"))
