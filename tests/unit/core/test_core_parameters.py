"""Parameters are checked against the shipped catalogue, and numbers get their types back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator.api import Problem
from sklearn_operator.core import parameters, typed
from sklearn_operator.runtime import resources
from unit.core import builders

PATH = "spec.model.estimator"
RAW: dict[str, Any] = json.loads(resources.catalogue())


def problems(path: str, params: Any) -> list[Problem]:
    return list(parameters.problems({"class": path, "params": params}, builders.catalogue(), PATH))


def only(path: str, params: Any) -> Problem:
    (problem,) = problems(path, params)
    return problem


# The file and its reader


def test_the_file_has_the_fields_that_are_read_and_no_others() -> None:
    assert set(RAW) == {"classes", "datasets", "scorers", "versions"}
    entries = RAW["classes"].values()
    assert set().union(*entries) == {"kind", "params", "required", "predict", "kindFrom", "transforms", "weights"}
    rules = [rule for entry in entries for rule in entry["params"].values()]
    # What is set by default, and that it goes away, is for people who read the file.
    assert set().union(*rules) == {"types", "options", "intervals", "intOrFraction", "default", "deprecated"}
    assert {key for rule in rules for item in rule.get("intervals", ()) for key in item} == {
        "type", "min", "max", "closed",
    }  # fmt: skip


def test_what_is_read_is_what_the_file_says() -> None:
    catalogue = builders.catalogue()
    assert len(catalogue.estimators) == len(RAW["classes"]) > 200
    for path, entry in RAW["classes"].items():
        read = catalogue.estimators[path]
        assert (read.kind, read.predicts, read.kind_from, read.takes_weights, read.transforms) == (
            entry["kind"], entry.get("predict", False), entry.get("kindFrom"), entry.get("weights", False),
            entry.get("transforms"),
        )  # fmt: skip
        for name, rule in entry["params"].items():
            parameter = read.parameters[name]
            assert parameter.types == set(rule.get("types", ()))
            assert list(parameter.options) == rule.get("options", [])
            assert len(parameter.intervals) == len(rule.get("intervals", ()))
            assert parameter.int_or_fraction == rule.get("intOrFraction", False)
    assert catalogue.datasets["digits"] == "classification" and catalogue.datasets["diabetes"] == "regression"
    assert "classifier" in catalogue.scorers["accuracy"]


@pytest.mark.parametrize("path", RAW["classes"])
def test_scikit_learns_own_defaults_are_accepted(path: str) -> None:
    """Never stricter than scikit-learn; only a bare 0 or 1 of two meanings is refused."""
    for name, rule in RAW["classes"][path]["params"].items():
        if "default" not in rule:
            continue
        value = rule["default"]
        if rule.get("intOrFraction") and value in (0, 1) and not isinstance(value, bool):
            value = {type(value).__name__: value}
        found = [problem for problem in problems(path, {name: value}) if name in problem.path]
        assert not found, found


# What is refused, and in which words

SVC, FOREST = "sklearn.svm.SVC", "sklearn.ensemble.RandomForestClassifier"
ISOLATION = "sklearn.ensemble.IsolationForest"
SEARCH, PIPELINE = "sklearn.model_selection.GridSearchCV", "sklearn.pipeline.Pipeline"


@pytest.mark.parametrize(
    "path, where, value, says",
    [
        ("sklearn.svm.SCV", "class", "sklearn.svm.SCV", "did you mean sklearn.svm.SVC?"),
        ("sklearn.svm.svc", "class", "sklearn.svm.svc", "did you mean sklearn.svm.SVC?"),
        ("sklearn.ensemble.SVC", "class", "sklearn.ensemble.SVC", "did you mean sklearn.svm.SVC?"),
        ("xgboost.XGBClassifier", "class", "xgboost.XGBClassifier", "only public classes of scikit-learn"),
        ("os.system", "class", "os.system", "only public classes of scikit-learn"),
        ("sklearn.utils.Bunch", "class", "sklearn.utils.Bunch", "no such class"),
        ("sklearn.svm._classes.SVC", "class", "sklearn.svm._classes.SVC", "did you mean sklearn.svm.SVC?"),
        (["sklearn.svm.SVC"], "class", "a list of 1", "must be the full path of a class"),
    ],
)
def test_classes(path: Any, where: str, value: str, says: str) -> None:
    problem = only(path, {})
    assert (problem.path, problem.value) == (f"{PATH}.{where}", value)
    assert says in problem.message


@pytest.mark.parametrize(
    "path, params, where, value, says",
    [
        (SVC, {"gama": 1}, "gama", "1", "has no parameter gama; did you mean gamma?"),
        (SVC, {"zzz": 1}, "zzz", "1", "it takes C, break_ties"),
        (SVC, {"false": 1}, "false", "1", "put the name in quotes"),
        (SVC, {"": 1}, "[]", "1", "has no parameter"),
        (SVC, {"api_key": "hunter2"}, "api_key", "(hidden)", "has no parameter"),
        (SVC, {"C": "1.0"}, "C", "1.0", "must be a number in (0, inf)"),
        (SVC, {"C": -1}, "C", "-1", "must be a number in (0, inf)"),
        (SVC, {"C": True}, "C", "true", "must be a number"),
        (SVC, {"C": None}, "C", "null", "must be a number"),
        (SVC, {"C": [1, 2]}, "C", "a list of 2", "must be a number"),
        (SVC, {"C": {"a": 1}}, "C", "a mapping of a", "must be a number"),
        (SVC, {"C": {"class": SVC}}, "C", "a mapping of class", "must be a number"),
        (SVC, {"C": {"float": -1}}, "C.float", "-1", "must be a number in (0, inf)"),
        (SVC, {"C": {"float": "1"}}, "C.float", "1", "must be a number"),
        (SVC, {"degree": 2.5}, "degree", "2.5", "must be an integer in [0, inf)"),
        (SVC, {"degree": {"int": 2.5}}, "degree.int", "2.5", "without fraction"),
        (SVC, {"degree": {"float": 2}}, "degree.float", "2", "must be an integer"),
        (SVC, {"kernel": "rbff"}, "kernel", "rbff", "did you mean rbf?"),
        (SVC, {"kernel": False}, "kernel", "false", "put the word in quotes"),
        (SVC, {"shrinking": "no"}, "shrinking", "no", "must be true or false"),
        (FOREST, {"max_features": 1}, "max_features", "1", "write {int: 1} or {float: 1}"),
        (FOREST, {"max_features": 1.0}, "max_features", "1.0", "write {int: 1} or {float: 1}"),
        (ISOLATION, {"max_features": 1}, "max_features", "1", "write {int: 1} or {float: 1}"),
        (FOREST, {"max_features": {"float": 2}}, "max_features.float", "2", "in (0, 1]"),
        (FOREST, {"n_estimators": 0}, "n_estimators", "0", "must be an integer in [1, inf)"),
        (SEARCH, {"param_grid": {}}, "estimator", "absent", "needs estimator"),
        (SEARCH, {"estimator": "SVC", "param_grid": {}}, "estimator", "SVC", "an estimator {class, params}"),
        (SEARCH, {"estimator": {"a": 1}, "param_grid": {}}, "estimator", "a mapping of a", "an estimator"),
        (
            SEARCH,
            {"estimator": {"class": SVC, "params": {"gama": 1}}, "param_grid": {}},
            "estimator.params.gama",
            "1",
            "did you mean gamma?",
        ),
        (SEARCH, {"estimator": {"class": SVC, "x": 1}, "param_grid": {}}, "estimator.x", "1", "only class and params"),
        (SEARCH, {"estimator": {"class": SVC, "params": []}, "param_grid": {}}, "estimator.params", "an empty list",
         "must be a mapping"),
        (PIPELINE, {"steps": [["a", {"class": "sklearn.svm.SCV"}]]}, "steps[0][1].class", "sklearn.svm.SCV",
         "did you mean sklearn.svm.SVC?"),
        (PIPELINE, {"steps": [["a", {"float": "x"}]]}, "steps[0][1].float", "x", "must be a number"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_sentence(path: str, params: Any, where: str, value: str, says: str) -> None:
    problem = only(path, params)
    joined = where if where.startswith("[") else f".{where}"
    assert (problem.path, problem.value) == (f"{PATH}.params{joined}", value)
    assert says in problem.message


def nested(depth: int) -> Any:
    inner: Any = {"class": SVC}
    for _ in range(depth):
        inner = {"class": SEARCH, "params": {"estimator": inner, "param_grid": {}}}
    return inner


def test_estimators_nest_to_a_depth() -> None:
    assert not problems(SEARCH, {"estimator": nested(11), "param_grid": {}})
    assert "nested deeper than 12" in only(SEARCH, {"estimator": nested(20), "param_grid": {}}).message
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    assert "nested deeper than 12" in only(SEARCH, {"estimator": nested(0), "param_grid": deep}).message


def test_a_long_name_costs_no_search() -> None:
    problem = only("sklearn." + "x" * 60_000, {})
    assert len(problem.value) == 80 and len(problem.message) < 200
    assert len(only(SVC, {"y" * 60_000: 1}).message) < 600


# Numbers


@pytest.mark.parametrize(
    "path, params, expected",
    [
        (SVC, {"C": 1}, {"C": 1.0}),
        (SVC, {"C": 1.5, "degree": 3}, {"C": 1.5, "degree": 3}),
        (SVC, {"degree": 3.0}, {"degree": 3}),
        (SVC, {"gamma": "scale", "kernel": "rbf", "probability": False}, {"gamma": "scale", "kernel": "rbf",
                                                                       "probability": False}),
        (SVC, {"random_state": 3.0}, {"random_state": 3}),
        (FOREST, {"max_features": {"float": 1}}, {"max_features": 1.0}),
        (FOREST, {"max_features": {"int": 1}}, {"max_features": 1}),
        (FOREST, {"max_features": 5}, {"max_features": 5}),
        (ISOLATION, {"max_features": 5}, {"max_features": 5}),
        (ISOLATION, {"max_features": {"float": 1}}, {"max_features": 1.0}),
        (FOREST, {"max_features": 0.5, "max_depth": None}, {"max_features": 0.5, "max_depth": None}),
        (FOREST, {"min_samples_split": 1}, {"min_samples_split": 1.0}),
        (FOREST, {"min_samples_split": 2}, {"min_samples_split": 2}),
        (
            SEARCH,
            {"estimator": {"class": SVC, "params": {"C": 1}}, "param_grid": {"C": [{"float": 1}, 2]}},
            {"estimator": {"class": SVC, "params": {"C": 1.0}}, "param_grid": {"C": [1.0, 2]}},
        ),
    ],
)  # fmt: skip
def test_numbers_get_their_types_back(path: str, params: Any, expected: Any) -> None:
    assert not problems(path, params)
    built = typed.estimator({"class": path, "params": params}, builders.catalogue())
    assert repr(built) == repr({"class": path, "params": expected})


numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 12)
scalars = st.none() | st.booleans() | numbers | st.text(max_size=5) | st.sampled_from(["auto", "sqrt", "rbf", "log2"])
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["int", "float", "class", "params"]) | st.text(max_size=4), inner, max_size=2)
        | st.builds(lambda name, value: {"class": SVC, "params": {name: value}}, st.sampled_from(["C", "x"]), inner)
    ),
    max_leaves=6,
)
places = st.sampled_from(sorted(RAW["classes"])).flatmap(
    lambda path: st.tuples(st.just(path), st.sampled_from([*RAW["classes"][path]["params"], "zzz"]))
)


@given(places, json_values)
def test_any_value_is_refused_in_words_or_has_one_type(place: tuple[str, str], value: Any) -> None:
    path, name = place
    document = {"class": path, "params": {name: value}}
    found = problems(path, {name: value})
    for problem in found:
        assert problem.path.startswith(PATH) and problem.message
        assert len(problem.value) <= 80 and problem.value.isprintable()
    if any(name in problem.path for problem in found):
        return
    once = typed.estimator(document, builders.catalogue())
    sent = json.loads(json.dumps(once))
    assert repr(sent) == repr(once)


@given(places, numbers)
def test_the_api_server_may_drop_a_zero_fraction(place: tuple[str, str], value: float) -> None:
    """1.0 comes back as 1: where it is accepted, both spellings give the same."""
    path, name = place
    rules = builders.catalogue().estimators[path].parameters.get(name)
    twin = int(value) if isinstance(value, float) and value.is_integer() else float(value)
    if rules is None or not rules.intervals or twin != value or value == 0:  # there are two zeros
        return
    if [problem for problem in problems(path, {name: value}) if name in problem.path]:
        return
    built = [typed.estimator({"class": path, "params": {name: item}}, builders.catalogue()) for item in (value, twin)]
    assert repr(built[0]) == repr(built[1])


def test_a_count_that_could_be_a_share_is_asked_about() -> None:
    """Forests may draw more samples than there are rows: 2 is two rows, 2.0 is twice as many as there are."""
    forest = "sklearn.ensemble.RandomForestClassifier"
    assert "{int: 2} or {float: 2}" in str(problems(forest, {"max_samples": 2}))
    assert not problems(forest, {"max_samples": {"int": 2}})
    assert not problems(forest, {"max_samples": 0.5})
