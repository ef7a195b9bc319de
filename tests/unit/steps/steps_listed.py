"""scikit-learn's own list of estimators: what each has to be given, and how scikit-learn itself is asked for it.

Nothing of the project is imported.
"""

from __future__ import annotations

import inspect
from typing import Any

from sklearn import datasets

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
