"""Whatever is wrong with a manifest or its data: a message that names field and value, and nobody else is bothered."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import waiting
from everything import towns
from sklearn_sandbox import services

pytestmark = pytest.mark.sandbox

SVC = "sklearn.svm.SVC"
ROWS = [f"{number},{number % 5},{'ab'[number // 10]}" for number in range(20)]
TABLE = "\n".join(["length,width,species", *ROWS])
HUGE = [f"{'word' * 25}{number}" for number in range(3000)]


@dataclass(frozen=True)
class Bad:
    """A manifest, the reason that must be given, and words of the message: field, value, remedy."""

    document: dict[str, Any]
    reason: str
    words: tuple[str, ...]
    step: str = ""
    objects: Mapping[str, str] = field(default_factory=dict)


def of_spec(name: str, estimator: str, params: dict[str, Any] | None, *words: str, **spec: Any) -> Bad:
    return Bad(towns.manifest(name, estimator, params, serving={}, **spec), "Invalid", words)


BY_SPEC = [
    of_spec(
        "unknown-class",
        "sklearn.svm.SVCC",
        None,
        "spec.model.estimator.class: sklearn.svm.SVCC",
        "did you mean sklearn.svm.SVC?",
    ),
    of_spec(
        "misspelled-parameter",
        SVC,
        {"gama": 0.001},
        "spec.model.estimator.params.gama: 0.001",
        "did you mean gamma?",
    ),
    of_spec(
        "wrong-type",
        SVC,
        {"C": "much"},
        "spec.model.estimator.params.C: much",
        "must be a number in (0, inf)",
    ),
    of_spec(
        "wrong-range",
        SVC,
        {"C": -1.5},
        "spec.model.estimator.params.C: -1.5",
        "must be a number in (0, inf)",
    ),
    of_spec("foreign-class", "os.system", None, "spec.model.estimator.class: os.system", "only public classes of"),
    of_spec(
        "foreign-nested",
        "sklearn.ensemble.BaggingClassifier",
        {"estimator": {"class": "xgboost.XGBClassifier"}},
        "spec.model.estimator.params.estimator.class: xgboost.XGBClassifier",
        "only public classes of",
    ),
    of_spec("big-spec", SVC, {"class_weight": HUGE}, "spec: ", "at most 64 KiB", "into a ConfigMap"),
]


def of_data(name: str, text: str, reason: str, *words: str, file: str = "rows.csv", target: str = "species") -> Bad:
    """A model of an object that the test puts into the store."""
    key = f"bad/{name}/{file}"
    data = {"source": {"uri": f"s3://{services.BUCKET}/{key}"}, "target": target}
    return Bad(towns.manifest(name, data=data, serving={}), reason, words, "prepare", {key: text})


def elsewhere(name: str, uri: str, reason: str, *words: str, **data: Any) -> Bad:
    described = {"source": {"uri": uri}, "target": "species"} | data
    return Bad(towns.manifest(name, data=described, serving={}), reason, words, "prepare")


STORED = f"s3://{services.BUCKET}/good/rows.csv"
BY_DATA = [
    of_data(
        "target-missing",
        TABLE,
        "TargetMissing",
        "data.target 'specis'",
        "did you mean species?",
        "length, width",
        target="specis",
    ),
    of_data("empty-file", "", "EmptyData", "data.source s3://", "empty-file/rows.csv", "empty (0 bytes)"),
    of_data(
        "wrong-suffix", TABLE, "NotThatFormat", "data.source s3://", "rows.parquet", "says parquet", file="rows.parquet"
    ),
    of_data(
        "target-empty", "length,species\n" + "\n".join(f"{n}," for n in range(20)), "TargetEmpty", "'species'", "all 20"
    ),
    of_data(
        "one-class", TABLE.replace(",b", ",a"), "OneClass", "data.target 'species'", "needs two classes", "only 'a'"
    ),
    elsewhere(
        "no-bucket",
        "s3://no-such-bucket/rows.csv",
        "BucketMissing",
        "data.source.uri s3://no-such-bucket/rows.csv",
        "the bucket no-such-bucket does not exist",
    ),
    elsewhere(
        "no-object",
        f"s3://{services.BUCKET}/good/row.csv",
        "ObjectMissing",
        "data.source.uri s3://models/good/row.csv",
        f"did you mean {STORED}?",
    ),
    elsewhere(
        "stranger",
        STORED,
        "AccessDenied",
        f"data.source.uri {STORED}",
        "the access key id is unknown there",
        "check the Secret of data.credentialsSecret",
        credentialsSecret="stranger",
    ),
    elsewhere(
        "wrong-key",
        STORED,
        "AccessDenied",
        f"data.source.uri {STORED}",
        "the secret access key is wrong",
        "check the Secret of data.credentialsSecret",
        credentialsSecret="wrong-key",
    ),
]
PASSWORD = "not-the-secret-access-key"


def named(cases: list[Bad]) -> list[Any]:
    return [pytest.param(bad, id=name_of(bad)) for bad in cases]


def name_of(bad: Bad) -> str:
    return str(bad.document["metadata"]["name"])


def secret(town: towns.Town, name: str, key_id: str) -> dict[str, Any]:
    values = {
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_ENDPOINT_URL": town.world.sandbox.store_endpoint,
    }
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


@pytest.fixture(scope="module")
def applied(town: towns.Town) -> towns.Town:
    """All bad models at once, and a good one in the midst of them."""
    for key, text in {"good/rows.csv": TABLE, **{k: t for bad in BY_DATA for k, t in bad.objects.items()}}.items():
        town.world.put(key, text.encode())
    town.apply(secret(town, "stranger", "nobody"), secret(town, "wrong-key", town.world.sandbox.access_key))
    bad = [case.document for case in (*BY_SPEC, *BY_DATA)]
    # Server-side: the annotation of a client-side apply may not hold 256 KiB.
    town.apply(*bad[:10], towns.manifest("good", serving={}), *bad[10:], flags=("--server-side",))
    return town


def test_a_good_model_amid_the_bad_ones_is_ready(applied: towns.Town) -> None:
    applied.wait("good", seconds=150)
    assert applied.predict("good", [[5.1, 3.5, 1.4, 0.2]]) == [0]


@pytest.mark.parametrize("bad", named(BY_SPEC))
def test_what_the_spec_tells_is_said_before_anything_starts(applied: towns.Town, bad: Bad) -> None:
    name = name_of(bad)
    refused = applied.wait(name, "Valid", "False")
    assert refused["reason"] == bad.reason
    assert [word for word in bad.words if word not in refused["message"]] == [], refused["message"]
    assert len(refused["message"].encode()) <= 1024
    for kind, status in (("Ready", "False"), ("Stalled", "True"), ("Reconciling", "False")):
        assert applied.condition(name, kind)["status"] == status
    assert applied.status(name)["phase"] == "Failed"
    assert applied.runs(name) == []
    assert [item for item in applied.get("skmv") if item["spec"]["model"] == name] == []


@pytest.mark.parametrize("bad", named(BY_DATA))
def test_what_only_the_data_tell_is_the_failure_of_the_version(applied: towns.Town, bad: Bad) -> None:
    name = name_of(bad)
    applied.wait(name, "Stalled", seconds=150)
    told = applied.condition(name, "Trained")
    assert (told["status"], told["reason"]) == ("False", bad.reason), told
    assert [word for word in (f"{name}-v1 failed in step {bad.step}", *bad.words) if word not in told["message"]] == []
    assert len(told["message"].encode()) <= 1024
    ready = applied.condition(name, "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", bad.reason, told["message"])
    assert (applied.status(name)["phase"], applied.condition(name, "Valid")["status"]) == ("Failed", "True")
    version = applied.get("skmv", f"{name}-v1")["status"]
    assert (version["phase"], version["failure"]["reason"]) == ("Failed", bad.reason)
    assert len(applied.runs(name)) == 1
    assert PASSWORD not in json.dumps(applied.get("skm", name))


REFUSED = {
    "a name of 41 characters": (
        towns.manifest("n" * 41),
        ("metadata.name", "n" * 41, "a name has at most 40 characters"),
    ),
    "two sources": (
        towns.manifest("two-sources", data={"source": {"builtin": "iris", "uri": STORED}}),
        ("spec.data.source", "set exactly one of builtin, uri and configMap"),
    ),
    "a share of nothing": (
        towns.manifest("no-share", data={"source": {"builtin": "iris"}, "split": {"testSize": 0}}),
        ("spec.data.split.testSize", "0", "greater than 0"),
    ),
    "a field that is not there": (
        towns.manifest("no-field", sreving={}),
        ('unknown field "spec.sreving"',),
    ),
    "a description of 300 kB": (
        towns.manifest("long-story", description="word " * 60_000),
        ("spec.description", "Too long"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_schema_tells_is_refused_by_the_api_server(town: towns.Town, case: str) -> None:
    document, words = REFUSED[case]
    done = town.run("create", "-f", "-", text=json.dumps(document))
    assert done.returncode == 1
    assert [word for word in words if word not in done.stderr] == [], done.stderr


def test_correcting_the_manifest_is_enough(applied: towns.Town) -> None:
    for bad in (*BY_SPEC, *BY_DATA):
        applied.wait(name_of(bad), "Stalled", seconds=150)
    good = {"source": {"uri": STORED}, "target": "species"}
    applied.apply(
        towns.manifest("unknown-class", SVC, None, serving={}),
        towns.manifest("big-spec", SVC, None, serving={}),
        towns.manifest("target-missing", data=good, serving={}),
        towns.manifest("wrong-key", data=good, serving={}),
        flags=("--server-side",),
    )
    versions = {"unknown-class": "v1", "big-spec": "v1", "target-missing": "v2", "wrong-key": "v2"}
    for name, version in versions.items():
        status = applied.settled(name, f"{name}-{version}", 150)
        assert status["phase"] == "Ready"
        assert applied.condition(name, "Stalled")["status"] == "False"
    assert applied.predict("target-missing", [[0, 0], [19, 4]]) == ["a", "b"]


def test_the_operator_stood_all_of_it(applied: towns.Town) -> None:
    """Every message of this module came from one process, which met nothing that it did not expect."""
    for bad in (*BY_SPEC, *BY_DATA):
        waiting.wait_for("a report", functools.partial(applied.condition, name_of(bad), "Ready"), 150)
    assert applied.operator.alive()
    log = Path(applied.operator.log).read_text()
    assert "Traceback" not in log
    assert PASSWORD not in log
