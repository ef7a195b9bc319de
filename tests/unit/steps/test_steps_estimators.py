"""What may be named, how it is built, and that the operator's catalogue says the same."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import steps_given as given

from sklearn_steps import catalogue, errors, estimators, recipe

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    return dict(json.loads(catalogue.path().read_bytes()))


def build(path: str, params: Json | None = None, seed: int = 0) -> Any:
    return estimators.build(recipe.EstimatorSpec(class_=path, params=params or {}), seed)


def test_the_catalogue_is_the_one_that_this_scikit_learn_gives() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        fresh = catalogue.generate()
    assert catalogue.path().read_bytes() == fresh, "run: python -m sklearn_steps.catalogue"


def test_every_class_of_the_catalogue_can_be_named(document: Json) -> None:
    assert len(document["classes"]) > 200
    for path in document["classes"]:
        assert estimators.resolve(path).__name__ == path.rpartition(".")[2]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of classes that scikit-learn is about to drop
def test_every_class_can_be_built_with_a_seed(document: Json) -> None:
    for path, entry in document["classes"].items():
        if "required" in entry:
            continue
        made = build(path, seed=5)
        state = inspect.signature(type(made)).parameters.get("random_state")
        if state is not None and state.default is None and not path.startswith("sklearn.model_selection."):
            assert made.random_state == 5, path


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_every_model_of_the_catalogue_is_of_the_kind_it_says(document: Json) -> None:
    for path, entry in document["classes"].items():
        if entry["kind"] in ("transformer", "other") or "required" in entry:
            continue
        if path == "sklearn.neighbors.LocalOutlierFactor":
            assert estimators.kind_of(build(path, {"novelty": True})) == "outlier_detector"
        else:
            assert estimators.kind_of(build(path)) == entry["kind"], path


def _defaults(document: Json) -> Iterator[tuple[str, Any, Json]]:
    for path, entry in document["classes"].items():
        for name, rules in entry["params"].items():
            if "default" in rules and set(rules) & {"types", "options", "intervals"}:
                yield f"{path}.{name}", rules["default"], rules


def test_no_rule_refuses_a_default(document: Json) -> None:
    words = {bool: "bool", str: "str", int: "int", float: "float", list: "list", dict: "dict", type(None): "none"}
    for name, value, rules in _defaults(document):
        types = rules.get("types", [])
        inside = type(value) in (int, float) and any(_within(value, item) for item in rules.get("intervals", []))
        listed = value in rules.get("options", []) or words[type(value)] in types
        listed = listed or (isinstance(value, list) and "array" in types)
        assert inside or listed or (isinstance(value, int) and "float" in types), name


def _within(value: float, item: Json) -> bool:
    if item["type"] == "int" and value != int(value):
        return False
    low, high, closed = item.get("min", float("-inf")), item.get("max", float("inf")), item["closed"]
    above = value > low or (value == low and closed in ("left", "both"))
    return above and (value < high or (value == high and closed in ("right", "both")))


@pytest.mark.parametrize(
    ("path", "name", "ambiguous"),
    [
        ("sklearn.ensemble.RandomForestClassifier", "max_features", True),
        ("sklearn.ensemble.BaggingClassifier", "max_samples", True),
        ("sklearn.tree.DecisionTreeClassifier", "max_features", True),
        ("sklearn.tree.DecisionTreeClassifier", "min_samples_split", False),  # a count begins at 2: 1 is all rows
        ("sklearn.decomposition.PCA", "n_components", False),  # a share is below 1
        ("sklearn.svm.SVC", "C", False),
    ],
)
def test_one_that_means_a_count_or_a_share_is_marked(document: Json, path: str, name: str, ambiguous: bool) -> None:
    assert document["classes"][path]["params"][name].get("intOrFraction", False) is ambiguous


def test_data_sets_and_scorers(document: Json) -> None:
    assert document["datasets"]["digits"]["classes"] == list(range(10))
    assert document["datasets"]["linnerud"]["target"] == ["Weight", "Waist", "Pulse"]
    assert document["scorers"]["r2"] == ["regressor"]
    assert document["scorers"]["silhouette"] == ["clusterer"]
    assert document["versions"]["sklearn"]


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "builtins.eval",
        "sklearn",
        "sklearn.base.BaseEstimator",
        "sklearn.svm._classes.SVC",
        "sklearn.svm.SVC.__init__",
        "sklearn.svm.__builtins__",
        "sklearn.utils._testing.SkipTest",
        "sklearn.externals.array_api_compat.numpy",
        "sklearn.datasets.fetch_openml",
        "sklearn.model_selection._split.np.load",
        "sklearn.ensemble.BaseEnsemble",
        "sklearn.pipeline.Bunch",
        "sklearn.nothing.Here",
        "sklearn. svm.SVC",
        "",
    ],
)
def test_nothing_else_can_be_named(path: str) -> None:
    with pytest.raises(errors.UserError) as refused:
        build(path)
    assert refused.value.reason == "UnknownClass"


@pytest.mark.parametrize("params", [{"__class__": "x"}, {"_estimator_type": "x"}, {"set_params": 1}])
def test_only_parameters_can_be_set(params: Json) -> None:
    with pytest.raises(errors.UserError) as refused:
        build(given.TREE, params)
    assert refused.value.reason == "UnknownParameter"


def test_a_string_never_becomes_a_function() -> None:
    made = build("sklearn.preprocessing.FunctionTransformer", {"func": "os.system"})
    assert made.func == "os.system"


def test_nested_estimators_kernels_and_splitters() -> None:
    made = build(
        "sklearn.model_selection.GridSearchCV",
        {
            "estimator": {
                "class": "sklearn.pipeline.Pipeline",
                "params": {
                    "steps": [
                        ["scale", {"class": "sklearn.preprocessing.MinMaxScaler", "params": {"feature_range": [0, 2]}}],
                        [
                            "gp",
                            {
                                "class": "sklearn.gaussian_process.GaussianProcessClassifier",
                                "params": {"kernel": {"class": "sklearn.gaussian_process.kernels.RBF"}},
                            },
                        ],
                    ]
                },
            },
            "param_grid": {"gp__max_iter_predict": [50, 100]},
            "cv": {"class": "sklearn.model_selection.KFold", "params": {"n_splits": 3, "shuffle": True}},
        },
        seed=9,
    )
    steps = dict(made.estimator.steps)
    assert steps["scale"].feature_range == (0, 2)
    assert steps["gp"].random_state == 9
    assert type(steps["gp"].kernel).__name__ == "RBF"
    assert (made.cv.n_splits, made.cv.random_state) == (3, 9)
    assert made.param_grid == {"gp__max_iter_predict": [50, 100]}
    assert estimators.kind_of(made) == "classifier"


def test_a_seed_given_or_nulled_by_the_user_stays() -> None:
    assert build(given.TREE, {"random_state": 4}).random_state == 4
    assert build(given.TREE, {"random_state": None}).random_state is None
    assert build("sklearn.model_selection.KFold", {}).random_state is None


def test_a_stack_gets_its_final_estimator_only_when_it_is_fitted() -> None:
    members = {"estimators": [["tree", {"class": given.TREE}]]}
    stack = build("sklearn.ensemble.StackingClassifier", members)
    assert estimators.kind_of(stack) == "classifier" and stack.final_estimator is None
    steps = {
        "steps": [
            ["scale", "passthrough"],
            ["stack", {"class": "sklearn.ensemble.StackingClassifier", "params": members}],
        ]
    }
    assert estimators.kind_of(build("sklearn.pipeline.Pipeline", steps)) == "classifier"
