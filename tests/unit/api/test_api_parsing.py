"""From a raw spec to a parsed one, or to sentences that help."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from sklearn_operator import api
from unit.api import api_cases

SMALLEST = api_cases.manifest("smallest")["spec"]


def problems(spec: Any) -> list[api.Problem]:
    with pytest.raises(api.InvalidSpec) as refusal:
        api.parse_spec(spec)
    return list(refusal.value.problems)


def only(change: dict[str, Any]) -> api.Problem:
    (problem,) = problems(api_cases.changed(SMALLEST, change))
    return problem


def test_the_smallest_manifest_has_all_its_defaults() -> None:
    spec = api.parse_spec(SMALLEST)
    assert spec.data is not None and spec.serving is not None and spec.model.estimator is not None
    assert (spec.data.split.test_size, spec.data.split.shuffle, spec.data.split.stratify) == (0.5, False, True)
    assert spec.model.estimator.class_ == "sklearn.svm.SVC"
    assert (spec.training.timeout, spec.training.retries.limit, spec.training.attempts) == ("1h", 2, 1)
    assert (spec.serving.protocol, spec.serving.min_replicas, spec.serving.max_replicas) == ("V2", 1, 1)
    assert (spec.history.limit, spec.deletion_policy, spec.suspend) == (5, "Delete", False)
    assert spec.tuning is None


def test_nothing_of_a_full_manifest_is_lost() -> None:
    raw = api_cases.manifest("full")["spec"]
    spec = api.parse_spec(raw)
    assert spec.model_dump(mode="json", by_alias=True, exclude_unset=True) == raw


def test_max_replicas_follows_min_replicas() -> None:
    spec = api.parse_spec(api_cases.changed(SMALLEST, {"serving": {"minReplicas": 3}}))
    assert spec.serving is not None and spec.serving.max_replicas == 3


@pytest.mark.parametrize("case", api_cases.refused(), ids=lambda case: case["name"])
def test_a_wrong_manifest_is_refused_with_path_and_advice(case: dict[str, Any]) -> None:
    found = problems(api_cases.changed(SMALLEST, case["change"]))
    assert [problem.path for problem in found] == [case["path"]]
    assert case["says"] in found[0].message


@pytest.mark.parametrize(
    "change, path, value, says",
    [
        ({"model.estimator.class": True}, "spec.model.estimator.class", "true", "put it in quotes"),
        ({"model.estimator.class": "S V C"}, "spec.model.estimator.class", "S V C", "such as sklearn.svm.SVC"),
        ({"false": "k"}, "spec.false", "k", "YAML reads a bare n, y, no, yes, on or off as a boolean"),
        ({"data.source.builtin": "Digits"}, "spec.data.source.builtin", "Digits", "did you mean digits?"),
        ({"data.split.strategy": False}, "spec.data.split.strategy", "false", "put it in quotes"),
        ({"data.split.test_size": 0.5}, "spec.data.split.test_size", "0.5", "did you mean testSize?"),
        ({"data.split.testSize": 1}, "spec.data.split.testSize", "1", "must be less than 1"),
        ({"data.split.testSize": "0.5"}, "spec.data.split.testSize", "0.5", "must be a number, without quotes"),
        ({"data.split.shuffle": "no"}, "spec.data.split.shuffle", "no", "must be true or false, without quotes"),
        ({"data.split.seed": 1.5}, "spec.data.split.seed", "1.5", "must be a whole number"),
        ({"data.split.seed": True}, "spec.data.split.seed", "true", "must be a whole number"),
        ({"data.split": [1, 2]}, "spec.data.split", "a list of 2", "must be a mapping"),
        ({"description": 3}, "spec.description", "3", "put a number in quotes"),
        ({"training": {"timeout": 30}}, "spec.training.timeout", "30", "with its unit"),
        ({"training": {"timeout": "30"}}, "spec.training.timeout", "30", "such as 30s, 5m or 1h30m"),
        (
            {"training": {"requirements": ["pandas>=2"]}},
            "spec.training.requirements[0]",
            "pandas>=2",
            "such as pandas==2.3.3",
        ),
        (
            {"training": {"resources": {"limits": {"nvidia.com/gpu": 0.5}}}},
            "spec.training.resources.limits[nvidia.com/gpu]",
            "0.5",
            "with a fraction in quotes",
        ),
        ({"serving": {"env": [{"name": "A"}, {"name": "A"}]}}, "spec.serving.env", "a list of 2", "must differ"),
        ({"tuning": {"parameters": []}}, "spec.tuning.parameters", "an empty list", "must not be empty"),
        ({"history": {"limit": 0}}, "spec.history.limit", "0", "must be at least 1"),
        ({"retraining": {"onDrift": {}}}, "spec.retraining.onDrift", "an empty mapping", "kept for a later release"),
        ({"monitoring": {"x": 1}}, "spec.monitoring", "a mapping of x", "kept for a later release"),
        ({"model.estimator.params": {"C": float("nan")}}, "spec.model.estimator.params.C", "nan", "finite"),
        ({"model.estimator.params": {"C": 2**64}}, "spec.model.estimator.params.C", "a huge integer", "64 bits"),
        ({"model.estimator.params": {False: 1}}, "spec.model.estimator.params.false", "false", "the name in quotes"),
        (
            {"model.estimator.params": {"when": dt.date(2026, 1, 1)}},
            "spec.model.estimator.params.when",
            "2026-01-01",
            "YAML reads this as a date",
        ),
    ],
)
def test_each_mistake_has_its_sentence(change: dict[str, Any], path: str, value: str, says: str) -> None:
    problem = only(change)
    assert (problem.path, problem.value) == (path, value)
    assert says in problem.message


def test_a_missing_field_says_what_it_is_for() -> None:
    (problem,) = problems({"data": {"source": {"builtin": "digits"}}})
    assert (problem.path, problem.value) == ("spec.model", "absent")
    assert "exactly one of estimator, pipeline, script and pretrained" in problem.message


def test_null_is_not_nothing() -> None:
    """An empty ``serving:`` is a null; it must not quietly mean "train only"."""
    (problem,) = problems(SMALLEST | {"serving": None})
    assert problem.path == "spec.serving"
    assert "leave the field out" in problem.message


def test_null_is_a_value_among_the_parameters() -> None:
    spec = api.parse_spec(api_cases.changed(SMALLEST, {"model.estimator.params": {"random_state": None}}))
    assert spec.model.estimator is not None and spec.model.estimator.params == {"random_state": None}


def test_python_names_are_not_manifest_names() -> None:
    assert "deletion_policy" in problems(SMALLEST | {"deletion_policy": "Retain"})[0].path


def test_all_problems_are_told_at_once() -> None:
    change = {"data.source.builtin": "mnist", "model.estimator.class": "S V C", "history": {"limit": "5"}}
    paths = {problem.path for problem in problems(api_cases.changed(SMALLEST, change))}
    assert paths == {"spec.data.source.builtin", "spec.model.estimator.class", "spec.history.limit"}


@pytest.mark.parametrize("raw", [None, [], "spec", 3, True])
def test_what_is_no_mapping_is_no_spec(raw: Any) -> None:
    assert problems(raw)[0].path == "spec"


def test_a_huge_spec_is_refused() -> None:
    problem = only({"model.estimator.params": {"note": "x" * 300_000}})
    assert problem.path == "spec"
    assert "at most 64 KiB" in problem.message


def test_the_longest_script_fits() -> None:
    script = {"script": {"source": {"inline": "#" * 32 * 1024}}}
    api.parse_spec(SMALLEST | {"model": script})


def test_the_deepest_nesting_hurts_nobody() -> None:
    nested: Any = 1
    for _ in range(100_000):
        nested = [nested]
    problem = only({"model.estimator.params": {"x": nested}})
    assert "deeper than 64 levels" in problem.message
    while isinstance(nested, list):  # taken apart by hand: freeing it recursively is what deep nesting is feared for
        nested = nested.pop()


SECRETS = [
    ({"serving": {"env": [{"name": "A", "value": 918273}]}}, "918273"),
    ({"serving": {"env": [{"name": "A", "value": "hunter2", "valueFrom": {}}]}}, "hunter2"),
    ({"serving": {"env": [{"name": "A", "value": "hunter2", "vaule": 1}]}}, "hunter2"),
    ({"model": {"script": {"source": {"inline": "x"}, "args": {"api-key": ["hunter2"]}}}}, "hunter2"),
    ({"data.source": {"uri": "https://joe:hunter2@host/a.csv"}}, "hunter2"),
    ({"data.source": {"uri": "ftp://host/a.csv?X-Amz-Signature=hunter2"}}, "hunter2"),
    (
        {"model": {"script": {"source": {"git": {"url": "https://hunter2@h/r", "revision": "a", "path": "b"}}}}},
        "hunter2",
    ),
]


@pytest.mark.parametrize("change, secret", SECRETS)
def test_no_secret_gets_into_a_message(change: dict[str, Any], secret: str) -> None:
    found = problems(api_cases.changed(SMALLEST, change))
    assert secret not in " ".join(map(str, found))


def test_values_are_shown_short() -> None:
    problem = only({"model.estimator.class": "x " * 125})
    assert len(problem.value) == 80


def test_the_samples_are_valid() -> None:
    samples = sorted((api_cases.REPOSITORY / "deploy" / "samples").glob("*.yaml"))
    assert samples
    for path in samples:
        for document in api_cases.documents(path):
            api.parse_spec(document["spec"])


def test_a_problem_reads_as_one_line() -> None:
    text = str(only({"description": ["a\nb"]}))
    assert text == "spec.description: a list of 1: must be text"
    assert "\n" not in str(only({"model.estimator.class": "a\nb"}))


def test_an_invalid_spec_prints_its_problems() -> None:
    with pytest.raises(api.InvalidSpec, match=r"spec\.model: absent: is required"):
        api.parse_spec({})


def test_json_round_trips_do_not_matter() -> None:
    """What the API server makes of numbers (1.0 becomes 1) is the same spec where the field has a type."""
    raw = api_cases.manifest("full")["spec"]
    sent = json.loads(json.dumps(raw).replace("1.0}", "1}"))
    assert sent["tuning"]["parameters"][1]["max"] == 1
    assert api.parse_spec(sent) == api.parse_spec(raw)
