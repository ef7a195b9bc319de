"""Manifests that mean harm, or nothing at all: thousands of them, and never an exception, always a condition in words.

What is accepted is followed up to the documents that are submitted: nobody on the way may stumble over it either.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_operator.core import actions, observed, pipeline, plan, training
from sklearn_operator.core import settings as operator_settings
from sklearn_operator.runtime import resources
from sklearn_steps import contract
from unit.api import api_cases
from unit.core import builders

SETTINGS = operator_settings.Settings(
    service_accounts=frozenset({"trainer"}), data_hosts=frozenset({"data.example.org"}), packages=frozenset({"xgboost"})
)
BASE = pipeline.BasePipelines.parse(resources.pipelines())
FULL = api_cases.manifest("full")["spec"]
#: What the release acts on; the full manifest has fields that it refuses.
PLAIN = builders.DIGITS | {
    "data": {
        "source": {"uri": "s3://bucket/rows.csv"},
        "csv": {"delimiter": ";", "naValues": ["?"]},
        "revision": "1",
        "credentialsSecret": "mine",
        "target": "y",
        "features": {"exclude": ["id"]},
        "weight": "w",
        "split": {"strategy": "Group", "groups": "g", "seed": 3},
    },
    "model": {"pipeline": FULL["model"]["pipeline"]},
    "tuning": FULL["tuning"],
    "evaluation": FULL["evaluation"],
    "training": {
        name: FULL["training"][name]
        for name in ("image", "resources", "nodeSelector", "tolerations", "imagePullSecrets", "timeout", "retries")
    },
    "serving": {"env": FULL["serving"]["env"], "resources": FULL["serving"]["resources"], "minReplicas": 2},
    "history": {"limit": 2},
}
REACHING = [
    "__reduce__", "__class__", "__globals__", "a__class__b", "os.system", "builtins.eval", "subprocess.Popen", "eval",
    "sklearn.svm._classes.SVC", "sklearn.utils.os", "sklearn.externals.x.Y", "sklearn.svm.SVC.__init__", "lambda: 1",
    "../../etc/passwd", "s3://bucket/../x.csv", "file:///etc/passwd", "pvc://claim/../x.csv", "http://169.254.0.1/x.csv",
    "http://[::1]/x.csv", "s3://u:p@bucket/x.csv", "{{workflow.name}}", "{{$.inputs}}", "[[RunUUID]]", "$(HOME)",
    "<script>alert(1)</script>", "'; rm -rf /; '", "!!python/object:os.system", "%s%n", "=cmd|' /C calc'!A0",
]  # fmt: skip
ODD = [
    "\x00",
    "\x1b[31m",
    "\u202egnp.exe",
    "\u2066a\u2069",
    "\u200b",
    "\ud800",
    "\ufeff",
    "a\nb",
    "",
    " ",
    "ﬀ",
    "İ",
    "😀",
]
HUGE = [2**53 + 1, 2**63, -(2**63), 10**400, 1e308, 5e-324, -0.0, float("nan"), float("inf"), -1, 0, 1, 0.5, 1.0]
YAML = [True, False, None, "n", "y", "no", "on", "1e3", "0x1F", "1_000", "~", "null"]


def nested(depth: int) -> Any:
    found: Any = 1
    for level in range(depth):
        found = {"params": found} if level % 2 else [found]
    return found


scalars = st.sampled_from([*REACHING, *ODD, *HUGE, *YAML]) | st.text(max_size=12) | st.integers() | st.floats()
keys = st.sampled_from(["class", "params", "int", "float", "name", "__reduce__", "..", True, False, 1, None, "\ud800"])
values = st.recursive(
    scalars | st.sampled_from([65, 200]).map(nested) | st.builds(lambda: "x" * 300_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if here:
        yield here
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*here, key))


def edited(spec: dict[str, Any], edits: list[tuple[tuple[Any, ...], Any, Any]]) -> dict[str, Any]:
    """Other values in some places, and a key more beside some of them."""
    found = copy.deepcopy(spec)
    for (*parents, last), value, key in edits:
        target: Any = found
        try:
            for parent in parents:
                target = target[parent]
            target[last] = value
            if key != "" and isinstance(target, dict):
                target[key] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier edit took the place away
    return found


def edits(spec: dict[str, Any]) -> Any:
    one = st.tuples(st.sampled_from(list(places(spec))), values, keys | st.just(""))
    return st.lists(one, min_size=1, max_size=3).map(lambda found: edited(spec, found))


def decide(spec: Any) -> tuple[plan.Plan, dict[str, Any]]:
    """What is done, and what is said about whether the manifest is valid."""
    seen = observed.Observed(builders.model(spec))
    decided = plan.plan(seen, SETTINGS, builders.catalogue(), builders.NOW)
    status = decided.status or {}
    json.dumps(status, allow_nan=False).encode()
    return decided, {row["type"]: row for row in status.get("conditions", [])}.get("Valid", {})


def check(spec: Any) -> bool:
    """Whether it is accepted."""
    decided, valid = decide(spec)
    started = [action for action in decided.actions if isinstance(action, actions.CreateVersion)]
    if started:
        follow(spec, started[0])
        return True
    assert (valid["status"], valid["reason"]) in (("False", "Invalid"), ("False", "NotImplemented")) or spec.get(
        "suspend"
    )
    if valid["status"] == "False":
        message = valid["message"]
        assert message.startswith("spec"), message
        assert message.isprintable() and len(message.encode()) <= 1024
        assert {type(action) for action in decided.actions} <= {actions.Announce}
    return False


def follow(spec: Any, start: actions.CreateVersion) -> None:
    """From the version to what is submitted, through the JSON of the API server."""
    model = builders.model(json.loads(json.dumps(spec)))
    frozen = json.loads(json.dumps(start.training, allow_nan=False))
    version = builders.version(training=frozen, training_hash=start.training_hash)
    text = training.encode_config(training.run_config(model, version, SETTINGS, builders.catalogue()))
    contract.RunConfig.model_validate_json(text)
    assert not any(mark in text for mark in ("{{", "[[", "$")), "somebody on the way would expand it"
    rendered = pipeline.render(BASE, version, SETTINGS)
    json.dumps([rendered.pipeline, rendered.platform], allow_nan=False)
    served = replace(
        version, status={"phase": "Succeeded", "artifact": {"uri": "s3://b/1/", "sha256": "0" * 64, "size": 1}}
    )
    again = plan.plan(observed.Observed(model, versions=(served,)), SETTINGS, builders.catalogue(), builders.NOW)
    json.dumps(again.status, allow_nan=False)


def test_the_manifests_to_begin_with_are_accepted() -> None:
    assert check(builders.DIGITS) and check(PLAIN)


@settings(max_examples=1000)
@given(edits(PLAIN) | edits(builders.DIGITS))
def test_a_good_manifest_with_something_hostile_in_it(spec: dict[str, Any]) -> None:
    check(spec)


@settings(max_examples=500)
@given(edits(FULL))
def test_every_field_of_the_api_with_something_hostile_in_it(spec: dict[str, Any]) -> None:
    check(spec)


@settings(max_examples=500)
@given(values | st.dictionaries(st.sampled_from(sorted(FULL)) | keys, values, max_size=4))
def test_anything_at_all_for_a_spec(spec: Any) -> None:
    check(spec if isinstance(spec, dict) else {"data": spec})


NAMES = sorted(builders.catalogue().estimators)
params = st.dictionaries(st.sampled_from(REACHING + ODD) | st.text(max_size=6), values, max_size=3)


@st.composite
def estimators(draw: st.DrawFn) -> dict[str, Any]:
    path = draw(st.sampled_from(NAMES))
    known = st.sampled_from(sorted(builders.catalogue().estimators[path].parameters) or ["x"])
    inner = values | st.builds(
        lambda name, more: {"class": name, "params": more}, st.sampled_from(NAMES + REACHING), params
    )
    return {"class": path, "params": draw(st.dictionaries(known, inner, max_size=3)) | draw(st.just({}) | params)}


@settings(max_examples=1000)
@given(estimators(), st.sampled_from(["iris", "diabetes"]))
def test_every_estimator_with_something_hostile_for_parameters(estimator: dict[str, Any], data: str) -> None:
    check({"data": {"source": {"builtin": data}}, "model": {"estimator": estimator}})


# What tries to reach outside is refused by name

SVC = "sklearn.svm.SVC"
ESTIMATOR, URI = "spec.model.estimator", "spec.data.source.uri"


def of(path: str, **params: Any) -> dict[str, Any]:
    return {"model": {"estimator": {"class": path, "params": params}}}


def steps(path: str, **params: Any) -> dict[str, Any]:
    first = {"name": "first", "class": path, "params": params}
    return {"model": {"pipeline": [first, {"name": "last", "class": SVC}]}}


def data(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": {"source": source, "target": "y"} | more}


CASES = [
    (of("os.system"), f"{ESTIMATOR}.class: os.system: only public classes of scikit-learn"),
    (of("builtins.eval"), f"{ESTIMATOR}.class: builtins.eval: only public classes"),
    (of("__reduce__"), f"{ESTIMATOR}.class: __reduce__: only public classes of scikit-learn can be named"),
    (of("sklearn.svm._classes.SVC"), f"{ESTIMATOR}.class: sklearn.svm._classes.SVC: there is no such class"),
    (of("sklearn.svm.SVC.__init__"), f"{ESTIMATOR}.class: sklearn.svm.SVC.__init__: there is no such class"),
    (of("sklearn.utils.os.system"), f"{ESTIMATOR}.class: sklearn.utils.os.system: there is no such class"),
    (of(SVC, __reduce__=["os.system", ["id"]]), f"{ESTIMATOR}.params.__reduce__: a list of 2: {SVC} has no parameter"),
    (of(SVC, __class__="os.system"), f"{ESTIMATOR}.params.__class__: os.system: {SVC} has no parameter __class__"),
    (of(SVC, kernel__degree=1), f"{ESTIMATOR}.params.kernel__degree: 1: {SVC} has no parameter"),
    (of(SVC, kernel="os.system"), f"{ESTIMATOR}.params.kernel: os.system: must be"),
    (of(SVC, kernel={"class": "os.system"}), f"{ESTIMATOR}.params.kernel.class: os.system: only public classes"),
    (of(SVC, kernel={"py/reduce": []}), f"{ESTIMATOR}.params.kernel: a mapping of py/reduce: must be"),
    (of(SVC, **{"a\x1b[31m\u202e": 1}), f"{ESTIMATOR}.params[a\\x1b[31m\\u202e]: 1: {SVC} has no parameter"),
    (of(SVC, C=float("nan")), f"{ESTIMATOR}.params.C: nan: must be a finite number"),
    (of(SVC, C=10**400), f"{ESTIMATOR}.params.C: a huge integer: must fit into 64 bits"),
    (of(SVC, class_weight={False: 1}), f"{ESTIMATOR}.params.class_weight.false: false: YAML reads a bare n"),
    (steps("sklearn.preprocessing.FunctionTransformer", func="os.system"),
     "spec.model.pipeline[0].params.func: os.system: must be null"),
    (steps("sklearn.feature_extraction.text.TfidfVectorizer", input="filename"),
     'spec.model.pipeline[0].params.input: filename: must be "content"'),
    (steps("sklearn.cluster.FeatureAgglomeration", memory="/tmp/x"),
     "spec.model.pipeline[0].params.memory: /tmp/x: must be null"),
    (of("sklearn.pipeline.Pipeline", steps=[["a", {"class": SVC}]], memory="../x"),
     f"{ESTIMATOR}.params.memory: ../x: must be null"),
    (data({"uri": "file:///etc/passwd.csv"}), f"{URI}: file:///etc/passwd.csv: must be an address such as s3://"),
    (data({"uri": "s3://bucket/../../x.csv"}), f"{URI}: s3://bucket/../../x.csv: leads elsewhere"),
    (data({"uri": "s3://../x.csv"}), f"{URI}: s3://../x.csv: leads elsewhere"),
    (data({"uri": "s3://bucket/a\x00b.csv"}), f"{URI}: s3://bucket/a\\x00b.csv: has characters that cannot be seen"),
    (data({"uri": "s3://bucket/\u202evsc.x"}), f"{URI}: s3://bucket/\\u202evsc.x: has characters that cannot be seen"),
    (data({"uri": "http://169.254.169.254/x.csv"}), f"{URI}: http://169.254.169.254/x.csv: the host 169.254.169.254"),
    (data({"configMap": {"name": "../x", "key": "k.csv"}}), "spec.data.source.configMap.name: ../x: must be"),
    (data({"configMap": {"name": "x", "key": "../../x"}}), "spec.data.source.configMap.key: ../../x: "),
    (data({"configMap": {"name": "x", "key": "..csv"}}), "spec.data.source.configMap.key: ..csv: must be a key"),
    (data({"uri": "s3://bucket/x.csv"}, credentialsSecret="../x"), "spec.data.credentialsSecret: ../x: must be"),
    ({"evaluation": {"metrics": ["os.system"]}}, "spec.evaluation.metrics[0]: os.system: must be the name"),
    ({"tuning": {"parameters": [{"name": "__class__", "type": "Double", "min": 0, "max": 1}]}},
     "spec.tuning.parameters[0].name: __class__: "),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), CASES, ids=[says.partition(": ")[2][:40] for _, says in CASES])
def test_what_tries_to_reach_outside_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    decided, valid = decide(builders.DIGITS | change)
    assert (valid["status"], valid["reason"]) == ("False", "Invalid")
    assert {type(action) for action in decided.actions} <= {actions.Announce}
    assert says in valid["message"]
