"""A declared pipeline is refused with the step, the parameter and the remedy, or it can be built."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import settings, training, validation
from sklearn_operator.runtime import resources
from sklearn_steps import contract, recipe
from unit.core import builders

CLASSES: dict[str, dict[str, Any]] = json.loads(resources.catalogue())["classes"]
PIPELINE = "spec.model.pipeline"
Json = dict[str, Any]


def cls(path: str, **params: Any) -> Json:
    return {"class": f"sklearn.{path}", "params": params}


def step(name: str, path: str, **params: Any) -> Json:
    return {"name": name} | cls(path, **params)


def group(select: Any, *steps: Json, name: str = "g") -> Json:
    return {"name": name, "select": select, "steps": list(steps)}


SCALE, TFIDF = cls("preprocessing.StandardScaler"), cls("feature_extraction.text.TfidfVectorizer")
SVC = step("model", "svm.SVC")
COLUMNS = {"name": "prepare", "columns": [group({"dtype": "number"}, SCALE)]}
NUMBERS = {"dtype": "number"}


def manifest(*steps: Any, **changes: Any) -> Json:
    return builders.DIGITS | {"model": {"pipeline": list(steps)}} | changes


def accept(spec: Json) -> api.SklearnModelSpec:
    return validation.accept(builders.model(spec), settings.Settings(), builders.catalogue())


def columns(*groups: Json) -> Json:
    return {"name": "prepare", "columns": list(groups)}


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


WEIGHED = {"data": {"source": {"uri": "s3://b/rows.csv"}, "target": "y", "weight": "w"}}


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


def config(spec: Json) -> contract.RunConfig:
    frozen = json.loads(json.dumps(training.frozen(accept(spec))))
    version = builders.version(training=frozen)
    written = training.run_config(builders.model(spec), version, settings.Settings(), builders.catalogue())
    return contract.RunConfig.model_validate_json(training.encode_config(written))


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


# What a search may change


TUNED = [
    columns(
        group(["a"], cls("preprocessing.OneHotEncoder"), name="words"),
        group(NUMBERS, cls("impute.SimpleImputer"), SCALE, SCALE, name="numbers"),
    ),
    step("union", "pipeline.FeatureUnion", transformer_list=[["pca", cls("decomposition.PCA")]]),
    SVC,
]


def searched(name: str, **dimension: Any) -> Json:
    return manifest(*TUNED, tuning={"parameters": [{"name": name} | dimension]})


@pytest.mark.parametrize(
    "name, values",
    [
        ("model__C", [1, 2.5]),
        ("prepare__remainder", ["drop", "passthrough"]),
        ("prepare__words__handle_unknown", ["ignore", "error"]),
        ("prepare__words", [cls("preprocessing.OrdinalEncoder"), "drop"]),
        ("prepare__numbers__simpleimputer__strategy", ["mean", "median"]),
        ("prepare__numbers__standardscaler-2__with_mean", [True, False]),
        ("union__pca__n_components", [1, 2]),
    ],
)
def test_every_parameter_of_every_step_can_be_searched(name: str, values: list[Any]) -> None:
    read = config(searched(name, type="Categorical", values=values))
    assert read.tuning is not None and list(read.tuning.parameters[0].values or ()) == values


@pytest.mark.parametrize(
    "name, says",
    [
        ("modle__C", "did you mean model__…? the steps are prepare, union, model"),
        ("C", "a parameter of a pipeline is step__parameter"),
        ("model__Q", "sklearn.svm.SVC has no parameter Q"),
        ("prepare__wrods__drop", "did you mean words? its parts are words, numbers"),
        ("prepare__numbers__scaler__with_mean", "its parts are simpleimputer, standardscaler-1, standardscaler-2"),
        ("prepare__words__onehotencoder__drop", "has no parameter onehotencoder"),
        ("union__pac__n_components", "did you mean pca?"),
    ],
)
def test_a_name_that_leads_nowhere_is_told_where_it_stops(name: str, says: str) -> None:
    with pytest.raises(validation.NotAccepted) as refused:
        accept(searched(name, type="Double", min=0.1, max=0.2))
    (problem,) = refused.value.problems
    assert (problem.path, problem.value) == ("spec.tuning.parameters[0].name", name)
    assert says in problem.message


# Anything at all

PATHS = sorted(CLASSES)
words = st.sampled_from(["a", "b", "a_b", "steps", "remainder", "a__b", "", "__reduce__", "../x"]) | st.text(max_size=4)
scalars = st.none() | st.booleans() | st.integers(-2, 5) | st.floats(-2, 5) | words
paths = st.sampled_from(PATHS) | st.sampled_from(["os.system", "sklearn.svm._base.SVC", "sklearn.nothing.X", ""])
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["int", "float", "class", "params"]) | words, inner, max_size=2)
        | st.builds(
            lambda path, params: {"class": path, "params": params}, paths, st.dictionaries(words, inner, max_size=1)
        )
    ),
    max_leaves=5,
)


@st.composite
def estimators(draw: st.DrawFn) -> Json:
    path = draw(paths)
    names = st.sampled_from([*CLASSES.get(path, {"params": {}})["params"], "zzz"]) | words
    document: Json = {"class": path}
    return document | ({"params": draw(st.dictionaries(names, values, max_size=2))} if draw(st.booleans()) else {})


selects = st.lists(words, max_size=3) | st.builds(
    lambda kind: {"dtype": kind}, st.sampled_from(["number", "string", "x"])
)
groups = st.builds(
    lambda name, select, steps: {"name": name, "select": select, "steps": steps},
    words, selects | values, st.lists(estimators(), max_size=2),
)  # fmt: skip
any_step = st.builds(lambda name, one: {"name": name} | one, words, estimators()) | st.builds(
    lambda name, found, rest: {"name": name, "columns": found, "remainder": rest},
    words, st.lists(groups, max_size=2), st.sampled_from(["drop", "passthrough", "keep"]),
)  # fmt: skip


NAMES = ["m__C", "g__drop", "s__a__params", "a__steps__b", "steps__a__b", "remainder__x", "b__estimator__class"]
searches = st.none() | st.builds(
    lambda name, found: {"parameters": [{"name": name, "type": "Categorical", "values": found}]},
    st.sampled_from(NAMES), st.lists(values, min_size=1, max_size=2),
)  # fmt: skip


@given(st.lists(any_step | values, max_size=4), st.booleans(), searches)
def test_any_steps_are_refused_in_words_or_told_to_the_tasks(
    steps: list[Any], weighed: bool, tuning: Json | None
) -> None:
    spec = manifest(*steps, **(WEIGHED if weighed else {}), **({"tuning": tuning} if tuning else {}))
    try:
        accept(spec)
    except validation.NotAccepted as refused:
        assert refused.problems
        for problem in refused.problems:
            assert problem.path.startswith("spec") and problem.message
            assert len(problem.value) <= 80 and problem.value.isprintable()
        return
    read = config(spec)
    assert read.pipeline is not None and len(read.pipeline) == len(steps)


FREE = [path for path in PATHS if "required" not in CLASSES[path]]
TRANSFORMERS = [path for path in FREE if CLASSES[path].get("transforms") == "columns"]
CLASSIFIERS = [path for path in FREE if CLASSES[path]["kind"] == "classifier"]
column_names = st.lists(st.text("ab é§", min_size=1, max_size=3), min_size=1, max_size=3)


@given(st.lists(st.sampled_from(TRANSFORMERS), max_size=4), st.sampled_from(CLASSIFIERS), column_names, st.booleans())
def test_every_transformer_may_stand_before_every_model(
    changes: list[str], last: str, names: list[str], grouped: bool
) -> None:
    steps: list[Json] = [{"name": f"s{place}", "class": path} for place, path in enumerate(changes)]
    if grouped and changes:
        steps = [columns(group(names, *({"class": path} for path in changes)))]
    read = config(manifest(*steps, {"name": "model", "class": last}))
    assert read.final.class_ == last and read.pipeline is not None
    if grouped and changes and read.pipeline[0].columns is not None:
        assert read.pipeline[0].columns[0].select == tuple(names)
