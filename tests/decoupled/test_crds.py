"""The CRDs on a real API server: what it accepts, what it refuses and in which words.

The fixture ``cluster`` has ``kubectl(*args, input=..., check=...)`` and a kubeconfig; no controller of ours runs.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from sklearn_operator import api
from unit.api import api_cases

PLACES = {"smallest": "digits", "full": "penguins"}


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]: ...


class Namespace:
    """kubectl in a namespace of the test's own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.name = f"crds-{uuid.uuid4().hex[:8]}"

    def __call__(self, *args: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._cluster.kubectl("--namespace", self.name, *args, input=input, check=check)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("get", kind, name, "-o", "json").stdout)
        return found


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster) -> Iterator[Namespace]:
    namespace = Namespace(cluster)
    cluster.kubectl("create", "namespace", namespace.name)
    yield namespace
    namespace("delete", "skm,skmv", "--all", "--wait=false")
    cluster.kubectl("delete", "namespace", namespace.name, "--wait=false")


def document(name: str, spec: Any) -> str:
    body = api_cases.manifest("smallest") | {"metadata": {"name": name}, "spec": spec}
    return json.dumps(body)


SMALLEST = api_cases.manifest("smallest")["spec"]


@pytest.mark.parametrize("name", PLACES)
def test_applying_a_manifest_again_changes_nothing(kubectl: Namespace, name: str) -> None:
    path, place = str(api_cases.DATA / f"{name}.yaml"), PLACES[name]
    assert "created" in kubectl("apply", "-f", path).stdout
    first = kubectl.get("skm", place)
    assert "unchanged" in kubectl("apply", "-f", path).stdout
    assert kubectl("diff", "-f", path).stdout == ""
    assert kubectl.get("skm", place) == first
    assert first["metadata"]["generation"] == 1


@pytest.mark.parametrize("name", PLACES)
def test_no_default_appears_in_the_spec(kubectl: Namespace, name: str) -> None:
    """GitOps tools compare what was applied with what is there."""
    wanted = api_cases.manifest(name) | {"metadata": {"name": f"{name}-plain"}}
    kubectl("create", "-f", "-", input=json.dumps(wanted))
    assert kubectl.get("skm", f"{name}-plain")["spec"] == json.loads(json.dumps(wanted["spec"]))


def test_server_side_apply_takes_the_same_manifest(kubectl: Namespace) -> None:
    body = json.dumps(api_cases.manifest("full") | {"metadata": {"name": "by-server"}})
    kubectl("apply", "--server-side", "-f", "-", input=body)
    # The first write of any kind stores the default of status, which until then is only shown.
    seen = ("--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Pending"}}')
    kubectl("patch", "skm", "by-server", *seen)
    first = kubectl.get("skm", "by-server")
    kubectl("apply", "--server-side", "-f", "-", input=body)
    assert kubectl.get("skm", "by-server") == first
    assert kubectl("diff", "--server-side", "-f", "-", input=body).stdout == ""


def test_what_comes_back_from_the_api_server_parses_to_the_same_spec(kubectl: Namespace) -> None:
    """The API server turns 1.0 into 1; where a field is typed that is the same value."""
    body = api_cases.manifest("full") | {"metadata": {"name": "typed"}}
    kubectl("create", "-f", "-", input=json.dumps(body))
    assert api.parse_spec(kubectl.get("skm", "typed")["spec"]) == api.parse_spec(body["spec"])


def test_an_object_that_nobody_has_looked_at_says_so(kubectl: Namespace) -> None:
    kubectl("create", "-f", "-", input=document("unseen", SMALLEST))
    assert kubectl.get("skm", "unseen")["status"] == {"observedGeneration": -1}


def object_name(case: dict[str, Any]) -> str:
    return str(case["name"]).lower().replace(" ", "-")


@pytest.fixture(scope="module")
def refusals(kubectl: Namespace) -> dict[str, str]:
    """What the API server says to each refused manifest; one call for all, the answers are told apart by name."""
    items = [
        json.loads(document(object_name(case), api_cases.changed(SMALLEST, case["change"])))
        for case in api_cases.refused()
    ]
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    said = kubectl("create", "--dry-run=server", "-f", "-", input=body, check=False).stderr
    refusals = (line.partition('SklearnModel.sklearn-operator.io "')[2] for line in said.splitlines())
    return {line.partition('"')[0]: line for line in refusals}


@pytest.mark.parametrize("case", api_cases.refused(), ids=lambda case: case["name"])
def test_a_wrong_manifest_is_refused_with_path_and_advice(refusals: dict[str, str], case: dict[str, Any]) -> None:
    said = refusals.get(object_name(case))
    if case.get("by") == "operator":
        assert said is None, "the API server can say it after all: drop the mark"
        return
    assert said is not None, "accepted"
    assert case["says"] in said
    assert f"{case['path']}: " in said


@pytest.mark.parametrize(
    "change, path",
    [
        ({"data.source.builtin": "mnist"}, "spec.data.source.builtin"),
        ({"data.split.testSize": 1}, "spec.data.split.testSize"),
        ({"data.split.testSize": 0}, "spec.data.split.testSize"),
        ({"data.split.seed": -1}, "spec.data.split.seed"),
        ({"model.estimator.class": "sklearn.svm:SVC"}, "spec.model.estimator.class"),
        ({"training": {"timeout": "90"}}, "spec.training.timeout"),
        ({"training": {"requirements": ["pandas>=2"]}}, "spec.training.requirements[0]"),
        ({"training": {"resources": {"requests": {"cpu": "1 core"}}}}, "spec.training.resources.requests.cpu"),
        ({"serving": {"env": [{"name": "A"}, {"name": "A"}]}}, "spec.serving.env"),
        ({"retraining": {"schedule": "every day"}}, "spec.retraining.schedule"),
        ({"history": {"limit": 0}}, "spec.history.limit"),
        ({"deletionPolicy": "Orphan"}, "spec.deletionPolicy"),
        ({"description": "x" * 300_000}, "spec.description"),
        ({"model": {"script": {"source": {"inline": "x" * 32_769}}}}, "spec.model.script.source.inline"),
        ({"data.features": {"include": ["x" * 200] * 1500}}, "spec.data.features.include"),
        ({"model.estimator.params": {f"p{i}": i for i in range(200)}}, "spec.model.estimator.params"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_schema_and_the_parser_refuse_the_same_field(kubectl: Namespace, change: dict[str, Any], path: str) -> None:
    spec = api_cases.changed(SMALLEST, change)
    said = kubectl("create", "--dry-run=server", "-f", "-", input=document("wrong", spec), check=False).stderr
    assert path in said
    with pytest.raises(api.InvalidSpec) as refusal:
        api.parse_spec(spec)
    if len(json.dumps(spec)) < 64 * 1024:  # beyond that the parser looks no further
        assert any(problem.path.startswith(path) for problem in refusal.value.problems)


@pytest.mark.parametrize(
    "change",
    [
        {"data.source": {"configMap": {"name": "n", "key": "k.csv"}}, "data.target": ["a", "b"]},
        {"data.source": {"uri": "pvc://claim/path.parquet"}, "data.target": "a", "data.weight": "w"},
        {"data.split": {"strategy": "Time", "time": "day"}},
        {"model": {"script": {"source": {"inline": "print()"}, "args": {"gamma": 0.001, "c": 1.0}}}},
        {"model": {"script": {"source": {"configMap": {"name": "n", "key": "train.py"}}}}, "data": None},
        {"model": {"script": {"source": {"git": {"url": "https://h/o/r", "revision": "v1", "path": "a/b.py"}}}}},
        {"model": {"pretrained": {"uri": "s3://bucket/model.joblib", "sha256": "ab" * 32}}},
        {"serving": {"deploymentMode": "Knative", "minReplicas": 0, "scaleMetric": "rps"}},
        {"serving": None},
        {
            "tuning": {
                "algorithm": "Grid",
                "parameters": [{"name": "C", "type": "Double", "min": 1, "max": 2, "step": 1}],
            }
        },
        {"retraining": {"schedule": "@daily", "timeZone": "Europe/Zurich"}},
    ],
    ids=lambda change: ",".join(change),
)
def test_the_other_ways_of_saying_it_are_accepted(kubectl: Namespace, change: dict[str, Any]) -> None:
    spec = api_cases.changed(SMALLEST, change)
    kubectl("create", "--dry-run=server", "-f", "-", input=document("other", spec))
    api.parse_spec(spec)


def test_a_name_has_at_most_forty_characters(kubectl: Namespace) -> None:
    kubectl("create", "--dry-run=server", "-f", "-", input=document("a" * 40, SMALLEST))
    said = kubectl("create", "--dry-run=server", "-f", "-", input=document("a" * 41, SMALLEST), check=False).stderr
    assert "metadata.name: Invalid value: a name has at most 40 characters" in said


def test_an_unknown_field_is_refused_not_dropped(kubectl: Namespace) -> None:
    spec = api_cases.changed(SMALLEST, {"data.split.test_size": 0.5})
    said = kubectl("create", "--dry-run=server", "-f", "-", input=document("unknown", spec), check=False).stderr
    assert 'unknown field "spec.data.split.test_size"' in said


@pytest.mark.parametrize(
    "field, says",
    [
        ("skm.spec.model", "exactly one of estimator, pipeline, script and pretrained"),
        ("skm.spec.data.split.testSize", "share of the rows"),
        ("skm.spec.serving.env.valueFrom.secretKeyRef", "A key of a Secret"),
        ("skm.status.conditions.lastTransitionTime", "When status changed last"),
        ("skmv.spec.trigger", "Why the version was made"),
        ("skmv.status.lineage.dataSha256", "SHA-256 of the data"),
    ],
)
def test_explain_explains(kubectl: Namespace, field: str, says: str) -> None:
    assert says in " ".join(kubectl("explain", field).stdout.split())


REPORTED = api_cases.manifest("reported")
STATUS, VERSION, VERSION_STATUS = REPORTED["modelStatus"], REPORTED["version"], REPORTED["versionStatus"]


def test_a_full_status_of_a_model_is_kept_and_shown(kubectl: Namespace) -> None:
    kubectl("create", "-f", "-", input=document("reported", SMALLEST))
    body = kubectl.get("skm", "reported") | {"status": STATUS}
    kubectl("replace", "--subresource=status", "-f", "-", input=json.dumps(body))
    found = kubectl.get("skm", "reported")
    assert found["status"] == STATUS
    assert found["metadata"]["generation"] == 1
    api.SklearnModelStatus.model_validate(found["status"])
    heading, row = kubectl("get", "skm", "reported").stdout.splitlines()
    assert heading.split() == ["NAME", "PHASE", "READY", "METRIC", "VERSION", "URL", "AGE"]
    assert row.split()[1:6] == ["Ready", "True", "accuracy=0.969", "digits-v2", "http://digits.example"]
    heading, row = kubectl("get", "skm", "reported", "-o", "wide").stdout.splitlines()
    assert heading.split()[7:] == ["ESTIMATOR", "RUN", "NEXT", "MESSAGE"]
    assert row.split()[7:10] == ["sklearn.svm.SVC", "default.digits-v2-1-4f6f9f6e", "2026-01-02T03:00:00Z"]
    assert row.rstrip().endswith("digits-v2 answers requests")
    kubectl("wait", "--for=condition=Ready", "skm/reported", "--timeout=10s")


def test_a_version_never_changes_its_spec(kubectl: Namespace) -> None:
    kubectl("create", "-f", "-", input=json.dumps(VERSION))
    kubectl("label", "skmv/digits-v2", "a=b")
    for patch in (
        {"number": 3},
        {"training": {"data": {"source": {"builtin": "iris"}}}},
        {"training": {"model": {"estimator": {"params": {"new": 1}}}}},
    ):
        said = kubectl("patch", "skmv/digits-v2", "--type=merge", "-p", json.dumps({"spec": patch}), check=False).stderr
        assert "the spec of a version never changes" in said, patch


def test_a_full_status_of_a_version_is_kept_and_shown(kubectl: Namespace) -> None:
    name = "reported-v2"
    kubectl("create", "-f", "-", input=json.dumps(VERSION | {"metadata": {"name": name}}))
    body = kubectl.get("skmv", name) | {"status": VERSION_STATUS}
    kubectl("replace", "--subresource=status", "-f", "-", input=json.dumps(body))
    found = kubectl.get("skmv", name)
    assert found["status"] == VERSION_STATUS
    assert found["spec"] == VERSION["spec"]
    api.VersionStatus.model_validate(found["status"])
    heading, row = kubectl("get", "skmv", name).stdout.splitlines()
    assert heading.split() == ["NAME", "MODEL", "NUMBER", "PHASE", "METRIC", "TRIGGER", "SERVING", "AGE"]
    assert row.split()[1:6] == ["digits", "2", "Succeeded", "accuracy=0.969", "SpecChange"]


def test_both_kinds_are_in_the_category(kubectl: Namespace) -> None:
    kubectl("create", "-f", "-", input=document("listed", SMALLEST))
    kubectl("create", "-f", "-", input=json.dumps(VERSION | {"metadata": {"name": "listed-v1"}}))
    names = kubectl("get", "ml", "-o", "name").stdout.split()
    assert "sklearnmodel.sklearn-operator.io/listed" in names
    assert "sklearnmodelversion.sklearn-operator.io/listed-v1" in names
