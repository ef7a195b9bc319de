"""scikit-learn's own list of estimators, trained by the steps and asked through the serving runtime.

Every answer is compared with what scikit-learn itself says in this process, to the last digit.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steps_given as given
import steps_served as served
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.utils import all_estimators

from sklearn_steps import catalogue

TREE = {"class": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 2}}
STUMP = {"class": "sklearn.tree.DecisionTreeRegressor", "params": {"max_depth": 2}}
BAYES, RIDGE = {"class": "sklearn.naive_bayes.GaussianNB"}, {"class": "sklearn.linear_model.Ridge"}
LOGISTIC = {"class": "sklearn.linear_model.LogisticRegression", "params": {"max_iter": 20}}
SMALL = {"n_estimators": 3}

#: What a class has to be given to be trained at all, or to be trained quickly.
PARAMS: dict[str, dict[str, Any]] = {
    "ClassifierChain": {"estimator": TREE},
    "MultiOutputClassifier": {"estimator": TREE},
    "OneVsOneClassifier": {"estimator": TREE},
    "OneVsRestClassifier": {"estimator": BAYES},
    "OutputCodeClassifier": {"estimator": TREE},
    "FixedThresholdClassifier": {"estimator": BAYES},
    "TunedThresholdClassifierCV": {"estimator": BAYES, "cv": 2},
    "SelfTrainingClassifier": {"estimator": BAYES},
    "CalibratedClassifierCV": {"estimator": BAYES, "cv": 2},
    "StackingClassifier": {"estimators": [["tree", TREE], ["bayes", BAYES]], "final_estimator": TREE, "cv": 2},
    "VotingClassifier": {"estimators": [["tree", TREE], ["bayes", BAYES]], "voting": "soft"},
    "MultiOutputRegressor": {"estimator": STUMP},
    "RegressorChain": {"estimator": STUMP},
    "StackingRegressor": {"estimators": [["tree", STUMP], ["ridge", RIDGE]], "final_estimator": RIDGE, "cv": 2},
    "VotingRegressor": {"estimators": [["tree", STUMP], ["ridge", RIDGE]]},
    "TransformedTargetRegressor": {
        "regressor": RIDGE,
        "transformer": {"class": "sklearn.preprocessing.QuantileTransformer", "params": {"n_quantiles": 10}},
    },
    "LocalOutlierFactor": {"novelty": True},
    "RadiusNeighborsClassifier": {"radius": 5.0},
    "RadiusNeighborsRegressor": {"radius": 0.5},
    "NuSVC": {"nu": 0.1},
    "HistGradientBoostingClassifier": {"max_iter": 5},
    "HistGradientBoostingRegressor": {"max_iter": 5},
    "GradientBoostingClassifier": SMALL,
    "GradientBoostingRegressor": SMALL,
    "AdaBoostClassifier": SMALL,
    "AdaBoostRegressor": SMALL,
    "BaggingClassifier": SMALL,
    "BaggingRegressor": SMALL,
    "ExtraTreesClassifier": SMALL,
    "ExtraTreesRegressor": SMALL,
    "RandomForestClassifier": SMALL,
    "RandomForestRegressor": SMALL,
    "IsolationForest": SMALL,
    "GaussianProcessRegressor": {"alpha": 0.1},
    "LogisticRegressionCV": {"cv": 2, "Cs": 2},
    "GammaRegressor": {"max_iter": 20},
    "MLPClassifier": {"hidden_layer_sizes": [4], "max_iter": 5},
    "MLPRegressor": {"hidden_layer_sizes": [4], "max_iter": 5},
    "QuantileRegressor": {"solver": "highs"},
    "CCA": {"n_components": 1},
    "PLSCanonical": {"n_components": 1},
    "PLSRegression": {"n_components": 1},
}
#: Learns several targets only, or needs data of its own kind.
SEVERAL = {"CCA", "MultiOutputRegressor", "PLSCanonical", "RegressorChain"} | {
    f"MultiTask{name}" for name in ("ElasticNet", "ElasticNetCV", "Lasso", "LassoCV")
}
TWO_CLASSES = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
LABELS = {"ClassifierChain", "MultiOutputClassifier"}  # tables of labels: a test of their own
ONE_COLUMN = {"IsotonicRegression"}


def chosen() -> Iterator[Any]:
    """Every estimator that predicts rows that it was not fitted on."""
    paths = {cls: path for path, cls in catalogue.classes()}
    for name, cls in all_estimators():
        kind = catalogue.kind(cls)
        if kind not in ("transformer", "other") and name not in LABELS | ONE_COLUMN and cls in paths:
            yield pytest.param(paths[cls], kind, id=name)


with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    CHOSEN = list(chosen())


def rows(name: str, kind: str) -> tuple[str, Any, Any]:
    builtin = "breast_cancer" if name in TWO_CLASSES else "linnerud" if name in SEVERAL else "iris"
    if kind == "regressor" and name not in SEVERAL:
        builtin = "diabetes"
    X, y = getattr(datasets, f"load_{builtin}")(return_X_y=True)
    return builtin, X, y


def made(value: Any) -> Any:
    """The same as scikit-learn's own objects, by other means than those of the steps."""
    if isinstance(value, dict) and "class" in value:
        module, _, name = value["class"].rpartition(".")
        cls = getattr(__import__(module, fromlist=[name]), name)
        params = {key: made(item) for key, item in value.get("params", {}).items()}
        state = inspect.signature(cls).parameters.get("random_state")
        if state is not None and state.default is None:
            params.setdefault("random_state", 0)
        return cls(**params)
    if isinstance(value, list):
        items = [made(item) for item in value]
        return tuple(items) if items and isinstance(items[0], str) else items
    return value


def test_the_list_is_long_enough() -> None:
    assert len(CHOSEN) > 90
    assert {param.values[1] for param in CHOSEN} == {"classifier", "regressor", "clusterer", "outlier_detector"}


@pytest.mark.filterwarnings("ignore")  # that so little data does not converge, and what goes away in the next release
@pytest.mark.parametrize(("path", "kind"), CHOSEN)
def test_it_answers_as_scikit_learn_does(path: str, kind: str, tmp_path: Path) -> None:
    name = path.rpartition(".")[2]
    builtin, X, y = rows(name, kind)
    params = PARAMS.get(name, {})
    result = given.run(given.config(tmp_path, path, params, source={"builtin": builtin}))
    assert result["estimatorType"] == kind
    stratify = y if kind == "classifier" else None
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.25, random_state=0, stratify=stratify)
    model = made({"class": path, "params": params})
    model.fit(X_train, y_train) if kind in ("classifier", "regressor") else model.fit(X_train)
    answers = served.runtime(tmp_path, result)
    np.testing.assert_array_equal(served.by_rows(answers, X_test.tolist()), model.predict(X_test))
    names = answers.served.columns.names
    by_column = served.by_columns(answers, dict(zip(names, X_test.T.tolist(), strict=True)), *served.asked(answers))
    for output, values in by_column.items():
        np.testing.assert_array_equal(values, getattr(model, output)(X_test))
