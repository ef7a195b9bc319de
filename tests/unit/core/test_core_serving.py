"""Whether the InferenceService is as it should be, and whether the version behind it answers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sklearn_operator import api
from sklearn_operator.core import naming, observed, serving, settings
from unit.api import api_cases
from unit.core import builders

MODEL = builders.model()
VERSION = builders.version(
    1, "Succeeded", status={"phase": "Succeeded", "artifact": {"uri": "s3://b/v1/", "sha256": "ab", "size": 1}}
)


def manifest(**changes: Any) -> dict[str, Any]:
    spec = api.parse_spec(api_cases.changed(builders.DIGITS, {"serving": changes}))
    made = serving.manifest(MODEL, spec, VERSION, settings.Settings())
    assert made is not None
    return made


def predictor(**changes: Any) -> dict[str, Any]:
    return dict(manifest(**changes)["spec"]["predictor"])


def live(**changes: Any) -> dict[str, Any]:
    """As KServe keeps it: what its webhooks add is there as well."""
    found = copy.deepcopy(manifest(**changes))
    found["metadata"]["annotations"]["added"] = "by a webhook"
    found["spec"]["predictor"]["model"]["name"] = "kserve-container"
    found["status"] = {
        "url": "http://a", "address": {"url": "http://b"},
        "conditions": [{"type": kind, "status": "True"} for kind in ("PredictorReady", "IngressReady")],
    }  # fmt: skip
    return found


def deployment(**changes: Any) -> dict[str, Any]:
    status = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "observedGeneration": 3} | changes
    label = status.pop("label", "digits-v1")
    return {
        "metadata": {"uid": "d", "generation": 3},
        "spec": {"template": {"metadata": {"labels": {naming.LABEL_VERSION: label}}}},
        "status": status,
    }


# The manifest


def test_train_only_has_none() -> None:
    spec = api.parse_spec(api_cases.changed(builders.DIGITS, {"serving": None}))
    assert serving.manifest(MODEL, spec, VERSION, settings.Settings()) is None


def test_the_pod_has_a_seccomp_profile_where_kserve_passes_it_on() -> None:
    """Without it no namespace of the level "restricted" lets the container in that fetches the model."""
    assert predictor()["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert "securityContext" not in predictor(deploymentMode="Knative"), "Knative refuses it"


def test_it_names_the_version_and_its_bytes() -> None:
    made = predictor()
    assert made["labels"] == {naming.LABEL_VERSION: "digits-v1"}
    assert made["model"]["storageUri"] == "s3://b/v1/"
    assert made["model"]["env"] == [
        {"name": "SKLEARN_MODEL_VERSION", "value": "digits-v1"}, {"name": "SKLEARN_MODEL_SHA256", "value": "ab"},
    ]  # fmt: skip
    assert serving.is_ours(manifest(), MODEL) and not serving.is_ours({"metadata": {}}, MODEL)


def test_what_the_manifest_asks_for() -> None:
    made = predictor(
        minReplicas=2, maxReplicas=4, scaleMetric="memory", scaleTarget=60, protocol="V1",
        env=[{"name": "A", "value": "1"}], resources={"limits": {"cpu": 2}},
    )  # fmt: skip
    assert (made["minReplicas"], made["maxReplicas"], made["scaleMetric"], made["scaleTarget"]) == (2, 4, "memory", 60)
    assert made["model"]["protocolVersion"] == "v1"
    assert made["model"]["env"][0] == {"name": "A", "value": "1"}
    assert made["model"]["resources"] == {"limits": {"cpu": 2}}


def test_resources_are_never_empty() -> None:
    for changes in ({}, {"resources": {}}, {"resources": {"limits": {}}}):
        assert set(predictor(**changes)["model"]["resources"]) == {"requests", "limits"}


# Differences


def test_what_kserve_adds_is_no_difference() -> None:
    assert serving.differs(manifest(), live()) is None


@pytest.mark.parametrize(
    "path, value",
    [
        ("spec.predictor.minReplicas", 5),
        ("spec.predictor.labels", {}),
        ("spec.predictor.model.storageUri", "s3://other/"),
        ("spec.predictor.model.env", []),
        ("spec.predictor.model", None),
        ("metadata.labels", None),
        ("metadata.annotations", {}),
    ],
)
def test_what_somebody_changed_is_named(path: str, value: Any) -> None:
    found = live()
    *parents, last = path.split(".")
    target = found
    for parent in parents:
        target = target[parent]
    target[last] = value
    difference = serving.differs(manifest(), found)
    assert difference is not None and difference.startswith(path)


def applied(**changes: Any) -> dict[str, Any]:
    """As the API server keeps it after our apply: with the record of the fields that are ours."""
    found = live(**changes)
    made = manifest(**changes)
    ours = {"manager": naming.FIELD_MANAGER, "operation": "Apply", "fieldsV1": owned(made)}
    other = {"manager": "kserve", "operation": "Update", "fieldsV1": {"f:spec": {"f:other": {}}}}
    found["metadata"]["managedFields"] = [other, ours]
    return found


def owned(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"f:{key}": owned(item) for key, item in value.items() if key not in ("apiVersion", "kind", "name")}
    if isinstance(value, list) and value and "name" in value[0]:
        return {f'k:{{"name":"{item["name"]}"}}': {".": {}, "f:name": {}} | owned(item) for item in value}
    return {}


@pytest.mark.parametrize(
    "before, path",
    [
        ({"env": [{"name": "A", "value": "1"}]}, 'spec.predictor.model.env[{"name":"A"}]'),
        (
            {"resources": {"limits": {"cpu": 1, "nvidia.com/gpu": 1}}},
            "spec.predictor.model.resources.limits.nvidia.com/gpu",
        ),
        (
            {"resources": {"limits": {"cpu": 1}, "requests": {"memory": "1Gi"}}},
            "spec.predictor.model.resources.requests",
        ),
    ],
)
def test_what_the_manifest_no_longer_says_is_taken_away(before: dict[str, Any], path: str) -> None:
    after = {"resources": {"limits": {"cpu": 1}}} if "resources" in before else {}
    assert serving.differs(manifest(**before), applied(**before)) is None
    assert serving.differs(manifest(**after), applied(**before)) == path


def test_what_others_added_stays() -> None:
    found = applied()
    found["spec"]["predictor"]["model"]["env"].insert(0, {"name": "INJECTED", "value": "x"})
    assert serving.differs(manifest(), found) is None


def test_kserves_spelling_of_amounts_is_no_difference() -> None:
    wanted = manifest(resources={"requests": {"cpu": "1000m", "memory": "0.5Gi"}, "limits": {"cpu": 1}})
    found = live(resources={"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"cpu": "1"}})
    assert serving.differs(wanted, found) is None
    found["spec"]["predictor"]["model"]["resources"]["limits"]["cpu"] = "2"
    assert serving.differs(wanted, found) == "spec.predictor.model.resources.limits.cpu"


def test_an_empty_value_is_left_out_as_kserve_does() -> None:
    assert predictor(env=[{"name": "A", "value": ""}])["model"]["env"][0] == {"name": "A"}


# Rolled out, and answering


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, "digits-v1"),
        ({"label": "digits-v0"}, None),
        ({"replicas": 2}, None),
        ({"availableReplicas": 0}, None),
        ({"updatedReplicas": 0}, None),
        ({"replicas": 0, "updatedReplicas": 0, "availableReplicas": 0}, None),
        ({"observedGeneration": 2}, None),
        ({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, "digits-v1"),
    ],
)
def test_rolled_out_means_that_every_pod_is_of_the_version(changes: dict[str, Any], expected: str | None) -> None:
    assert serving.rolled_out(live(), deployment(**changes)) == expected


def test_without_the_deployment_or_kserves_word_nothing_is_rolled_out() -> None:
    assert serving.rolled_out(None, deployment()) is None
    assert serving.rolled_out(live(), None) is None
    unready = live()
    unready["status"]["conditions"][1]["status"] = "False"
    assert serving.rolled_out(unready, deployment()) is None
    assert serving.rolled_out({"metadata": {}, "status": None}, deployment()) is None


def seen(**fields: Any) -> observed.Serving:
    return observed.Serving(**({"service": live(), "deployment": deployment()} | fields))


def test_only_a_checked_prediction_makes_a_version_live() -> None:
    assert serving.verdict(seen(proven="digits-v1"), "digits-v1").live
    waiting = serving.verdict(seen(), "digits-v1")
    assert (waiting.live, waiting.rolled_out, waiting.reason) == (False, True, "Deploying")
    failed = serving.verdict(seen(probe_error="answers 3, not 8"), "digits-v1")
    assert (failed.live, failed.reason, failed.trouble) == (False, "ProbeFailed", "answers 3, not 8")


def test_a_pod_says_why_its_version_is_late() -> None:
    troubles = (
        observed.PodTrouble("p0", "OOMKilled", "", version="digits-v0"),
        observed.PodTrouble("p1", "CrashLoopBackOff", "no such file", version="digits-v1"),
    )
    verdict = serving.verdict(seen(deployment=None, troubles=troubles), "digits-v1")
    assert (verdict.reason, verdict.trouble) == ("CrashLoopBackOff", "pod p1: CrashLoopBackOff: no such file")


def test_kserves_complaint_counts_for_the_version_it_carries() -> None:
    service = live()
    info = {"message": "no runtime", "reason": "NoSupportingRuntime"}
    service["status"]["modelStatus"] = {"transitionStatus": "InvalidSpec", "lastFailureInfo": info}
    verdict = serving.verdict(seen(service=service, deployment=None), "digits-v1")
    assert (verdict.reason, verdict.trouble) == ("NoSupportingRuntime", "no runtime")
    assert serving.verdict(seen(service=service, deployment=None), "digits-v2") == serving.Verdict()


@pytest.mark.parametrize(
    "fields, reported, expected",
    [
        ({"proven": "digits-v1"}, None, "digits-v1"),
        ({"proven": "digits-v0"}, "digits-v0", None),
        ({"deployment": None, "ready_versions": ("digits-v0",)}, "digits-v0", "digits-v0"),
        ({"deployment": None, "ready_versions": ("digits-v1",)}, "digits-v0", None),
        ({"deployment": None}, None, None),
    ],
)
def test_what_answers_now(fields: dict[str, Any], reported: str | None, expected: str | None) -> None:
    assert serving.answering(seen(**fields), reported) == expected


def test_addresses_are_read_with_care() -> None:
    assert (serving.url(live()), serving.address(live())) == ("http://a", "http://b")
    for empty in (None, {}, {"status": None}, {"status": {"address": None}}):
        assert serving.url(empty) is None and serving.address(empty) is None


def on_knative(created: str, ready: str, rolled_out: str) -> dict[str, Any]:
    service = live()
    component = {"latestCreatedRevision": created, "latestReadyRevision": ready, "latestRolledoutRevision": rolled_out}
    service["status"] |= {"deploymentMode": "Knative", "components": {"predictor": component}}
    return service


SCALED_TO_ZERO = {"replicas": 0, "updatedReplicas": 0, "availableReplicas": 0}


@pytest.mark.parametrize(
    "revisions, expected",
    [
        (("r-2", "r-2", "r-2"), "digits-v1"),
        (("r-2", "r-1", "r-1"), None),
        (("r-2", "r-2", "r-1"), None),
        (("", "", ""), None),
    ],
)
def test_on_knative_the_newest_revision_gets_everything_whether_it_has_pods_or_not(
    revisions: tuple[str, str, str], expected: str | None
) -> None:
    service = on_knative(*revisions)
    assert serving.rolled_out(service, deployment(**SCALED_TO_ZERO)) == expected
    assert serving.rolling(observed.Serving(service, deployment())) is (expected is None)


def test_on_knative_the_deployment_is_that_of_the_newest_ready_revision() -> None:
    assert serving.deployment_name(on_knative("r-2", "r-1", "r-1"), "digits") == "r-1-deployment"


def test_on_knative_the_scale_follows_requests() -> None:
    asked = predictor(deploymentMode="Knative", minReplicas=0, scaleMetric="concurrency", scaleTarget=5)
    assert (asked["minReplicas"], asked["scaleMetric"], asked["scaleTarget"]) == (0, "concurrency", 5)
    assert "scaleMetric" not in predictor(deploymentMode="Knative")
    assert predictor()["scaleMetric"] == "cpu"
