"""Gates: what can be judged at all, what the judgement says, and that it can be made again from what was recorded."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import attempts, gates, observed, settings, training, validation
from sklearn_steps import contract
from sklearn_steps import gates as rules
from unit.api import api_cases
from unit.core import builders

FIGURES = st.floats(-1e6, 1e6)
ABSOLUTE = {"metric": "accuracy", "min": 0.95}
COMPARED = {"metric": "accuracy", "compareTo": "Serving", "maxRegression": 0.01}
REGRESSOR = {"model": {"estimator": {"class": "sklearn.linear_model.Ridge"}}, "data.source": {"builtin": "diabetes"}}
ERROR = "neg_mean_absolute_error"


def spec(evaluation: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return dict(api_cases.changed(builders.DIGITS, {"evaluation": evaluation, **changes}))


def complaint(evaluation: dict[str, Any], **changes: Any) -> str:
    model = builders.model(spec(evaluation, **changes))
    with pytest.raises(validation.NotAccepted) as refusal:
        validation.accept(model, settings.Settings(), builders.catalogue())
    assert refusal.value.reason == "Invalid"
    return refusal.value.message


def judge(gate: dict[str, Any], value: float | None, compared: dict[str, Any] | None = None) -> contract.Judgement:
    metrics = {} if value is None else {"accuracy": value}
    before = contract.Compared.model_validate(compared) if compared else None
    (found,) = rules.judge((contract.Gate.model_validate(gate),), metrics, before)
    return found


def test_a_gate_by_a_metric_that_is_not_computed_names_the_nearest() -> None:
    text = complaint({"gates": [{"metric": "acuracy", "min": 0.9}]})
    assert "spec.evaluation.gates[0].metric" in text and "acuracy" in text
    assert "did you mean accuracy?" in text and "spec.evaluation.metrics" in text


def test_only_the_metrics_that_the_manifest_asks_for_are_computed() -> None:
    text = complaint({"metrics": ["f1_macro"], "gates": [{"metric": "accuracy", "min": 0.9}]})
    assert "f1_macro" in text and "is not computed" in text


def test_defaults_are_those_of_the_kind_of_estimator() -> None:
    model = builders.model(spec({"gates": [{"metric": "r2", "min": 0.2}]}, **REGRESSOR))
    validation.accept(model, settings.Settings(), builders.catalogue())
    assert "r2" in complaint({"gates": [{"metric": "accuracy", "min": 0.2}]}, **REGRESSOR)


def test_where_nothing_is_computed_there_is_nothing_to_judge_or_to_cross_validate() -> None:
    forest = {"model": {"estimator": {"class": "sklearn.ensemble.IsolationForest"}}}
    assert "remove the gate" in complaint({"gates": [{"metric": "accuracy", "min": 0.2}]}, **forest)
    assert "spec.evaluation.crossValidation" in complaint({"crossValidation": {"folds": 3}}, **forest)


@pytest.mark.parametrize("bound", [math.inf, -math.inf, math.nan, "0.9", True])
@pytest.mark.parametrize("name", ["min", "max"])
def test_a_bound_is_a_finite_number(name: str, bound: Any) -> None:
    assert f"spec.evaluation.gates[0].{name}" in complaint({"gates": [{"metric": "accuracy", name: bound}]})


@pytest.mark.parametrize(
    "gate, changes, words",
    [
        ({"metric": "accuracy", "min": 95}, {}, "accuracy is never above 1; write 95 % as 0.95"),
        ({"metric": ERROR, "min": 50}, REGRESSOR, f"{ERROR} is never above 0; an error of at most 50 is min: -50"),
        ({"metric": ERROR, "max": 50}, REGRESSOR, "every model would pass; an error of at most 50 is min: -50"),
    ],
)
def test_a_bound_that_no_model_or_every_model_keeps_is_a_mistake(
    gate: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    text = complaint({"gates": [gate]}, **changes)
    name = "min" if "min" in gate else "max"
    assert f"spec.evaluation.gates[0].{name}" in text and f"{gate[name]}" in text and words in text


@pytest.mark.parametrize(
    "gate, changes",
    [
        ({"metric": "accuracy", "min": 1, "max": 1}, {}),
        ({"metric": ERROR, "min": -50, "max": 0}, REGRESSOR),
        ({"metric": "positive_likelihood_ratio", "min": 20}, {"evaluation.metrics": ["positive_likelihood_ratio"]}),
    ],
)
def test_a_bound_that_a_model_can_keep_is_accepted(gate: dict[str, Any], changes: dict[str, Any]) -> None:
    model = builders.model(spec({"gates": [gate]}, **changes))
    validation.accept(model, settings.Settings(), builders.catalogue())


@pytest.mark.parametrize(
    "gate, value, compared, passed, bound",
    [
        (ABSOLUTE, 0.95, None, True, ">= 0.95"),
        (ABSOLUTE, 0.9499, None, False, ">= 0.95"),
        (ABSOLUTE, None, None, False, ">= 0.95"),
        ({"metric": "accuracy", "max": 0.9}, 0.91, None, False, "<= 0.9"),
        ({"metric": "accuracy", "min": 0.5, "max": 0.9}, 0.7, None, True, ">= 0.5 and <= 0.9"),
        (COMPARED, 0.96, None, True, "not worse than the serving version"),
        (COMPARED, 0.96, {"version": "m-v1", "metrics": {"accuracy": 0.97}}, True, ">= 0.96 (m-v1: 0.97 - 0.01)"),
        (COMPARED, 0.95, {"version": "m-v1", "metrics": {"accuracy": 0.97}}, False, ">= 0.96 (m-v1: 0.97 - 0.01)"),
        (COMPARED, 0.96, {"version": "m-v1", "message": "it is gone"}, False, "comparable with m-v1"),
        (ABSOLUTE | COMPARED, 0.94, None, False, ">= 0.95 and not worse than the serving version"),
    ],
)
def test_judgements(
    gate: dict[str, Any], value: float | None, compared: dict[str, Any] | None, passed: bool, bound: str
) -> None:
    found = judge(gate, value, compared)
    assert (found.passed, found.bound, found.value) == (passed, bound, value)


def test_the_words_say_what_was_found_what_was_asked_and_why() -> None:
    assert judge(ABSOLUTE, 0.93).message == "accuracy 0.93 is not >= 0.95"
    assert judge(ABSOLUTE, None).message == "accuracy (not defined on the test rows) is not >= 0.95"
    assert judge(COMPARED, 0.9, {"version": "m-v1", "message": "it is gone"}).message == (
        "accuracy 0.9 is not comparable with m-v1: it is gone"
    )
    assert "is not compared: no version served" in judge(COMPARED, 0.9).message


@given(value=FIGURES, before=FIGURES, room=st.floats(0, 1e6))
def test_a_comparison_is_the_difference_of_the_two_figures(value: float, before: float, room: float) -> None:
    gate = {"metric": "accuracy", "compareTo": "Serving", "maxRegression": room}
    found = judge(gate, value, {"version": "m-v1", "metrics": {"accuracy": before}})
    assert found.passed == (value >= float(Decimal(repr(before)) - Decimal(repr(room))))


def test_a_comparison_subtracts_as_a_person_does() -> None:
    """In binary fractions 0.8 - 0.1 is more than 0.7."""
    gate = {"metric": "accuracy", "compareTo": "Serving", "maxRegression": 0.1}
    found = judge(gate, 0.7, {"version": "m-v1", "metrics": {"accuracy": 0.8}})
    assert (found.passed, found.bound) == (True, ">= 0.7 (m-v1: 0.8 - 0.1)")


@given(value=FIGURES | st.integers(-3, 3).map(float), low=FIGURES | st.integers(-3, 3).map(float))
def test_a_judgement_made_again_after_the_api_server_took_it_is_the_same(value: float, low: float) -> None:
    """The API server returns 1.0 as 1; a judgement that differed for it would be written for ever."""
    parsed = api.parse_spec(spec({"gates": [{"metric": "accuracy", "min": low}]}))
    version = builders.version(training_hash="wish")
    first = gates.judged(version, {"phase": "Succeeded", "metrics": {"accuracy": value}}, parsed, "wish")
    stored = json.loads(json.dumps(first), parse_float=lambda text: _as_stored(float(text)))
    again = gates.judged(replace(version, status=stored), stored, parsed, "wish")
    assert again == stored == first


def _as_stored(value: float) -> float | int:
    return int(value) if value.is_integer() else value


def test_gates_are_part_of_no_hash_and_of_no_reason_to_try_again() -> None:
    with_gates, without = (api.parse_spec(spec(part)) for part in ({"gates": [ABSOLUTE, COMPARED]}, {}))
    assert training.training_hash(with_gates) == training.training_hash(without)
    assert training.run_hash(with_gates) == training.run_hash(without)
    compared = {"version": "digits-v1", "uri": "s3://b/v1/", "sha256": "ab" * 32}
    made = builders.version(training=training.frozen(with_gates, compared))
    assert training.made_as(made, without) and training.made_as(made, with_gates)
    assert not training.made_as(made, api.parse_spec(spec({"metrics": ["f1_macro"]})))


def test_the_run_is_told_how_to_judge_and_whom_to_compare_with() -> None:
    asked = api.parse_spec(spec({"gates": [ABSOLUTE, COMPARED], "crossValidation": {"folds": 3}}))
    compared = {"version": "digits-v1", "uri": "s3://b/v1/", "sha256": "ab" * 32}
    version = builders.version(training=training.frozen(asked, compared))
    document = training.run_config(builders.model(), version, settings.Settings(), builders.catalogue())
    parsed = contract.RunConfig.model_validate_json(training.encode_config(document))
    assert parsed.evaluation.cross_validation == contract.CrossValidation(folds=3)
    assert [gate.min for gate in parsed.evaluation.gates] == [0.95, None]
    assert parsed.evaluation.compare_with == contract.Predecessor(**compared)
    again = replace(version, status={"run": {"attempt": 2}})
    retried = training.run_config(builders.model(), again, settings.Settings(), builders.catalogue())
    assert retried["evaluation"] == document["evaluation"]


def test_only_a_version_with_an_artifact_can_be_compared_with() -> None:
    bare = builders.version(1, "Succeeded")
    whole = replace(bare, status={"artifact": {"uri": "s3://b/v1/", "sha256": "ab" * 32, "size": 1}})
    assert gates.predecessor([bare], bare.name) is None
    assert gates.predecessor([whole], None) is None
    assert gates.predecessor([replace(whole, deleting=True)], whole.name) is None
    assert gates.predecessor([whole], whole.name) == {
        "version": "digits-v1", "uri": "s3://b/v1/", "sha256": "ab" * 32,
    }  # fmt: skip


@pytest.mark.parametrize("asked", [True, False])
def test_a_comparison_that_nobody_asked_for_is_not_believed(asked: bool) -> None:
    """A task runs the user's code: it must not choose what its model is compared with."""
    item = builders.version(2)
    compared = {"version": "digits-v1", "uri": "s3://b/v1/", "sha256": "ab" * 32}
    judged = {"evaluation": {"gates": [COMPARED if asked else ABSOLUTE]}}
    item = replace(item, training={**item.training, **judged, gates.COMPARED: compared})
    result = {
        "metrics": {"accuracy": 0.9},
        "headline": "accuracy",
        "artifact": {"sha256": "ab" * 32, "size": 1, "uri": "s3://b/x/"},
        "lineage": {},
        "comparedWith": {"version": "somebody-else-v9", "metrics": {"accuracy": 0.1}},
    }
    seen = observed.Attempt(builders.run(item, "SUCCEEDED"), observed.Outcome(result=result))
    context = attempts.Context(builders.model(), settings.Settings(), builders.NOW)
    status = attempts.advance(item, seen, context).status
    assert status is not None
    expected = {"version": "digits-v1", "metrics": {"accuracy": 0.1}} if asked else None
    assert status.get("comparedWith") == expected
