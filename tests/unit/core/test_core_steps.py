"""A declared pipeline is refused with the step, the parameter and the remedy, or it is told to the tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sklearn_operator.core import training, validation
from sklearn_steps import recipe
from unit.core import builders
from unit.core.pipelines import (
    COLUMNS,
    NUMBERS,
    PIPELINE,
    SCALE,
    SVC,
    TFIDF,
    WEIGHED,
    Json,
    accept,
    cls,
    columns,
    config,
    group,
    manifest,
    step,
)


@pytest.mark.parametrize(
    "steps, path, value, says",
    [
        # the class and the parameter of each place
        ([step("a", "preprocessing.StandardScalar"), SVC], "[0].class", "sklearn.preprocessing.StandardScalar",
         "did you mean sklearn.preprocessing.StandardScaler?"),
        ([step("a", "preprocessing.StandardScaler", with_maen=False), SVC], "[0].params.with_maen", "false",
         "did you mean with_mean?"),
        ([step("a", "preprocessing.StandardScaler"), step("m", "svm.SVC", C=-1)], "[1].params.C", "-1",
         "must be a number in (0, inf)"),
        ([columns(group(NUMBERS, cls("impute.SimpleImputer", strategy="meen"))), SVC],
         "[0].columns[0].steps[0].params.strategy", "meen", "did you mean mean?"),
        ([columns(group(NUMBERS, SCALE, cls("decomposition.PCA", n_componets=2))), SVC],
         "[0].columns[0].steps[1].params.n_componets", "2", "did you mean n_components?"),
        ([step("m", "ensemble.StackingClassifier", estimators=[["a", cls("svm.SVC", gama=1)]])],
         "[0].params.estimators[0][1].params.gama", "1", "did you mean gamma?"),
        ([step("m", "ensemble.RandomForestClassifier", max_features=1)], "[0].params.max_features", "1",
         "write {int: 1} or {float: 1}"),
        # what stands before a model
        ([SVC, step("b", "tree.DecisionTreeClassifier")], "[0].class", "sklearn.svm.SVC",
         "only the last step of a pipeline is the model"),
        ([step("a", "manifold.TSNE"), SVC], "[0].class", "sklearn.manifold.TSNE", "choose a transformer"),
        ([step("a", "preprocessing.LabelEncoder"), SVC], "[0].class", "sklearn.preprocessing.LabelEncoder",
         "cannot transform the columns"),
        ([step("a", "model_selection.KFold"), SVC], "[0].class", "sklearn.model_selection.KFold", "transformer"),
        ([columns(group(NUMBERS, cls("svm.SVC"))), SVC], "[0].columns[0].steps[0].class", "sklearn.svm.SVC",
         "predicts and does not transform"),
        ([{"name": "text"} | TFIDF, SVC], "[0].class", "sklearn.feature_extraction.text.TfidfVectorizer",
         "a group of columns that selects that column alone"),
        ([columns(group(["a", "b"], TFIDF)), SVC], "[0].columns[0].steps[0].class",
         "sklearn.feature_extraction.text.TfidfVectorizer", "selects that column alone"),
        ([columns(group(["a"], SCALE, TFIDF)), SVC], "[0].columns[0].steps[1].class",
         "sklearn.feature_extraction.text.TfidfVectorizer", "the first step"),
        ([step("a", "preprocessing.StandardScaler"), COLUMNS, SVC], "[1].columns", "a list of 1",
         "columns have names only in the first step"),
        # the model
        ([COLUMNS, step("m", "preprocessing.StandardScaler")], "[1].class", "sklearn.preprocessing.StandardScaler",
         "is a transformer: it changes data and predicts nothing"),
        ([COLUMNS, step("m", "cluster.DBSCAN")], "[1].class", "sklearn.cluster.DBSCAN", "choose a clusterer that can"),
        ([COLUMNS, step("m", "neighbors.LocalOutlierFactor")], "[1].params.novelty", "absent", "set novelty: true"),
        ([COLUMNS, step("m", "model_selection.GridSearchCV", estimator=SCALE, param_grid={})],
         "[1].params.estimator.class", "sklearn.preprocessing.StandardScaler", "is a transformer"),
        # names
        ([step("steps", "preprocessing.StandardScaler"), SVC], "[0].name", "steps", "choose another name"),
        ([columns(group(NUMBERS, SCALE, name="remainder")), SVC], "[0].columns[0].name", "remainder",
         "choose another name"),
        ([step("m", "ensemble.VotingClassifier", estimators=[["a", cls("svm.SVC")], ["a", cls("svm.SVC")]])],
         "[0].params.estimators[1][0]", "a", "names must differ"),
        ([step("m", "ensemble.VotingClassifier", estimators=[["a__b", cls("svm.SVC")]])],
         "[0].params.estimators[0][0]", "a__b", "no double underscore"),
        ([step("m", "ensemble.VotingClassifier", estimators=[["voting", cls("svm.SVC")]])],
         "[0].params.estimators[0][0]", "voting", "choose another name"),
        ([step("m", "ensemble.StackingRegressor", estimators=[cls("svm.SVR")])],
         "[0].params.estimators[0]", "a mapping of class, params", "must be [name, {class, params}], with drop"),
        ([step("m", "ensemble.VotingClassifier", estimators=[["a", "passthrough"]])],
         "[0].params.estimators[0]", "a list of 2", "with drop for no estimator"),
        ([step("c", "compose.ColumnTransformer", transformers=[["a", SCALE]]), SVC],
         "[0].params.transformers[0]", "a list of 2", "must be [name, {class, params}, columns]"),
        # what may not be named
        ([{"name": "a", "class": "os.system", "params": {}}, SVC], "[0].class", "os.system",
         "only public classes of scikit-learn"),
        ([{"name": "a", "class": "xgboost.XGBClassifier"}], "[0].class", "xgboost.XGBClassifier",
         "only public classes of scikit-learn"),
        ([step("a", "preprocessing.FunctionTransformer", __reduce__="x"), SVC], "[0].params.__reduce__", "x",
         "has no parameter __reduce__"),
        ([step("a", "preprocessing.FunctionTransformer", func="os.system"), SVC], "[0].params.func", "os.system",
         "must be null"),
    ],
)  # fmt: skip
def test_bad_input(steps: list[Json], path: str, value: str, says: str) -> None:
    with pytest.raises(validation.NotAccepted) as refused:
        accept(manifest(*steps))
    (problem,) = refused.value.problems
    assert (refused.value.reason, problem.path, problem.value) == ("Invalid", f"{PIPELINE}{path}", value)
    assert says in problem.message


@pytest.mark.parametrize(
    "steps, path",
    [
        ([step("a__b", "preprocessing.StandardScaler"), SVC], "[0].name"),
        ([SVC | {"name": "a"}, SVC | {"name": "a"}], ""),
        ([], ""),
        ([COLUMNS], ""),
        ([columns(group([], SCALE)), SVC], "[0].columns[0].select"),
        ([columns(group({"dtype": "float"}, SCALE)), SVC], "[0].columns[0].select"),
        ([columns(group(["a"])), SVC], "[0].columns[0].steps"),
        ([COLUMNS | {"remainder": "keep"}, SVC], "[0].remainder"),
    ],
)
def test_what_the_schema_refuses(steps: list[Json], path: str) -> None:
    with pytest.raises(validation.NotAccepted) as refused:
        accept(manifest(*steps))
    assert [problem.path for problem in refused.value.problems] == [f"{PIPELINE}{path}"]


@pytest.mark.parametrize(
    "last, metric, whose",
    [
        (step("m", "linear_model.Ridge"), "accuracy", "sklearn.linear_model.Ridge is a regressor"),
        (step("m", "cluster.KMeans"), "accuracy", "sklearn.cluster.KMeans is a clusterer"),
        (step("m", "pipeline.Pipeline", steps=[["svc", cls("svm.SVC")]]), "r2", "sklearn.svm.SVC is a classifier"),
    ],
)
def test_the_last_step_decides_which_metrics_fit(last: Json, metric: str, whose: str) -> None:
    with pytest.raises(validation.NotAccepted) as refused:
        accept(manifest(COLUMNS, last, evaluation={"metrics": [metric]}))
    (problem,) = refused.value.problems
    assert problem.path == "spec.evaluation.metrics[0]" and whose in problem.message


@pytest.mark.parametrize(
    "last, whose",
    [
        (step("m", "neighbors.KNeighborsClassifier"), "sklearn.neighbors.KNeighborsClassifier"),
        (step("m", "pipeline.Pipeline", steps=[["a", SCALE], ["knn", cls("neighbors.KNeighborsClassifier")]]),
         "sklearn.neighbors.KNeighborsClassifier"),
        (step("m", "ensemble.VotingClassifier", estimators=[["a", cls("svm.SVC")], ["b", "drop"]]),
         "sklearn.ensemble.VotingClassifier"),
        (SVC, None),
        (step("m", "pipeline.Pipeline", steps=[["a", "passthrough"], ["svc", cls("svm.SVC")]]), None),
        (step("m", "ensemble.BaggingClassifier", estimator=cls("svm.SVC")), None),
    ],
)  # fmt: skip
def test_weights_are_for_a_last_step_that_takes_them(last: Json, whose: str | None) -> None:
    spec = manifest(COLUMNS, last, **WEIGHED)
    if whose is None:
        assert config(spec).data.weight == "w"
        return
    with pytest.raises(validation.NotAccepted) as refused:
        accept(spec)
    (problem,) = refused.value.problems
    assert (problem.path, problem.value) == ("spec.data.weight", "w")
    assert problem.message.startswith(f"{whose} takes no sample weights when it is fitted")


@pytest.mark.parametrize("inner", [{"class": []}, {"class": "sklearn.svm.SVC", "params": [1]}, [1], None])
def test_broken_nested_estimators_stop_nobody_from_looking_further(inner: Any) -> None:
    last = step("m", "pipeline.Pipeline", steps=[["a", inner]])
    search = {"parameters": [{"name": "m__a__C", "type": "Categorical", "values": [1]}]}
    with pytest.raises(validation.NotAccepted) as refused:
        accept(manifest(last, tuning=search, **WEIGHED))
    assert refused.value.problems[0].path.startswith(f"{PIPELINE}[0].params.steps")


# What the tasks are told


def test_numbers_have_their_types_in_every_step() -> None:
    read = config(
        manifest(
            columns(
                group(["a"], cls("preprocessing.QuantileTransformer", n_quantiles=10.0)),
                group(NUMBERS, SCALE, name="n"),
            )
            | {"remainder": "passthrough"},
            step("few", "feature_selection.SelectFromModel", estimator=cls("svm.SVC", C=1), threshold=1),
            step("m", "ensemble.RandomForestClassifier", max_features={"float": 1}, min_samples_leaf={"int": 1}),
        )
    )
    assert read.estimator is None and read.pipeline is not None
    first, second, last = read.pipeline
    assert first.columns is not None and first.remainder == "passthrough"
    assert repr(first.columns[0].steps[0].params) == "{'n_quantiles': 10}"
    assert (first.columns[0].select, first.columns[1].select) == (("a",), recipe.SelectKind(dtype="number"))
    assert repr(second.params["estimator"]["params"]) == "{'C': 1.0}"
    assert repr(last.params) == "{'max_features': 1.0, 'min_samples_leaf': 1}"
    assert (read.final.class_, read.final.params) == ("sklearn.ensemble.RandomForestClassifier", last.params)


FOREST = step("m", "ensemble.RandomForestClassifier")


@pytest.mark.parametrize(
    "changed, same",
    [
        ([COLUMNS | {"remainder": "drop"}, FOREST], True),
        ([COLUMNS, {"name": "m", "class": "sklearn.ensemble.RandomForestClassifier"}], True),
        ([COLUMNS | {"remainder": "passthrough"}, FOREST], False),
        ([COLUMNS | {"name": "other"}, FOREST], False),
        ([columns(group(["a"], SCALE)), FOREST], False),
        ([COLUMNS, step("m", "ensemble.RandomForestClassifier", n_estimators=5)], False),
        ([FOREST], False),
    ],
)
def test_what_trains_a_pipeline_again(changed: list[Json], same: bool) -> None:
    before, after = accept(manifest(COLUMNS, FOREST)), accept(manifest(*changed))
    assert (training.training_hash(before) == training.training_hash(after)) == same
    for first, second in ((before, after), (after, before)):
        kept = builders.version(training=json.loads(json.dumps(training.frozen(first))))
        assert training.made_as(kept, second) == same
