"""What the webhooks add and refuse. The additions were observed on KServe's own webhooks."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from kserve_things import Json, service

from sklearn_sandbox.kserve import admission, defaulting, pods, validation

NAME, MODE = "serving.kserve.io/storageSecretName", "serving.kserve.io/deploymentMode"


def applied() -> Json:
    """As a user writes it."""
    isvc = service()
    del isvc["metadata"]["annotations"]["modelFormat"]
    for field in ("name", "resources"):
        del isvc["spec"]["predictor"]["model"][field]
    return isvc


def test_defaulting_adds_three_things_and_no_fourth() -> None:
    assert defaulting.default(applied()) == service()
    assert defaulting.default(service()) == service()


@pytest.mark.parametrize(("old", "new"), [("RawDeployment", "Standard"), ("Serverless", "Knative")])
def test_old_names_of_modes_are_rewritten(old: str, new: str) -> None:
    isvc = service()
    isvc["metadata"]["annotations"][MODE] = old
    assert defaulting.default(isvc)["metadata"]["annotations"][MODE] == new


def test_the_old_form_becomes_a_model() -> None:
    isvc = applied()
    isvc["spec"]["predictor"] = {"sklearn": {"storageUri": "s3://m/v1/"}}
    found = defaulting.default(isvc)["spec"]["predictor"]
    assert set(found) == {"model"}
    assert found["model"] == {
        "modelFormat": {"name": "sklearn"},
        "storageUri": "s3://m/v1/",
        "name": "",
        "resources": {},
    }


def changed(**predictor: Any) -> Callable[[Json], None]:
    return lambda isvc: isvc["spec"]["predictor"].update(predictor)


def annotated(**annotations: str) -> Callable[[Json], None]:
    named = {f"serving.kserve.io/{key}": value for key, value in annotations.items()}
    return lambda isvc: isvc["metadata"]["annotations"].update(named)


def both(*changes: Callable[[Json], None]) -> Callable[[Json], None]:
    def change(isvc: Json) -> None:
        for one in changes:
            one(isvc)

    return change


def canary(**predictor: Any) -> Callable[[Json], None]:
    full = {"name": "v3", "model": {"modelFormat": {"name": "sklearn"}}, **predictor}
    return lambda isvc: isvc["spec"].update(canary=[{"trafficPercent": 10, "predictor": full}])


def two_canaries(isvc: Json) -> None:
    canary()(isvc)
    isvc["spec"]["canary"].append({**copy.deepcopy(isvc["spec"]["canary"][0]), "trafficPercent": 95})
    isvc["spec"]["canary"][1]["predictor"]["name"] = "v4"


def renamed(isvc: Json) -> None:
    isvc["metadata"]["name"] = "9digits"


HPA = annotated(autoscalerClass="hpa")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (renamed, "must start with alphabetical character"),
        (changed(xgboost={"storageUri": "s3://m/"}), "exactly one of ["),
        (changed(model=None), "exactly one of ["),
        (lambda isvc: isvc["spec"]["predictor"]["model"].update(name="x"), "'name' field is not allowed"),
        (
            lambda isvc: isvc["spec"]["predictor"]["model"].update(env=[{"name": "PYTHONPATH", "value": "/x"}]),
            "setting PYTHONPATH in container",
        ),
        (annotated(autoscalerClass="kpa"), "[kpa] is not a supported autoscaler class type"),
        (both(HPA, changed(scaleMetric="memory", scaleTarget=500)), "[1-100] integer"),
        (both(HPA, changed(scaleMetric="rps")), "[rps] is not a supported metric"),
        (both(annotated(deploymentMode="Knative"), changed(scaleMetric="cpu")), "[cpu] is not a supported metric"),
        (changed(minReplicas=3, maxReplicas=2), "'MinReplicas' cannot be greater than MaxReplicas"),
        (changed(minReplicas=-1), "'MinReplicas' cannot be less than 0"),
        (canary(maxReplicas=2), 'canary "v3" must not set maxReplicas (canary uses fixed replicas)'),
        (canary(name=""), "canary[0] predictor.name is required"),
        (canary(minReplicas=2), "must not exceed stable predictor minReplicas (1)"),
        (both(changed(name="v3"), canary()), "conflicts with stable predictor name"),
        (both(annotated(deploymentMode="Knative"), canary()), "canary is only supported in Standard"),
        (two_canaries, "sum of canary trafficPercent values (105) must be <= 100"),
    ],
)
def test_what_is_refused(change: Callable[[Json], None], expected: str) -> None:
    isvc = service()
    assert validation.objection(isvc, None) is None
    change(isvc)
    assert expected in (validation.objection(isvc, None) or "")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(changed(canaryTrafficPercent=10), id="canaryTrafficPercent, though nothing comes of it"),
        pytest.param(changed(scaleMetric="rps", scaleTarget=500), id="a bad metric without the hpa annotation"),
        pytest.param(canary(), id="a canary"),
    ],
)
def test_what_is_let_through(change: Callable[[Json], None]) -> None:
    isvc = service()
    change(isvc)
    assert validation.objection(isvc, None) is None


def test_the_mode_is_fixed_once_the_status_has_it() -> None:
    old, new = service(), service()
    new["metadata"]["annotations"][MODE] = "Knative"
    assert validation.objection(new, old) is None
    old["status"] = {"deploymentMode": "Standard"}
    assert "cannot be changed from 'Standard' to 'Knative'" in (validation.objection(new, old) or "")


def test_a_new_predictor_name_needs_a_new_model() -> None:
    old, new = service(), service(name="v2")
    assert "requires a model change" in (validation.objection(new, old) or "")
    new["spec"]["predictor"]["model"]["storageUri"] = "s3://models/digits/v2/"
    assert validation.objection(new, old) is None


def a_pod(**annotations: str) -> Json:
    uri = {"internal.serving.kserve.io/storage-initializer-sourceuri": "s3://m/v1/"}
    labels = {"serving.kserve.io/inferenceservice": "digits"}
    return {
        "metadata": {"labels": labels, "annotations": {**uri, **annotations}},
        "spec": {"containers": [{"name": "kserve-container"}]},
    }


def secret(**annotations: str) -> Json:
    data = {key: base64.b64encode(b"x").decode() for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    named = {f"serving.kserve.io/s3-{key}": value for key, value in annotations.items()}
    return {"metadata": {"name": "store", "annotations": named}, "data": data}


def injected(*secrets: Json) -> Json:
    found: Json = pods.inject(a_pod(), "s3://m/v1/", secrets)
    return found


def test_the_initializer_downloads_into_a_shared_volume() -> None:
    spec = injected(secret())["spec"]
    (initializer,) = spec["initContainers"]
    assert initializer["args"] == ["s3://m/v1/", "/mnt/models"]
    assert initializer["terminationMessagePolicy"] == "FallbackToLogsOnError"
    mount = {"name": "kserve-provision-location", "mountPath": "/mnt/models"}
    assert initializer["volumeMounts"] == [mount]
    assert spec["containers"][0]["volumeMounts"] == [{**mount, "readOnly": True}]
    assert spec["volumes"] == [{"name": "kserve-provision-location", "emptyDir": {}}]
    assert pods.source_uri({**a_pod(), "spec": spec}) is None, "a second call must not inject again"


@pytest.mark.parametrize(
    ("annotations", "url", "use_https"),
    [
        ({"endpoint": "minio:9000", "usehttps": "0"}, "http://minio:9000", "0"),
        ({"endpoint": "minio:9000"}, "https://minio:9000", ""),
        ({"endpoint": "http://minio:9000", "usehttps": "1"}, "http://minio:9000", "0"),
    ],
)
def test_credentials_are_referred_to_and_the_endpoint_is_spelled_out(
    annotations: dict[str, str], url: str, use_https: str
) -> None:
    found = injected(secret(region="us-east-1", verifyssl="0", usevirtualbucket="0", **annotations))
    env = {item["name"]: item for item in found["spec"]["initContainers"][0]["env"]}
    reference = {"name": "store", "key": "AWS_ACCESS_KEY_ID"}
    assert env["AWS_ACCESS_KEY_ID"]["valueFrom"] == {"secretKeyRef": reference}
    shown = {name: item["value"] for name, item in env.items() if "value" in item and not name.startswith("HF_")}
    assert shown == {
        **({"S3_USE_HTTPS": use_https} if use_https else {}),
        "S3_ENDPOINT": "minio:9000",
        "AWS_ENDPOINT_URL": url,
        "S3_VERIFY_SSL": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
        "S3_USER_VIRTUAL_BUCKET": "0",
    }


def test_which_secrets_are_asked() -> None:
    account = {"secrets": [{"name": "of-the-account"}]}
    assert pods.secret_names(a_pod(), account) == ["of-the-account"]
    assert pods.secret_names(a_pod(**{NAME: "named"}), account) == ["named"]
    assert pods.secret_names(a_pod(**{NAME: "named"}), None) == [], "without an account there are no credentials"


def test_the_answer_is_a_patch_with_escaped_paths() -> None:
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "7", "object": {"metadata": {"annotations": {"a/b": "1"}}, "old": 1}},
    }
    answer = admission._answer(review, patched={"metadata": {"annotations": {"a/b": "2", "c~d": "3"}}})
    patch = json.loads(base64.b64decode(answer["response"]["patch"]))
    assert answer["response"]["allowed"]
    assert sorted(patch, key=str) == [
        {"op": "add", "path": "/metadata/annotations/c~0d", "value": "3"},
        {"op": "remove", "path": "/old"},
        {"op": "replace", "path": "/metadata/annotations/a~1b", "value": "2"},
    ]
