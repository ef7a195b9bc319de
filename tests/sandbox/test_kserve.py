"""The KServe stand-in on a real control plane, pods played by hand.

The tables replay what the real controller of KServe (between 0.20 and 0.21, Standard mode) was observed to do on a real
API server; where a test is about that, its docstring says so.
"""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import kserve_lab as lab_module
import obstore
import pytest
from kserve_lab import AUTOSCALERS, CLUSTER_RUNTIMES, CORE, DEPLOYMENTS, ROUTES, SERVICES, Json, Lab, look
from obstore.store import S3Store

from sklearn_sandbox import embedded, lifecycle, services, state
from sklearn_sandbox.kserve import settings

pytestmark = pytest.mark.sandbox
STOP = "serving.kserve.io/stop"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    parts = ("kube-controller-manager", "kserve", "minio")
    with embedded.cluster(tmp_path_factory.mktemp("kserve"), only=parts) as running:
        yield running


@pytest.fixture(scope="module")
def shared(cluster: embedded.Cluster) -> Iterator[Lab]:
    with lab_module.connect(cluster) as http:
        lab = Lab(cluster, http)
        lab.until(lambda: lab.get(f"{CORE}/serviceaccounts/default"))
        lab.until(lambda: lab.get(f"{CORE}/secrets/sklearn-operator-store"))
        yield lab


@pytest.fixture
def lab(shared: Lab) -> Iterator[Lab]:
    shared.apply(CLUSTER_RUNTIMES, lab_module.runtime())
    yield shared
    faults(shared, status=None)
    for service in shared.items(SERVICES):
        shared.delete(f"{SERVICES}/{service['metadata']['name']}")
    shared.until(lambda: not shared.items(SERVICES))
    shared.until(lambda: not shared.items(DEPLOYMENTS))


def faults(lab: Lab, **asked: Any) -> None:
    sandbox = state.load(lab.cluster.state)  # a restart may have moved the port
    url = f"https://127.0.0.1:{sandbox.ports['kserve']}/sandbox/faults"
    context = ssl.create_default_context(cafile=str(sandbox.authority.certificate))
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.post(url, json=asked).is_success


def refused(lab: Lab, body: Json) -> str:
    answer = lab.send(
        "PATCH", f"{SERVICES}/{body['metadata']['name']}?fieldManager=lab", body, "application/apply-patch+yaml"
    )
    assert not answer.is_success
    return str(answer.json()["message"])


def test_create_with_pods_that_become_ready(lab: Lab) -> None:
    """Observed on KServe's own controller, but for url and address, which are the sandbox's on purpose."""
    found = lab.ready("digits")
    status = lab.status("digits", "PredictorReady.reason", "NewReplicaSetAvailable")["status"]
    times = [condition.pop("lastTransitionTime") for condition in status["conditions"]]
    assert all(time.endswith("Z") for time in times)
    replica_set = lab.items("/apis/apps/v1/namespaces/default/replicasets")[0]["metadata"]["name"]
    assert status == {
        "address": {"url": f"http://{lab_module.ADDRESS}"},
        "url": f"http://{lab_module.OUTSIDE}",
        "clusterServingRuntimeName": "lab",
        "deploymentMode": "Standard",
        "components": {"predictor": {"url": "http://digits-predictor-default.example.com"}},
        "conditions": [
            {"type": "IngressReady", "status": "True"},
            {
                "type": "PredictorReady",
                "status": "True",
                "reason": "NewReplicaSetAvailable",
                "message": f'ReplicaSet "{replica_set}" has successfully progressed.',
            },
            {"type": "Ready", "status": "True"},
            {"type": "Stopped", "status": "False", "severity": "Info"},
        ],
        "modelStatus": {
            "copies": {"failedCopies": 0, "totalCopies": 1},
            "states": {"activeModelState": "Loaded", "targetModelState": "Loaded"},
            "transitionStatus": "UpToDate",
        },
        "observedGeneration": 1,
    }
    assert found["metadata"]["finalizers"] == ["inferenceservice.finalizers"]
    assert lab.events("digits", "InferenceServiceReady")


def test_applying_the_same_again_changes_nothing(lab: Lab) -> None:
    """Observed on KServe's own webhooks: annotation, name and resources are added, and a second apply is no write."""
    lab.apply(SERVICES, lab_module.inference_service("twice"))
    first = lab.status("twice", "Stopped", "False")
    lab.until(lambda: settled(lab, "twice"))
    before = lab.service("twice")
    again = lab.apply(SERVICES, lab_module.inference_service("twice"))
    assert again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert first["metadata"]["annotations"]["modelFormat"] == "sklearn"
    added = first["spec"]["predictor"]["model"]
    assert (added["name"], added["resources"]) == ("", {})


def settled(lab: Lab, name: str) -> bool:
    """The status speaks of the Deployment as it is."""
    status = (lab.get(f"{DEPLOYMENTS}/{name}-predictor") or {}).get("status") or {}
    found = {item["type"]: item["reason"] for item in status.get("conditions") or []}
    return bool(look(lab.service(name), "PredictorReady.reason") == found.get("Available", "?"))


def test_create_with_pods_that_are_not_ready(lab: Lab) -> None:
    """Observed on KServe's own controller, but for Ready's words: with Gateway API the missing route has the last."""
    lab.apply(SERVICES, lab_module.inference_service("slow"))
    status = lab.status("slow", "PredictorReady.reason", "MinimumReplicasUnavailable")["status"]
    assert look({"status": status}, "Ready") == "False"
    assert look({"status": status}, "IngressReady.reason") == "Predictor Deployment NotReady"
    assert look({"status": status}, "Ready.reason") == "Predictor Deployment NotReady"
    assert status["modelStatus"] == {
        "copies": {"failedCopies": 0},
        "states": {"activeModelState": "", "targetModelState": "Pending"},
        "transitionStatus": "InProgress",
    }
    assert status["components"] == {"predictor": {}}
    assert "url" not in status
    assert lab.get(f"{ROUTES}/slow") is None


def test_a_download_that_fails_blocks(lab: Lab) -> None:
    """Observed on KServe's own controller; the message is the container's termination message."""
    lab.apply(SERVICES, lab_module.inference_service("nomodel"))
    (pod,) = lab.until(lambda: lab.pods("nomodel"))
    lab.set_pod(pod, **lab_module.failed_download("No model found in nomodel/v1/."))
    found = lab.status("nomodel", "modelStatus.transitionStatus", "BlockedByFailedLoad")
    assert look(found, "modelStatus.states.targetModelState") == "FailedToLoad"
    assert look(found, "modelStatus.lastFailureInfo") == {
        "exitCode": 1,
        "message": "No model found in nomodel/v1/.",
        "reason": "ModelLoadFailed",
    }


def test_an_update_whose_pods_never_get_ready_still_looks_ready(lab: Lab) -> None:
    """Observed on KServe's own controller: the trap of Standard mode. Only the Deployment tells the truth."""
    lab.ready("stuck")
    lab.apply(SERVICES, lab_module.inference_service("stuck", "v2"))
    lab.until(lambda: lab.pods("stuck", "v2"))
    found = lab.status("stuck", "observedGeneration", 2)
    assert found["metadata"]["generation"] == 2
    assert look(found, "PredictorReady.reason") == "MinimumReplicasAvailable"
    assert look(found, "Ready") == "True"
    assert look(found, "modelStatus.transitionStatus") == "UpToDate"
    assert look(found, "modelStatus.states") == {"activeModelState": "Loaded", "targetModelState": "Loaded"}
    assert lab.until(lambda: lab.deployment("stuck")["status"].get("unavailableReplicas") == 1)
    labels = lab.deployment("stuck")["spec"]["template"]["metadata"]["labels"]
    assert labels["sklearn-operator.io/version"] == "v2"
    assert len(lab.pods("stuck", "v1")) == 1, "the old pod serves on"


def test_a_failed_download_shows_on_an_update_though_ready(lab: Lab) -> None:
    """Read in KServe's code: the init container's failure is the one thing that Ready does not hide."""
    lab.ready("blocked")
    (old,) = lab.pods("blocked")
    # The newest pod is found by its creation time, and that has whole seconds.
    lab.until(lambda: f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}" > old["metadata"]["creationTimestamp"])
    lab.apply(SERVICES, lab_module.inference_service("blocked", "v2"))
    (pod,) = lab.until(lambda: lab.pods("blocked", "v2"))
    lab.set_pod(pod, **lab_module.failed_download("gone"))
    found = lab.status("blocked", "modelStatus.transitionStatus", "BlockedByFailedLoad")
    assert look(found, "Ready") == "True"


def test_an_update_that_succeeds(lab: Lab) -> None:
    lab.ready("fine")
    lab.apply(SERVICES, lab_module.inference_service("fine", "v2"))
    lab.until(lambda: lab.pods("fine", "v2") and not lab.pods("fine", "v1"), lambda: lab.play_ready("fine"))
    lab.status("fine", "PredictorReady.reason", "NewReplicaSetAvailable")


def test_any_annotation_rolls_the_pods_and_generations_part(lab: Lab) -> None:
    """Observed on KServe's own controller: observedGeneration is the Deployment's and runs ahead."""
    lab.ready("notes")
    lab.merge(f"{SERVICES}/notes", {"metadata": {"annotations": {"foo": "bar"}}})
    found = lab.status("notes", "observedGeneration", 2)
    assert found["metadata"]["generation"] == 1
    assert lab.deployment("notes")["spec"]["template"]["metadata"]["annotations"]["foo"] == "bar"


def test_a_share_of_traffic_is_accepted_and_ignored(lab: Lab) -> None:
    """Observed on KServe's own controller: in Standard mode canaryTrafficPercent is a full roll-out."""
    lab.ready("share")
    lab.apply(SERVICES, lab_module.inference_service("share", "v2", canaryTrafficPercent=10))
    lab.until(lambda: lab.pods("share", "v2") and not lab.pods("share", "v1"), lambda: lab.play_ready("share"))
    assert [item["metadata"]["name"] for item in lab.items(DEPLOYMENTS)] == ["share-predictor"]


def test_stop_takes_all_away_and_start_brings_it_back(lab: Lab) -> None:
    """Observed on KServe's own controller; of the route and IngressReady read in its code."""
    lab.ready("pause")
    lab.merge(f"{SERVICES}/pause", {"metadata": {"annotations": {STOP: "true"}}})
    status = lab.status("pause", "Stopped", "True")["status"]
    assert {item["type"]: (item["status"], item.get("reason")) for item in status["conditions"]} == {
        "IngressReady": ("False", "Stopped"),
        "PredictorReady": ("False", "Stopped"),
        "Ready": ("False", "Stopped"),
        "Stopped": ("True", None),
    }
    assert status["modelStatus"] == {"transitionStatus": ""}
    assert not {"url", "address", "components", "observedGeneration"} & set(status)
    for path in (f"{DEPLOYMENTS}/", f"{CORE}/services/", f"{AUTOSCALERS}/"):
        lab.until(lambda where=path: lab.get(f"{where}pause-predictor") is None)  # type: ignore[misc]
    lab.until(lambda: lab.get(f"{ROUTES}/pause") is None)
    lab.merge(f"{SERVICES}/pause", {"metadata": {"annotations": {STOP: None}}})
    lab.status("pause", "modelStatus.transitionStatus", "UpToDate", lambda: lab.play_ready("pause"))
    assert look(lab.service("pause"), "Stopped") == "False"


def test_delete_leaves_nothing(lab: Lab) -> None:
    """Observed on KServe's own controller: the finalizer does not linger, the children go by their owner."""
    lab.ready("away")
    lab.delete(f"{SERVICES}/away")
    lab.until(lambda: lab.get(f"{SERVICES}/away") is None)
    for path in (f"{DEPLOYMENTS}/", f"{CORE}/services/", f"{AUTOSCALERS}/"):
        lab.until(lambda where=path: lab.get(f"{where}away-predictor") is None)  # type: ignore[misc]
    lab.until(lambda: not lab.pods("away"))
    lab.until(lambda: lab.get(f"{ROUTES}/away") is None)


def test_canaries_make_objects_and_a_split_of_the_traffic(lab: Lab) -> None:
    """The objects and the status were observed on KServe's own controller, the weights read in its code."""
    lab.ready("bird")
    assert lab.weights("bird") == {"bird-predictor": 1}
    body = lab_module.inference_service("bird")
    canary = {"name": "v3", "labels": {"sklearn-operator.io/version": "v3"}, "model": lab_module.model("bird", "v3")}
    body["spec"]["canary"] = [{"trafficPercent": 10, "predictor": {**canary, "maxReplicas": 2}}]
    assert 'canary "v3" must not set maxReplicas (canary uses fixed replicas)' in refused(lab, body)
    body["spec"]["canary"] = [{"trafficPercent": 10, "predictor": canary}]
    lab.apply(SERVICES, body)
    lab.status("bird", "CanaryPredictorReady", "False")
    lab.until(lambda: lab.weights("bird") == {"bird-predictor": 100})
    found = lab.status("bird", "CanaryPredictorReady", "True", lambda: lab.play_ready("bird"))
    assert look(found, "CanaryPredictorReady.reason") == "AllCanariesReady"
    assert look(found, "CanaryPredictorReady.severity") == "Info"
    assert found["status"]["canaryStatuses"] == [
        {"name": "v3", "ready": True, "trafficPercent": 10, "modelStatus": {"transitionStatus": ""}}
    ]
    assert look(found, "observedGeneration") == 1
    assert lab.get(f"{CORE}/services/bird-v3-predictor") and lab.get(f"{AUTOSCALERS}/bird-v3-predictor")
    assert lab.weights("bird") == {"bird-predictor": 90, "bird-v3-predictor": 10}
    assert found["status"]["url"] == f"http://{lab_module.OUTSIDE}"
    del body["spec"]["canary"]
    lab.apply(SERVICES, body)
    lab.until(lambda: lab.get(f"{DEPLOYMENTS}/bird-v3-predictor") is None)
    assert "canaryStatuses" not in lab.status("bird", "CanaryPredictorReady", None)["status"]
    lab.until(lambda: lab.weights("bird") == {"bird-predictor": 1})


def test_a_promotion_adopts_the_canary(lab: Lab) -> None:
    """Read in KServe's code: no new Deployment, no new pod, the old predictor goes, the URL stays."""
    body = lab_module.inference_service("hen", name="v1")
    lab.apply(SERVICES, body)
    lab.status("hen", "Ready", "True", lambda: lab.play_ready("hen"))
    canary = {"name": "v2", "labels": {"sklearn-operator.io/version": "v2"}, "model": lab_module.model("hen", "v2")}
    body["spec"]["canary"] = [{"trafficPercent": 100, "predictor": canary}]
    lab.apply(SERVICES, body)
    lab.status("hen", "CanaryPredictorReady", "True", lambda: lab.play_ready("hen"))
    lab.until(lambda: lab.weights("hen") == {"hen-v1-predictor": 0, "hen-v2-predictor": 100})
    (pod,) = lab.pods("hen", "v2")
    promoted = lab_module.inference_service("hen", "v2", name="v2")
    lab.apply(SERVICES, promoted)
    lab.until(lambda: lab.weights("hen") == {"hen-v2-predictor": 1})
    assert lab.get(f"{DEPLOYMENTS}/hen-v1-predictor") is None
    assert lab.get(f"{CORE}/services/hen-v1-predictor") is None
    found = lab.status("hen", "CanaryPredictorReady", None)
    assert look(found, "Ready") == "True"
    assert found["status"]["url"] == f"http://{lab_module.OUTSIDE}"
    assert [one["metadata"]["uid"] for one in lab.pods("hen", "v2")] == [pod["metadata"]["uid"]]


def test_a_route_that_no_gateway_takes_is_not_ready(lab: Lab) -> None:
    """Read in KServe's code."""
    lab.apply(SERVICES, lab_module.inference_service("alone"))

    def pods_only() -> None:
        if lab.get(f"{CORE}/services/alone-predictor"):
            lab.note(f"{CORE}/services/alone-predictor", lab_module.ADDRESS)
        for pod in lab.pods("alone"):
            lab.set_pod(pod, phase="Running", conditions=[{"type": "Ready", "status": "True"}], **lab_module.running())

    found = lab.status("alone", "IngressReady.reason", "ParentStatusNotAvailable", pods_only)
    assert look(found, "Ready") == "False"
    lab.play_gateway("alone", "False")
    found = lab.status("alone", "IngressReady.reason", "Lab")
    assert look(found, "IngressReady.message") == "InferenceService by hand"
    lab.play_gateway("alone")
    lab.status("alone", "Ready", "True")


def test_a_runtime_that_is_not_there_is_an_invalid_spec_until_it_is(lab: Lab) -> None:
    """Read in KServe's code: nothing is rolled out, an event says why, and it tries again by itself."""
    body = lab_module.inference_service("orphan")
    body["spec"]["predictor"]["model"]["runtime"] = "later"
    lab.apply(SERVICES, body)
    found = lab.status("orphan", "modelStatus.transitionStatus", "InvalidSpec")
    assert look(found, "modelStatus.lastFailureInfo") == {
        "reason": "RuntimeNotRecognized",
        "message": "Waiting for runtime to become available",
    }
    assert lab.get(f"{DEPLOYMENTS}/orphan-predictor") is None
    assert "later" in lab.until(lambda: lab.events("orphan", "InternalError"))[0]["message"]
    lab.apply(CLUSTER_RUNTIMES, lab_module.runtime("later"))
    lab.status("orphan", "modelStatus.transitionStatus", "UpToDate", lambda: lab.play_ready("orphan"))
    lab.delete(f"{CLUSTER_RUNTIMES}/later")


def test_a_changed_runtime_rolls_its_services(lab: Lab) -> None:
    lab.ready("based")
    lab.apply(CLUSTER_RUNTIMES, lab_module.runtime(image="nowhere/none:2"))

    def image() -> bool:
        return bool(lab.deployment("based")["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":2"))

    lab.until(image)


def test_the_pod_gets_the_initializer_with_the_stores_credentials(lab: Lab) -> None:
    lab.apply(SERVICES, lab_module.inference_service("cred"))
    (pod,) = lab.until(lambda: lab.pods("cred"))
    (initializer,) = pod["spec"]["initContainers"]
    assert initializer["args"] == ["s3://models/cred/v1/", "/mnt/models"]
    env = {item["name"]: item for item in initializer["env"]}
    assert env["AWS_ENDPOINT_URL"]["value"] == lab.cluster.sandbox.store_endpoint
    assert env["AWS_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "sklearn-operator-store"


def test_a_missing_secret_keeps_the_pods_from_being_made(lab: Lab) -> None:
    """Read in KServe's code: its pod webhook refuses the pod."""
    body = lab_module.inference_service("nosecret")
    body["metadata"]["annotations"]["serving.kserve.io/storageSecretName"] = "nope"
    lab.apply(SERVICES, body)
    found = lab.status("nosecret", "PredictorReady.reason", "FailedCreate")
    assert 'secrets "nope" not found' in look(found, "PredictorReady.message")


def test_a_misspelled_field_is_refused(lab: Lab) -> None:
    body = lab_module.inference_service("typo")
    body["spec"]["predictor"]["model"]["storageUrl"] = "s3://models/x/"
    assert "field not declared in schema" in refused(lab, body)


def test_a_restart_writes_nothing(lab: Lab) -> None:
    lab.ready("calm")
    lab.status("calm", "PredictorReady.reason", "NewReplicaSetAvailable")

    def versions() -> list[str]:
        paths = [f"{SERVICES}/calm", f"{ROUTES}/calm"]
        paths += [f"{CORE}/services/calm-predictor", f"{DEPLOYMENTS}/calm-predictor"]
        return [lab.there(path)["metadata"]["resourceVersion"] for path in paths]

    before = versions()
    lifecycle.up(lab.cluster.state, only={"kserve"}, restart={"kserve"})
    assert versions() == before
    # It is awake: it answers to a change.
    lab.merge(f"{SERVICES}/calm", {"metadata": {"annotations": {"foo": "bar"}}})
    lab.status("calm", "observedGeneration", 2)


def test_the_status_can_be_late_never_or_twice(lab: Lab) -> None:
    """Misbehaviour on demand, for the tests of whoever reads this status."""
    faults(lab, status="never")
    lab.apply(SERVICES, lab_module.inference_service("odd"))
    lab.until(lambda: lab.get(f"{DEPLOYMENTS}/odd-predictor"))
    lab.until(lambda: lab.pods("odd"))
    assert "status" not in lab.service("odd")
    faults(lab, status="late", seconds=0.3)
    lab.merge(f"{SERVICES}/odd", {"metadata": {"annotations": {"foo": "bar"}}})
    lab.status("odd", "Stopped", "False")
    faults(lab, status="twice")
    lab.status("odd", "modelStatus.transitionStatus", "UpToDate", lambda: lab.play_ready("odd"))


@pytest.fixture(scope="module")
def bucket(cluster: embedded.Cluster) -> Iterator[dict[str, str]]:
    sandbox = cluster.sandbox
    store = S3Store(
        services.BUCKET,
        endpoint=sandbox.store_endpoint,
        region=services.REGION,
        access_key_id=sandbox.access_key,
        secret_access_key=sandbox.secret_key,
        client_options={"allow_http": True},
    )
    for key, content in {"m/v1/model.joblib": b"one", "m/v10/model.joblib": b"ten", "m/v1/empty": b""}.items():
        obstore.put(store, key, content)
    yield {
        "AWS_ENDPOINT_URL": sandbox.store_endpoint,
        "AWS_DEFAULT_REGION": services.REGION,
        "AWS_ACCESS_KEY_ID": sandbox.access_key,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret_key,
    }


def initialize(uri: str, folder: Path, env: dict[str, str]) -> tuple[int, str, dict[str, bytes]]:
    command = [sys.executable, "-m", "sklearn_sandbox.storage_initializer", uri, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env={**env, "NO_PROXY": "127.0.0.1"}, check=False)
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return done.returncode, done.stderr, files


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("m/v1/", {"model.joblib": b"one"}, id="a folder, without what is empty"),
        pytest.param("m/v1", {"model.joblib": b"one", "0/model.joblib": b"ten"}, id="no slash: v10 comes along"),
        pytest.param("m/v10/model.joblib", {"model.joblib": b"ten"}, id="one object"),
    ],
)
def test_the_initializer_fetches(path: str, expected: Json, bucket: dict[str, str], tmp_path: Path) -> None:
    """The prefix trap is KServe's."""
    code, _, files = initialize(f"s3://{services.BUCKET}/{path}", tmp_path, bucket)
    assert (code, files) == (0, expected)


@pytest.mark.parametrize(
    ("uri", "changed", "expected"),
    [
        (f"s3://{services.BUCKET}/nope/", {}, "Failed to fetch model. No model found in nope/."),
        ("s3://no-such-bucket/m/", {}, "the bucket no-such-bucket does not exist"),
        (f"s3://{services.BUCKET}/m/", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "the secret access key is wrong"),
        (f"s3://{services.BUCKET}/m/", {"AWS_ACCESS_KEY_ID": "wrong"}, "the access key is not known"),
    ],
)
def test_the_initializer_says_why_not(
    uri: str, changed: dict[str, str], expected: str, bucket: dict[str, str], tmp_path: Path
) -> None:
    code, text, files = initialize(uri, tmp_path, {**bucket, **changed})
    assert (code, files) == (1, {})
    assert expected in text


@pytest.fixture(scope="module")
def bare(shared: Lab) -> Iterator[Lab]:
    """KServe on a cluster with neither Gateway API nor Knative. Its tests are the last of this file."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (settings.GATEWAY_API, settings.KNATIVE):
            patch.setenv(name, "off")
        lifecycle.up(shared.cluster.state, only={"kserve"}, restart={"kserve"})
        yield shared


def test_without_gateway_api_there_is_no_route_and_no_split(bare: Lab, lab: Lab) -> None:
    """Observed on KServe's own controller, with a plain Ingress."""
    found = lab.ready("plain")
    assert found["status"]["url"] == found["status"]["address"]["url"] == f"http://{lab_module.ADDRESS}"
    body = lab_module.inference_service("plain")
    canary = {"name": "v2", "model": lab_module.model("plain", "v2")}
    body["spec"]["canary"] = [{"trafficPercent": 10, "predictor": canary}]
    lab.apply(SERVICES, body)
    lab.status("plain", "CanaryPredictorReady", "True", lambda: lab.play_ready("plain"))
    assert lab.get(f"{ROUTES}/plain") is None


def test_without_the_annotation_it_is_knative_and_refused(bare: Lab, lab: Lab) -> None:
    """Read in KServe's code, with the configuration it ships: the default mode is Knative, which is not installed."""
    body = lab_module.inference_service("mode")
    del body["metadata"]["annotations"]["serving.kserve.io/deploymentMode"]
    lab.apply(SERVICES, body)
    found = lab.status("mode", "deploymentMode", "Knative")
    assert look(found, "Ready") == "Unknown"
    assert lab.until(lambda: lab.events("mode", "ServerlessModeRejected"))
    assert lab.get(f"{DEPLOYMENTS}/mode-predictor") is None
    assert "cannot be changed from 'Knative' to 'Standard'" in refused(lab, lab_module.inference_service("mode"))
