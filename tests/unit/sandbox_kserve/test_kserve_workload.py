"""The children, and the merging that makes their container."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from kserve_things import Json, runtime, service

from sklearn_sandbox.kserve import canaries, merging, runtimes, workload

OURS = runtimes.Chosen("ours", runtime()["spec"], True)


def build(isvc: Json, chosen: runtimes.Chosen = OURS) -> workload.Workload:
    return workload.build(isvc, isvc["spec"]["predictor"], chosen)


def container(built: workload.Workload) -> Json:
    found: Json = built.deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def test_names_labels_and_annotations() -> None:
    """The labels were observed on KServe's own objects; annotations of the InferenceService reach the pods."""
    built = build(service(labels={"version": "v1"}))
    template = built.deployment["spec"]["template"]["metadata"]
    assert template["labels"] == {
        "team": "a",
        "version": "v1",
        "app": "isvc.digits-predictor",
        "component": "predictor",
        "serving.kserve.io/inferenceservice": "digits",
    }
    assert template["annotations"] == {
        "serving.kserve.io/deploymentMode": "Standard",
        "internal.serving.kserve.io/storage-initializer-sourceuri": "s3://models/digits/v1/",
    }
    assert {built.deployment["metadata"]["name"], built.service["metadata"]["name"]} == {"digits-predictor"}
    assert built.deployment["spec"]["progressDeadlineSeconds"] == 600
    assert "replicas" not in built.deployment["spec"]


def test_a_named_predictor_has_its_name_in_the_middle() -> None:
    assert build(service(name="v7")).name == "digits-v7-predictor"


def test_the_container_is_the_runtimes_with_the_services_on_top() -> None:
    isvc = service()
    isvc["spec"]["predictor"]["model"] |= {"args": ["--workers=1"], "env": [{"name": "A", "value": "1"}]}
    found = container(build(isvc))
    assert found["args"] == ["--model_name=digits", "--workers=1"]
    assert found["name"] == "kserve-container"
    assert found["env"] == [{"name": "A", "value": "1"}, {"name": "INFERENCE_SERVICE_NAME", "value": "digits"}]
    assert found["readinessProbe"]["tcpSocket"] == {"port": 8080}
    assert found["terminationMessagePolicy"] == "File"


def test_the_service_goes_from_80_to_8080_or_to_the_declared_ports() -> None:
    plain = build(service()).service["spec"]["ports"]
    assert plain == [{"name": "digits-predictor", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    spec = copy.deepcopy(OURS.spec)
    spec["containers"][0]["ports"] = [{"name": "http1", "containerPort": 9000}, {"name": "h2c", "containerPort": 9001}]
    ports = build(service(), runtimes.Chosen("ours", spec, True)).service["spec"]["ports"]
    assert [(port["port"], port["targetPort"], port.get("appProtocol")) for port in ports] == [
        (80, 9000, None),
        (9001, 9001, "kubernetes.io/h2c"),
    ]


@pytest.mark.parametrize(
    ("predictor", "expected"),
    [
        ({}, (1, 1)),
        ({"minReplicas": 2}, (2, 2)),
        ({"minReplicas": 0}, (1, 1)),
        ({"minReplicas": 1, "maxReplicas": 3}, (1, 3)),
    ],
)
def test_there_is_always_an_autoscaler_and_it_never_goes_below_one(predictor: Json, expected: tuple[int, int]) -> None:
    spec = (build(service(**predictor)).autoscaler or {})["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == expected
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}


def test_no_autoscaler_means_fixed_replicas() -> None:
    isvc = service(minReplicas=2)
    isvc["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] = "none"
    built = build(isvc)
    assert built.autoscaler is None
    assert built.deployment["spec"]["replicas"] == 2


def test_a_storage_that_nobody_knows_is_an_error_and_no_condition() -> None:
    isvc = service()
    isvc["spec"]["predictor"]["model"]["storageUri"] = "ftp://host/x"
    with pytest.raises(workload.Unsupported, match="ftp://host/x"):
        build(isvc)


@pytest.mark.parametrize("text", ["{{.Nmae}}", "{{ .Status.URL }}"])
def test_a_placeholder_that_means_nothing_is_an_invalid_spec(text: str) -> None:
    spec = copy.deepcopy(OURS.spec)
    spec["containers"][0]["args"] = [text]
    with pytest.raises(runtimes.InvalidSpec) as caught:
        build(service(), runtimes.Chosen("ours", spec, True))
    assert caught.value.reason == "InvalidPredictorSpec"


def test_placeholders_take_metadata_and_survive_quotes() -> None:
    metadata = {"name": "digits", "namespace": "n", "labels": {"team": 'a"b'}}
    filled = merging.fill_placeholders(
        {"args": ["{{ .Name }}/{{.Namespace}}/{{.Labels.team}}/{{.Labels.x}}"]}, metadata
    )
    assert filled == {"args": ['digits/n/a"b/<no value>']}


def test_lists_merge_by_key_and_new_items_come_first() -> None:
    base = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "command": ["x", "y"]}
    patch = {"env": [{"name": "C", "value": "3"}, {"name": "B", "value": "9"}], "command": ["z"]}
    before = copy.deepcopy((base, patch))
    assert merging.merge(base, patch) == {
        "env": [{"name": "C", "value": "3"}, {"name": "A", "value": "1"}, {"name": "B", "value": "9"}],
        "command": ["z"],
    }
    assert (base, patch) == before


def canary(name: str, percent: int, **predictor: Any) -> Json:
    return {"trafficPercent": percent, "predictor": {"name": name, **predictor}}


def test_a_canary_is_the_stable_predictor_with_its_own_fields_on_top() -> None:
    spec = service(minReplicas=4, maxReplicas=8, labels={"v": "1", "x": "y"})["spec"]
    spec["canary"] = [canary("v2", 25, labels={"v": "2"}, model={"storageUri": "s3://m/v2/", "runtime": ""})]
    (found,) = canaries.predictors(spec)
    assert found["minReplicas"] == 1
    assert "maxReplicas" not in found
    assert found["labels"] == {"v": "2", "x": "y"}
    assert (found["model"]["storageUri"], found["model"]["runtime"]) == ("s3://m/v2/", "ours")


def test_ready_canaries_are_taken_off_the_stable_replicas() -> None:
    spec = service(minReplicas=4)["spec"]
    spec["canary"] = [canary("v2", 50), canary("v3", 0)]
    assert canaries.reduced_stable(spec, canaries.statuses(spec, {}))["minReplicas"] == 4
    assert canaries.reduced_stable(spec, canaries.statuses(spec, {"v2": 2}))["minReplicas"] == 2
