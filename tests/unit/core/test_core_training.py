"""What is hashed, what is frozen, and what the tasks are told."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import observed, settings, training
from sklearn_steps import contract
from unit.api import api_cases
from unit.core import builders

MACROS = ["[[RunUUID]]", "[[", "[", "{{$.inputs}}", "{{", "{", "$(HOME)", "$$", "$", "\\", '"', "]]", "é"]
texts = st.lists(st.sampled_from(MACROS) | st.text(max_size=3), max_size=6).map("".join)
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    plain | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, values, max_size=4))
@example({"param_grid": [[["[[RunUUID]]"]], [[]], [{"a": [[1.0, 1]]}]]})
@example({'a"[[': "\\[[{{$$(X)"})
def test_the_configuration_arrives_as_it_was_and_nothing_in_it_can_be_expanded(config: dict[str, Any]) -> None:
    text = training.encode_config(config)
    assert not re.search(r"\[\[|\{\{|\$", text)
    again = json.loads(text)
    assert again == config
    assert repr(again) == repr(config)  # 1 and 1.0 are equal, and are not the same


def spec(change: dict[str, Any] | None = None) -> api.SklearnModelSpec:
    return api.parse_spec(api_cases.changed(builders.DIGITS, change or {}))


@pytest.mark.parametrize(
    "change",
    [
        {"serving": None},
        {"serving": {"minReplicas": 2}},
        {"rollout": {"approval": "Manual"}},
        {"evaluation": {"gates": [{"metric": "accuracy", "min": 0.9}]}},
        {"history": {"limit": 3}},
        {"deletionPolicy": "Retain"},
        {"description": "a word"},
        {"suspend": True},
        {"training": {"timeout": "2h", "attempts": 3, "resources": {"limits": {"cpu": 1}}}},
        {"training": {"seed": 0}},
        {"data.split.seed": 0},
        {"pipeline": {"layout": "Fused"}},
        {"model.estimator.params": {"gamma": 0.001}},
    ],
)
def test_what_does_not_train_again(change: dict[str, Any]) -> None:
    assert training.training_hash(spec(change)) == training.training_hash(spec())


@pytest.mark.parametrize(
    "change",
    [
        {"data.revision": "2"},
        {"data.split.seed": 1},
        {"data.features": {"exclude": ["pixel_0_0"]}},
        {"model.estimator.params.gamma": 0.002},
        {"model.estimator.params": {"gamma": 0.001, "random_state": None, "C": {"float": 1}}},
        {"model.estimator.class": "sklearn.svm.NuSVC"},
        {"evaluation": {"metrics": ["f1_macro"]}},
        {"training": {"seed": 1}},
        {"training": {"image": "ghcr.io/org/trainer:2"}},
    ],
)
def test_what_trains_again(change: dict[str, Any]) -> None:
    assert training.training_hash(spec(change)) != training.training_hash(spec())


def test_a_null_among_the_parameters_is_a_value_and_stays() -> None:
    changed = spec()
    assert changed.model.estimator is not None
    unseeded = api.parse_spec(
        builders.DIGITS | {"model": {"estimator": {"class": "sklearn.svm.SVC", "params": {"random_state": None}}}}
    )
    assert training.frozen(unseeded)["model"]["estimator"]["params"] == {"random_state": None}
    assert training.training_hash(unseeded) != training.training_hash(spec({"model.estimator.params": {}}))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"serving": {"minReplicas": 2}, "history": {"limit": 3}, "suspend": True}, True),
        ({"training": {"timeout": "1h"}, "pipeline": {"layout": "Staged"}}, True),
        ({"training": {"resources": {"limits": {"memory": "4Gi"}}}}, False),
        ({"pipeline": {"layout": "Fused"}}, False),
        ({"data": {"source": {"uri": "s3://b/k.csv"}, "target": "y", "credentialsSecret": "s"}}, False),
    ],
)
def test_what_a_run_depends_on_is_known_from_its_version(change: dict[str, Any], same: bool) -> None:
    changed = spec(change)
    assert (training.run_hash(changed) == training.run_hash(spec())) == same
    for before, after in ((spec(), changed), (changed, spec()), (changed, changed)):
        kept = builders.version(training=json.loads(json.dumps(training.frozen(before))))
        assert training.made_as(kept, after) == (same or before is after)


def test_a_default_that_an_older_release_did_not_know_is_no_difference() -> None:
    frozen = training.frozen(spec({"training": {"timeout": "2h"}}))
    del frozen["training"]["cache"], frozen["evaluation"]
    kept = builders.version(training=frozen)
    assert training.made_as(kept, spec({"training": {"timeout": "2h"}}))
    assert not training.made_as(kept, spec({"training": {"timeout": "2h", "cache": True}}))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"data.source": {"configMap": {"name": "n", "key": "k.csv"}}, "data.target": "y"},
        {
            "data.source": {"uri": "s3://b/k"},
            "data.target": ["a", "b"],
            "data.credentialsSecret": "s",
            "data.format": "csv",
            "data.csv": {"delimiter": ";", "header": False, "naValues": ["?"]},
            "data.revision": "3",
            "data.features": {"include": ["c"]},
            "evaluation": {"metrics": ["accuracy"]},
            "training": {"seed": 7, "image": "i"},
        },
    ],
)
def test_the_tasks_read_what_the_operator_writes(change: dict[str, Any]) -> None:
    frozen = json.loads(json.dumps(training.frozen(spec(change))))
    version = builders.version(training=frozen)
    config = training.run_config(builders.model(), version, settings.Settings(), builders.catalogue())
    read = contract.RunConfig.model_validate_json(training.encode_config(config))
    assert (read.version, read.run_id, read.attempt) == ("digits-v1", config["runId"], 1)
    assert read.artifact_uri == "s3://models/default/digits/v1-00000001/"
    assert read.image == (change.get("training", {}).get("image") or settings.Settings().trainer_image)
    assert read.seed == change.get("training", {}).get("seed", 0)
    assert list(read.evaluation.metrics) == change.get("evaluation", {}).get("metrics", [])
    assert "credentials" not in json.dumps(config)


def test_the_newest_good_version_before_this_one_is_what_the_data_is_compared_with() -> None:
    def good(number: int, phase: str = "Succeeded") -> observed.Version:
        status = {"phase": phase, "artifact": {"uri": f"s3://models/default/digits/v{number}/"}}
        return builders.version(number, status=status)

    known = [good(1), good(3), good(2), good(4, "Failed"), builders.version(5), good(6)]
    config = training.run_config(builders.model(), known[4], settings.Settings(), builders.catalogue(), known)
    assert config["previous"] == {"name": "digits-v3", "artifactUri": "s3://models/default/digits/v3/"}
    assert contract.RunConfig.model_validate(config).previous is not None
    alone = training.run_config(builders.model(), known[0], settings.Settings(), builders.catalogue(), known)
    assert "previous" not in alone


def test_the_allowed_hosts_are_told_to_those_who_read_from_one() -> None:
    allowed = settings.Settings(data_hosts=frozenset({"data.example.org", "b.example.org:8080"}))
    data = {"source": {"uri": "https://data.example.org/k.csv"}, "target": "y"}
    version = builders.version(training={"data": data, "model": builders.DIGITS["model"]})
    config = training.run_config(builders.model(), version, allowed, builders.catalogue())
    assert config["dataHosts"] == ["b.example.org:8080", "data.example.org"]
    assert "dataHosts" not in training.run_config(builders.model(), builders.version(), allowed, builders.catalogue())
