"""``kubectl sklearn plan`` without a cluster: reading, judging, and the words for what would run and change."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from sklearn_operator import api
from sklearn_operator.cli.plugin import diffs, kubectl, manifests, planning, stages
from sklearn_operator.core import actions

MANIFEST: dict[str, Any] = {
    "apiVersion": "sklearn-operator.io/v1alpha1",
    "kind": "SklearnModel",
    "metadata": {"name": "digits"},
    "spec": {"data": {"source": {"builtin": "digits"}}, "model": {"estimator": {"class": "sklearn.svm.SVC"}}},
}


def with_(**changes: Any) -> str:
    return yaml.safe_dump(MANIFEST | changes)


def test_without_a_cluster_the_manifest_is_judged() -> None:
    assert planning.report(with_(), None) == (planning.NOTHING, ["digits: valid"])
    status, lines = planning.report(with_().replace("svm.SVC", "svm.SVX"), None)
    assert (status, lines[0]) == (planning.FAILED, "digits: not valid")
    assert "did you mean sklearn.svm" in lines[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"apiVersion": "sklearn-operator.io/v1"}, "apiVersion: 'sklearn-operator.io/v1': must be"),
        ({"metadata": {}}, "metadata.name: None"),
        ({"metadata": {"name": "Digits"}}, "metadata.name: 'Digits'"),
        ({"metadata": {"name": "d" * 41}}, "metadata.name"),
        ({"spc": {}}, "spc: is no field"),
        ({"spec": None}, "spec.model"),
        ({"spec": ["model"]}, "spec"),
    ],
)
def test_what_the_api_server_would_refuse_is_refused_offline(changes: dict[str, Any], words: str) -> None:
    status, lines = planning.report(with_(**changes), None)
    assert status == planning.FAILED and words in "\n".join(lines[1:]), lines


def test_a_wrong_setting_is_told_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKLEARN_OPERATOR_STORE_URI", "models")
    with pytest.raises(kubectl.Failed, match="SKLEARN_OPERATOR_STORE_URI"):
        planning.report(with_(), None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not YAML"),
        ("kind: ConfigMap", "no SklearnModel"),
        ("", "no Skl"),
        ("just words", "no object"),
        ("kind: SklearnModel\nkind: SklearnModel", "twice"),
    ],
)
def test_a_file_without_a_model_is_told(text: str, words: str) -> None:
    with pytest.raises(kubectl.Failed, match=words):
        manifests.documents(text)


def test_values_arrive_as_they_do_in_the_cluster() -> None:
    scalars = "[1e-3, 1.0, 2026-01-01, y, No, 0x10, 010, 1_000, 12:30, .5, ~, 1e400, 9007199254740993]"
    (found,) = manifests.documents(f"kind: SklearnModel\nspec: {{values: {scalars}, n: 1, 3: x}}")
    big = 9007199254740993
    assert found["spec"]["values"] == [
        0.001, 1, "2026-01-01", True, False, 16, 8, 1000, "12:30", 0.5, None, float("inf"), big,
    ]  # fmt: skip
    assert isinstance(found["spec"]["values"][1], int)
    assert {key: value for key, value in found["spec"].items() if key != "values"} == {"false": 1, "3": "x"}


def test_a_list_is_what_is_in_it() -> None:
    found = manifests.documents(yaml.safe_dump({"kind": "List", "items": [MANIFEST, {"kind": "ConfigMap"}]}))
    assert [one["kind"] for one in found] == ["SklearnModel", "ConfigMap"]


def test_a_diff_leaves_out_what_the_server_keeps_and_shows_texts_line_by_line() -> None:
    before = {"kind": "ConfigMap", "metadata": {"name": "c", "uid": "1"}, "data": {"t": "one\ntwo\n"}, "status": {}}
    after = copy.deepcopy(before) | {"metadata": {"name": "c", "uid": "2"}, "status": {"phase": "Ready"}}
    assert diffs.unified(before, after) == []
    after["data"] = {"t": "one\nthree\n"}
    assert [line for line in diffs.unified(before, after) if line[:1] in "+-"] == [
        "--- ConfigMap/c",
        "+++ ConfigMap/c",
        "-    two",
        "+    three",
    ]
    assert diffs.unified(None, after)[:2] == ["--- (absent)", "+++ ConfigMap/c"]


def test_no_value_of_a_secret_is_shown() -> None:
    before = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "b2xk", "b": "c2FtZQ=="}}
    after = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "bmV3", "b": "c2FtZQ==", "c": "bW9yZQ=="}}
    shown = "\n".join(diffs.unified(before, after))
    assert not [value for value in ("b2xk", "c2FtZQ", "bmV3", "bW9yZQ") if value in shown]
    assert "-  a: '*** (before)'" in shown and "+  a: '*** (after)'" in shown and "+  c: '*** (after)'" in shown


def test_what_others_set_on_a_live_object_stays_in_its_diff() -> None:
    live = {"spec": {"containers": [{"name": "kserve", "image": "a", "env": []}], "timeout": 5}}
    wanted = {"spec": {"containers": [{"name": "kserve", "image": "b"}]}}
    after = {"spec": {"containers": [{"name": "kserve", "image": "b", "env": []}], "timeout": 5}}
    assert diffs.merged(live, wanted) == after


def words(**spec: Any) -> list[str]:
    parsed = api.parse_spec(MANIFEST["spec"] | spec)
    action = actions.CreateVersion("digits-v1", 1, "hash", "SpecChange", "key", {})
    return list(stages.told(action, parsed, [], None))


def test_the_stages_are_those_of_the_manifest() -> None:
    assert words(serving={}) == [
        "train digits-v1 (SpecChange): prepare, train, evaluate, publish",
        "  because there is no version yet",
        "  then serve it in the place of whatever serves",
    ]
    assert words(pipeline={"layout": "Fused"})[0].endswith("prepare, train, evaluate, publish, in one task")
    assert "fingerprint, prepare and train unless" in words(training={"cache": True})[0]
    search = {"trials": 4, "parameters": [{"name": "C", "type": "Double", "min": 0.1, "max": 1}]}
    assert "train (Random search, 4 trials)" in words(tuning=search)[0]


def test_what_follows_a_training_is_told_in_its_order() -> None:
    gates = [{"metric": "accuracy", "min": 0.9}, {"metric": "accuracy", "compareTo": "Serving"}]
    followed = words(serving={}, evaluation={"gates": gates}, rollout={"approval": "Manual"})[2:]
    assert followed == [
        "  then judge it by accuracy at least 0.9, accuracy against the serving version",
        "  then wait for approval (spec.rollout.approval)",
        "  then serve it in the place of whatever serves",
    ]
    assert words(serving={}, rollout={"version": "digits-v7"})[2:] == [
        "  then nothing: digits-v7 is pinned (spec.rollout.version)"
    ]
    steps = {"canary": {"steps": [{"weight": 10}, {"weight": 50}]}}
    assert "(10 %, 50 %, all)" in words(serving={}, rollout=steps)[2]
