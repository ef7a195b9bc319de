"""A search is checked before any pod starts, told to the task in scikit-learn's types, and followed on its way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import actions, attempts, observed, outcomes, plan, training, tuning, validation
from sklearn_operator.core.settings import Settings
from sklearn_steps import contract
from unit.api import api_cases
from unit.core import builders

GAMMA = {"name": "gamma", "type": "Double", "min": 0.0001, "max": 0.001}
KERNEL = {"name": "kernel", "type": "Categorical", "values": ["rbf", "poly"]}
FOREST = {"class": "sklearn.ensemble.RandomForestClassifier"}
BOOSTED = {
    "class": "sklearn.ensemble.AdaBoostClassifier",
    "params": {"estimator": {"class": "sklearn.tree.DecisionTreeClassifier"}},
}
PIPELINE = {
    "class": "sklearn.pipeline.Pipeline",
    "params": {
        "steps": [
            ["scale", {"class": "sklearn.preprocessing.StandardScaler"}],
            ["svc", {"class": "sklearn.svm.SVC", "params": {"gamma": 0.001}}],
        ]
    },
}


def double(name: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "Double", "min": low, "max": high} | more


def whole(name: str, low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "Int", "min": low, "max": high} | more


def choice(name: str, *values: Any) -> dict[str, Any]:
    return {"name": name, "type": "Categorical", "values": list(values)}


def spec(*dimensions: dict[str, Any], model: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    change: dict[str, Any] = {"tuning": {"parameters": list(dimensions) or [GAMMA]} | more}
    return api_cases.changed(builders.DIGITS, change | ({"model.estimator": model} if model else {}))


def judged(raw: dict[str, Any]) -> list[tuple[str, str, str]]:
    try:
        validation.accept(builders.model(raw), Settings(), builders.catalogue())
    except validation.NotAccepted as refusal:
        return [(problem.path, problem.value, problem.message) for problem in refusal.problems]
    return []


@pytest.mark.parametrize(
    "raw",
    [
        spec(GAMMA, double("C", 0.01, 1), KERNEL, whole("degree", 2, 5)),
        spec(choice("gamma", "scale", "auto", 0.001), choice("class_weight", None, "balanced")),
        spec(whole("n_estimators", 10, 500, log=True), double("max_features", 0.1, 1.0), model=FOREST),
        spec(whole("max_features", 1, 8), choice("max_depth", None, 3, 5), model=FOREST),
        spec(choice("max_features", {"float": 1}, {"int": 1}, "sqrt"), model=FOREST),
        spec(whole("estimator__max_depth", 1, 4), model=BOOSTED),
        spec(choice("estimator", {"class": "sklearn.svm.SVC"}, {"class": "sklearn.svm.NuSVC"}), model=BOOSTED),
        spec(double("svc__C", 0.1, 10), choice("scale", "passthrough"), model=PIPELINE),
        spec(double("C", 0.1, 1, step=0.1), KERNEL, algorithm="Grid", trials=21),
        spec(objective={"metric": "f1_macro", "goal": 1}),
        spec(whole("max_depth", 1, 9), objective={"metric": "neg_log_loss", "goal": -0.1}, model=FOREST),
        spec(algorithm="TPE", parallelTrials=256, trials=3, crossValidation={"folds": 3}),
        spec(engine="InProcess"),
    ],
    ids=lambda raw: json.dumps(raw["tuning"])[:80],
)  # fmt: skip
def test_accepted(raw: dict[str, Any]) -> None:
    assert judged(raw) == []


P0, NAME = "spec.tuning.parameters[0]", "spec.tuning.parameters[0].name"


@pytest.mark.parametrize(
    "raw, path, value, says",
    [
        (spec(double("Gamma", 0, 1)), NAME, "Gamma", "did you mean gamma?"),
        (spec(double("c", 0, 1)), NAME, "c", "has no parameter c"),
        (spec(double("gamma__x", 0, 1)), NAME, "gamma__x", "gamma of sklearn.svm.SVC is no estimator"),
        (spec(whole("estimator__max_dept", 1, 4), model=BOOSTED), NAME, "estimator__max_dept", "mean max_depth?"),
        (
            spec(whole("estimator__max_depth", 1, 4), model={"class": "sklearn.ensemble.AdaBoostClassifier"}),
            NAME, "estimator__max_depth", "give it there, or search estimator itself",
        ),
        (spec(double("svm__C", 1, 2), model=PIPELINE), NAME, "svm__C", "has no parameter svm"),
        (spec(double("svc__Q", 1, 2), model=PIPELINE), NAME, "svc__Q", "SVC has no parameter Q"),
        (spec(whole("n_jobs", 1, 2), model=FOREST), NAME, "n_jobs", "changes no model"),
        (spec(double("C", -1, 1)), f"{P0}.min", "-1.0", "must be a number in (0, inf)"),
        (spec(double("max_features", 0.5, 1.5), model=FOREST), f"{P0}.max", "1.5", "must be"),
        (spec(whole("max_depth", 0, 3), model=FOREST), f"{P0}.min", "0.0", "an integer in [1, inf)"),
        (spec(double("max_depth", 1, 3), model=FOREST), f"{P0}.type", "Double", "use type: Int"),
        (spec(double("kernel", 1, 3)), f"{P0}.type", "Double", "use type: Categorical"),
        (spec(whole("probability", 0, 1)), f"{P0}.type", "Int", "use type: Categorical"),
        (spec(choice("kernel", "rbf", "ploy")), f"{P0}.values[1]", "ploy", "did you mean poly?"),
        (spec(choice("max_features", 1, 2), model=FOREST), f"{P0}.values[0]", "1", "{int: 1} or {float: 1}"),
        (spec(choice("C", {"class": "os.system"})), f"{P0}.values[0].class", "os.system", "only public classes"),
        (
            spec(choice("estimator", {"class": "sklearn.svm.SVC"}), whole("estimator__max_depth", 1, 2), model=BOOSTED),
            "spec.tuning.parameters[1].name", "estimator__max_depth", "is part of estimator",
        ),
        (spec(double("C", 1, 9, step=1), algorithm="Grid", trials=9), "spec.tuning.trials", "9", "set it to 10"),
        (
            spec(*(double(name, 0.1, 1, step=0.0001) for name in ("C", "gamma")), algorithm="Grid"),
            "spec.tuning.trials", "12", "the grid has 81018001 points",
        ),
        (spec(objective={"metric": "acuracy"}), "spec.tuning.objective.metric", "acuracy", "did you mean accuracy?"),
        (spec(objective={"metric": "r2"}), "spec.tuning.objective.metric", "r2", "is for a regressor"),
        (
            spec(objective={"metric": "accuracy", "goal": 99}),
            "spec.tuning.objective.goal", "99.0", "accuracy is at most 1",
        ),
        (
            spec(objective={"metric": "neg_log_loss", "goal": 0.1}),
            "spec.tuning.objective.goal", "0.1", "neg_log_loss is at most 0",
        ),
        (spec(objective={"direction": "Minimize"}), "spec.tuning.objective.direction", "Minimize", "set Maximize"),
        (spec(timeout="1h"), "spec.tuning.timeout", "1h", "the run is ended after spec.training.timeout (1h)"),
        (
            spec(double("contamination", 0.1, 0.2), model={"class": "sklearn.ensemble.IsolationForest"}),
            "spec.tuning", "set", "no metric for an outlier detector",
        ),
        (spec(engine="Katib"), "spec.tuning.engine", "Katib", "not implemented in this release"),
    ],
    ids=lambda item: item[:60] if isinstance(item, str) else "",
)  # fmt: skip
def test_refused(raw: dict[str, Any], path: str, value: str, says: str) -> None:
    found = judged(raw)
    assert found, "accepted"
    assert found[0][:2] == (path, value)
    assert says in found[0][2]


names = st.sampled_from(["gamma", "C", "kernel", "svc", "estimator", "n_jobs", "steps", "x"])
addresses = st.lists(names, min_size=1, max_size=4).map("__".join)
numbers = st.one_of(st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6))
scalars = st.none() | st.booleans() | numbers | st.text(max_size=4)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
)
dimensions = st.fixed_dictionaries(
    {"name": addresses, "type": st.sampled_from(["Double", "Int", "Categorical"])},
    optional={"min": numbers, "max": numbers, "step": numbers, "log": st.booleans(), "values": st.lists(anything)},
)
blocks = st.fixed_dictionaries(
    {"parameters": st.lists(dimensions, min_size=1, max_size=3)},
    optional={
        "algorithm": st.sampled_from(["Grid", "Random", "Halving", "TPE"]),
        "trials": st.integers(-1, 10001),
        "objective": st.fixed_dictionaries({}, optional={"metric": st.text(max_size=9), "goal": numbers}),
    },
)


@settings(max_examples=300, deadline=None)
@given(blocks, st.sampled_from([None, FOREST, BOOSTED, PIPELINE]))
def test_whatever_is_written_there_is_refused_or_can_be_told_to_the_task(
    block: dict[str, Any], model: dict[str, Any] | None
) -> None:
    raw = api_cases.changed(builders.DIGITS, {"tuning": block} | ({"model.estimator": model} if model else {}))
    if judged(raw):
        return
    frozen = training.frozen(api.parse_spec(raw))
    contract.Tuning.model_validate(tuning.config(frozen["tuning"], frozen["model"], builders.catalogue()))


def config_of(raw: dict[str, Any]) -> dict[str, Any]:
    frozen = json.loads(json.dumps(training.frozen(api.parse_spec(raw))))
    version = builders.version(training=frozen)
    return training.run_config(builders.model(raw), version, Settings(), builders.catalogue())


def test_the_task_is_told_values_in_scikit_learns_types() -> None:
    raw = spec(
        choice("max_features", {"float": 1}, {"int": 2}, 0.5), choice("min_impurity_decrease", 1, 0.5), model=FOREST
    )
    told = config_of(raw)["tuning"]
    values = [one["values"] for one in told["parameters"]]
    assert [[repr(value) for value in row] for row in values] == [["1.0", "2", "0.5"], ["1.0", "0.5"]]
    assert told["timeoutSeconds"] == 600.0 and "engine" not in told
    contract.RunConfig.model_validate_json(training.encode_config(config_of(raw)))


def test_without_a_search_nothing_is_told_of_one() -> None:
    assert "tuning" not in config_of(builders.DIGITS)


def test_the_engine_makes_no_new_version() -> None:
    def hashed(**more: Any) -> str:
        return training.training_hash(api.parse_spec(spec(**more)))

    assert hashed() == hashed(engine="InProcess") != hashed(seed=1)
    assert hashed() != training.training_hash(api.parse_spec(builders.DIGITS))


SEEN = {"completed": 3, "failed": 1, "total": 12, "bestScore": 0.97, "bestParams": {"gamma": 0.0005}}


def in_training(progress: dict[str, Any] | None, **status: Any) -> tuple[plan.Plan, observed.Version]:
    raw = spec()
    wish = training.training_hash(api.parse_spec(raw))
    version = builders.version(training_hash=wish, trigger_key=wish, training=training.frozen(api.parse_spec(raw)))
    run = builders.run(version, age=120)
    version = replace(version, status={"phase": "Running", "run": {"id": run.id, "state": "RUNNING", "attempt": 1}})
    model = builders.model(raw, status=status)
    seen = observed.Observed(model, (version,), {version.name: observed.Attempt(run, progress=progress)})
    return plan.plan(seen, Settings(), builders.catalogue(), builders.NOW), version


def test_progress_is_reported_as_it_is_and_looked_at_every_five_seconds() -> None:
    made, _ = in_training(SEEN)
    assert made.status is not None and made.status["tuning"] == SEEN
    assert made.look_again == timedelta(seconds=5)
    trained = next(row for row in made.status["conditions"] if row["type"] == "Trained")
    assert trained["message"] == (
        "digits-v1 is in training, tuning with up to 12 Random trials, in process (engine Auto)"
    )
    again, _ = in_training(SEEN, **made.status)
    assert again.idle


def test_what_was_seen_last_stays_until_there_is_more() -> None:
    nothing, _ = in_training(None)
    assert nothing.status is not None
    assert nothing.status["tuning"] == {"completed": 0, "failed": 0, "total": 12}
    seen, _ = in_training(SEEN)
    assert seen.status is not None
    assert in_training(None, **seen.status)[0].idle


def test_a_version_keeps_how_its_search_went() -> None:
    _, version = in_training(None)
    result = {
        "artifact": {"uri": "s3://b/x/", "sha256": "ab" * 32, "size": 1}, "metrics": {"accuracy": 0.97}, "lineage": {},
        "tuning": SEEN | {"algorithm": "Random", "metric": "accuracy", "bestTrial": 3, "ended": "Trials"},
    }  # fmt: skip
    context = attempts.Context(builders.model(), Settings(), builders.NOW)
    ended = builders.run(version, "SUCCEEDED")
    step = attempts.advance(version, observed.Attempt(ended, observed.Outcome(result=result)), context)
    assert step.status is not None
    assert step.status["tuning"] == {name: value for name, value in SEEN.items() if name != "total"}


def document(**changes: Any) -> bytes:
    fields = SEEN | {"runId": "r", "version": "digits-v1", "attempt": 1, "at": "2026-01-01T12:00:00Z"} | changes
    return json.dumps(fields).encode()


def test_progress_counts_only_if_it_is_this_runs_and_small() -> None:
    assert outcomes.progress(document(), "r") == SEEN
    for content in (
        None, b"", b"{", document(runId="another"), document(bestScore="NaN"), document(completed=-1),
        document(bestParams={"a": "x" * 30_000}), document(more="x" * 70_000),
    ):  # fmt: skip
        assert outcomes.progress(content, "r") is None


def test_actions_are_none_while_a_search_goes_on() -> None:
    made, _ = in_training(SEEN)
    assert not [action for action in made.actions if not isinstance(action, actions.ReportVersion)]
