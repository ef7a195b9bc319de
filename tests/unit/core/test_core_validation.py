"""What the spec alone tells is told at once: field, value and remedy, with no run started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sklearn_operator.core import actions, observed, plan, settings, validation
from unit.api import api_cases
from unit.core import builders

SETTINGS = settings.Settings(
    service_accounts=frozenset({"trainer"}), data_hosts=frozenset({"data.example.org", "localhost:8443"})
)


def refusal(change: dict[str, Any], name: str = "digits") -> validation.NotAccepted:
    model = builders.model(api_cases.changed(builders.DIGITS, change), key=observed.ModelKey("default", name))
    with pytest.raises(validation.NotAccepted) as refused:
        validation.accept(model, SETTINGS, builders.catalogue())
    return refused.value


def accepted(change: dict[str, Any], name: str = "digits") -> None:
    model = builders.model(api_cases.changed(builders.DIGITS, change), key=observed.ModelKey("default", name))
    validation.accept(model, SETTINGS, builders.catalogue())


CLASS, PARAMS, SOURCE, TARGET = "model.estimator.class", "model.estimator.params", "data.source", "data.target"
FILE = {SOURCE: {"uri": "s3://b/k.csv"}, TARGET: "species"}
SVC = {"class": "sklearn.svm.SVC"}


def estimator(path: str, **params: Any) -> dict[str, Any]:
    return {CLASS: path, PARAMS: params}


def pipeline(*steps: Any) -> dict[str, Any]:
    return estimator("sklearn.pipeline.Pipeline", steps=list(steps))


def search(inner: Any) -> dict[str, Any]:
    return estimator("sklearn.model_selection.GridSearchCV", estimator=inner, param_grid={"C": [1]})


def web(uri: str) -> dict[str, Any]:
    return {SOURCE: {"uri": uri}, TARGET: "species"}


URI = "spec.data.source.uri"
NOVELTY = "spec.model.estimator.params.novelty"
METRIC = "spec.evaluation.metrics[0]"
STEP = "spec.model.estimator.params.steps"


@pytest.mark.parametrize(
    "change, path, value, says",
    [
        # issue by issue: the bad input that needs no pod to be seen
        (estimator("sklearn.svm.SCV"), "spec.model.estimator.class", "sklearn.svm.SCV", "mean sklearn.svm.SVC?"),
        (estimator("xgboost.XGBClassifier"), "spec.model.estimator.class", "xgboost.XGBClassifier", "scikit-learn"),
        ({PARAMS: {"gama": 0.001}}, "spec.model.estimator.params.gama", "0.001", "did you mean gamma?"),
        ({PARAMS: {"C": "1.0"}}, "spec.model.estimator.params.C", "1.0", "must be a number in (0, inf)"),
        ({PARAMS: {"C": -1}}, "spec.model.estimator.params.C", "-1", "must be a number in (0, inf)"),
        ({SOURCE: {"builtin": "digit"}}, "spec.data.source.builtin", "digit", "did you mean digits?"),
        ({SOURCE: {"builtin": "mnist"}}, "spec.data.source.builtin", "mnist", "must be one of iris, digits"),
        ({"evaluation": {"metrics": ["r2"]}}, METRIC, "r2", "is for a regressor and sklearn.svm.SVC is a classifier"),
        ({"evaluation": {"metrics": ["acuracy"]}}, METRIC, "acuracy", "did you mean accuracy?"),
        ({"evaluation": {"metrics": ["zzz"]}}, METRIC, "zzz", "there are accuracy, average_precision"),
        # what can be a model
        (estimator("sklearn.preprocessing.StandardScaler"), "spec.model.estimator.class",
         "sklearn.preprocessing.StandardScaler", "is a transformer: it changes data and predicts nothing"),
        (estimator("sklearn.cluster.DBSCAN"), "spec.model.estimator.class", "sklearn.cluster.DBSCAN",
         "choose a clusterer that can: AffinityPropagation, Birch, BisectingKMeans, KMeans, MeanShift"),
        (estimator("sklearn.cluster.AgglomerativeClustering"), "spec.model.estimator.class",
         "sklearn.cluster.AgglomerativeClustering", "cannot predict rows that it was not fitted on"),
        (estimator("sklearn.model_selection.KFold"), "spec.model.estimator.class", "sklearn.model_selection.KFold",
         "cannot predict, so it is no model"),
        (estimator("sklearn.neighbors.LocalOutlierFactor"), NOVELTY, "absent", "set novelty: true"),
        (estimator("sklearn.neighbors.LocalOutlierFactor", novelty=False), NOVELTY, "false", "set novelty: true"),
        (pipeline(["scale", {"class": "sklearn.preprocessing.StandardScaler"}]), f"{STEP}[0][1].class",
         "sklearn.preprocessing.StandardScaler", "is a transformer"),
        (pipeline(["a", SVC], ["b", "passthrough"]), f"{STEP}[1][1]", "passthrough", "must be an estimator"),
        (pipeline(["a", SVC], ["b"]), f"{STEP}[1]", "a list of 1", "must be [name, {class, params}]"),
        (pipeline(), STEP, "an empty list", "must be a list of [name, {class, params}]"),
        (search({"class": "sklearn.cluster.DBSCAN"}), "spec.model.estimator.params.estimator.class",
         "sklearn.cluster.DBSCAN", "choose a clusterer that can"),
        (search(SVC) | {"evaluation": {"metrics": ["r2"]}}, METRIC, "r2", "sklearn.svm.SVC is a classifier"),
        # data and target
        (FILE | {TARGET: None}, "spec.data.target", "absent", "sklearn.svm.SVC is a classifier: name the target"),
        ({TARGET: "target"}, "spec.data.target", "target", "builtin data set digits has a target of its own"),
        ({SOURCE: {"builtin": "diabetes"}}, "spec.data.source.builtin", "diabetes", "choose a regressor"),
        (FILE | {SOURCE: {"uri": "s3://b/data"}}, "spec.data.format", "absent", "does not tell the format"),
        (FILE | {SOURCE: {"configMap": {"name": "n", "key": "data"}}}, "spec.data.format", "absent", "configMap.key"),
        (FILE | {SOURCE: {"uri": "s3://b/k.parquet"}, "data.csv": {"delimiter": ";"}}, "spec.data.csv",
         "a mapping of delimiter", "is parquet: remove it"),
        (web("https://elsewhere.example.org/k.csv"), URI, "https://elsewhere.example.org/k.csv",
         "elsewhere.example.org is not among those that the operator's settings allow (data.example.org, localhost"),
        (web("http://data.example.org:8080/k.csv"), URI, "http://data.example.org:8080/k.csv", "is not among those"),
        (web("http://localhost/k.csv?X-Amz-Signature=s"), URI, "http://localhost/k.csv?…", "is not among those"),
        (web("http://[::1]/k.csv"), URI, "http://[::1]/k.csv", "the host ::1 is not among those"),
        (web("http://127.1/k.csv"), URI, "http://127.1/k.csv", "the host 127.1 is not among those"),
        (web("http://data.example.org:x/k.csv"), URI, "http://data.example.org:x/k.csv", "names no host"),
        (web("https://data.example.org/") | {"data.format": None}, "spec.data.format", "absent", "does not tell"),
        (web("https://data.example.org/k.csv") | {"data.credentialsSecret": "mine"}, "spec.data.credentialsSecret",
         "mine", "is for s3:// only: remove it"),
        (FILE | {"data.weight": "species"}, "spec.data.weight", "species", "is spec.data.target"),
        (FILE | {"data.split": {"strategy": "Group", "groups": "species"}}, "spec.data.split.groups", "species",
         "is spec.data.target: name another column"),
        (FILE | {"data.weight": "w"} | estimator("sklearn.neighbors.KNeighborsClassifier"), "spec.data.weight", "w",
         "sklearn.neighbors.KNeighborsClassifier takes no sample weights"),
        (FILE | {"data.weight": "w"} | pipeline(["a", SVC], ["k", {"class": "sklearn.neighbors.KNeighborsClassifier"}]),
         "spec.data.weight", "w", "KNeighborsClassifier takes no sample weights"),
        (FILE | {"data.weight": "w"} | search(SVC), "spec.data.weight", "w", "GridSearchCV takes no sample weights"),
        (FILE | estimator("sklearn.cluster.KMeans") | {TARGET: None, "evaluation": {"metrics": ["v_measure_score"]}},
         METRIC, "v_measure_score", "name their column in spec.data.target"),
        (estimator("sklearn.ensemble.IsolationForest") | {"evaluation": {"metrics": ["accuracy"]}}, METRIC, "accuracy",
         "is an outlier detector; scikit-learn has none for it; remove the metric"),
        # resources and names
        ({"training": {"serviceAccountName": "root"}}, "spec.training.serviceAccountName", "root", "(trainer)"),
        ({"training": {"resources": {"requests": {"cpu": 3}, "limits": {"cpu": "2"}}}},
         "spec.training.resources.requests.cpu", "3", "is more than the limit (2)"),
        ({"training": {"resources": {"requests": {"nvidia.com/gpu": 1}}}},
         "spec.training.resources.requests[nvidia.com/gpu]", "1", "the same number in"),
        ({"training": {"resources": {"limits": {"nvidia.com/gpu": "500m"}}}},
         "spec.training.resources.limits[nvidia.com/gpu]", "500m", "ask for a whole number"),
        ({"serving": {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1G"}}}},
         "spec.serving.resources.requests.memory", "2Gi", "raise spec.serving.resources.limits.memory"),
        ({"serving": {"env": [{"name": "SKLEARN_MODEL_VERSION", "value": "x"}]}}, "spec.serving.env[0].name",
         "SKLEARN_MODEL_VERSION", "is set by the operator"),
    ],
)  # fmt: skip
def test_bad_input(change: dict[str, Any], path: str, value: str, says: str) -> None:
    refused = refusal(change)
    assert refused.reason == "Invalid"
    assert [(problem.path, problem.value) for problem in refused.problems] == [(path, value)]
    assert says in refused.problems[0].message
    assert f"{path}: {value}: " in refused.message


@pytest.mark.parametrize(
    "change",
    [
        {},
        estimator("sklearn.neighbors.LocalOutlierFactor", novelty=True),
        estimator("sklearn.cluster.KMeans", n_clusters=10),
        estimator("sklearn.cluster.KMeans") | {"evaluation": {"metrics": ["v_measure_score"]}},
        estimator("sklearn.linear_model.Ridge") | {SOURCE: {"builtin": "diabetes"}},
        estimator("sklearn.linear_model.Ridge") | {SOURCE: {"builtin": "linnerud"}, "evaluation": {"metrics": ["r2"]}},
        pipeline(["scale", {"class": "sklearn.preprocessing.StandardScaler"}], ["svc", SVC]),
        pipeline(["search", {"class": "sklearn.model_selection.GridSearchCV",
                             "params": {"estimator": SVC, "param_grid": {"C": [1]}}}]),
        search(SVC) | {"evaluation": {"metrics": ["f1_macro"]}},
        estimator("sklearn.feature_selection.RFE", estimator={"class": "sklearn.linear_model.Ridge"})
        | {"evaluation": {"metrics": ["r2"]}},
        FILE,
        FILE | {SOURCE: {"uri": "s3://b/data"}, "data.format": "jsonl"},
        FILE | {SOURCE: {"uri": "s3://b/folder/"}},
        FILE | {SOURCE: {"uri": "s3://b/folder/"}, "data.csv": {"delimiter": ";"}},
        FILE | {"data.weight": "w", "data.split": {"strategy": "Group", "groups": "g"}},
        FILE | {"data.weight": "w"} | pipeline(["scale", {"class": "sklearn.preprocessing.StandardScaler"}],
                                               ["svc", SVC]),
        FILE | {"data.split": {"strategy": "Time", "time": "day"}},
        web("https://data.example.org/k.csv?token=1"),
        web("http://DATA.example.org:80/k.csv"),
        web("https://localhost:8443/k.csv"),
        FILE | {SOURCE: {"uri": "s3://b/K.CSV"}, "data.csv": {"delimiter": ";"}},
        FILE | estimator("sklearn.cluster.KMeans") | {TARGET: None},
        {"training": {"serviceAccountName": "trainer", "resources": {"limits": {"nvidia.com/gpu": 1}}}},
        {"training": {"resources": {"requests": {"cpu": "500m", "memory": "1Ei"}, "limits": {"memory": "2E"}}}},
    ],
)  # fmt: skip
def test_what_is_accepted(change: dict[str, Any]) -> None:
    accepted(change)


@pytest.mark.parametrize("account", ["root", "default", "Trainer", "trainer.root", "trainer,root", "other/trainer"])
def test_no_service_account_but_those_of_the_settings(account: str) -> None:
    change = {"training": {"serviceAccountName": account}}
    assert {problem.path for problem in refusal(change).problems} == {"spec.training.serviceAccountName"}
    seen = observed.Observed(builders.model(api_cases.changed(builders.DIGITS, change)))
    decided = plan.plan(seen, SETTINGS, builders.catalogue(), builders.NOW)
    assert [type(action) for action in decided.actions] == [actions.Announce]
    model = builders.model(api_cases.changed(builders.DIGITS, {"training": {"serviceAccountName": "trainer"}}))
    with pytest.raises(validation.NotAccepted, match=r"allow \(none\)"):
        validation.accept(model, settings.Settings(), builders.catalogue())


# Names


def test_a_name_of_41_characters() -> None:
    refused = refusal({}, name="x" * 41)
    (problem,) = refused.problems
    assert (problem.path, problem.value) == ("metadata.name", "x" * 41)
    assert "has 41 characters; a name has at most 40" in problem.message
    accepted({}, name="x" * 40)


@pytest.mark.parametrize("name", ["1st-model", "v1.2"])
def test_a_name_that_kserve_does_not_take_is_refused_where_it_is_served(name: str) -> None:
    (problem,) = refusal({}, name=name).problems
    assert (problem.path, problem.value) == ("metadata.name", name)
    accepted({"serving": None}, name=name)


# Size: refused in words, and cheaply


def test_a_spec_of_300_kb() -> None:
    (problem,) = refusal({PARAMS: {"note": "x" * 300_000}}).problems
    assert (problem.path, problem.value) == ("spec", "more than 64 KiB")
    assert "put data and scripts into a ConfigMap or the store" in problem.message


def test_a_nesting_of_5000() -> None:
    nested: Any = 1
    for _ in range(5000):
        nested = {"a": nested}
    refused = refusal({PARAMS: {"C": nested}})
    assert "is nested deeper than 64 levels; flatten it" in refused.problems[0].message
    assert len(refused.message.encode()) <= 1024


def test_a_thousand_mistakes_are_not_all_looked_for() -> None:
    wrong = {f"x{number}": {"class": f"sklearn.svm.SCV{number}"} for number in range(128)}
    assert len(refusal({PARAMS: wrong}).problems) == 5


def test_one_message_tells_several_problems() -> None:
    refused = refusal({CLASS: "sklearn.svm.SVC", PARAMS: {"gama": 1, "C": -1}})
    assert "spec.model.estimator.params.gama: 1: " in refused.message
    assert "spec.model.estimator.params.C: -1: " in refused.message


# And nothing is started


def test_nothing_is_started_and_the_condition_says_why() -> None:
    seen = observed.Observed(builders.model(api_cases.changed(builders.DIGITS, {PARAMS: {"gama": 1}})))
    decided = plan.plan(seen, SETTINGS, builders.catalogue(), builders.NOW)
    assert [getattr(action, "reason", action) for action in decided.actions] == ["Invalid"]
    assert decided.status is not None and decided.status["phase"] == "Failed"
    rows = {row["type"]: row for row in decided.status["conditions"]}
    assert (rows["Valid"]["status"], rows["Valid"]["reason"]) == ("False", "Invalid")
    assert "spec.model.estimator.params.gama: 1: " in rows["Valid"]["message"]
    assert (rows["Ready"]["status"], rows["Stalled"]["status"], rows["Reconciling"]["status"]) == (
        "False", "True", "False",
    )  # fmt: skip


def test_mending_the_manifest_is_enough() -> None:
    broken = builders.model(api_cases.changed(builders.DIGITS, {PARAMS: {"gama": 1}}))
    first = plan.plan(observed.Observed(broken), SETTINGS, builders.catalogue(), builders.NOW)
    mended = replace(builders.model(generation=2), status=first.status or {})
    second = plan.plan(observed.Observed(mended), SETTINGS, builders.catalogue(), builders.NOW)
    assert [type(action) for action in second.actions] == [actions.CreateVersion]
