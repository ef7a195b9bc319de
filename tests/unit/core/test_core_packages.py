"""Classes of packages besides scikit-learn: nobody's unless the operator's settings allow them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pydantic
import pytest

from sklearn_operator.core import settings, training, validation
from sklearn_operator.runtime import settings as operator_settings
from unit.core import builders

ALLOWED = frozenset({"xgboost", "imblearn"})
Json = dict[str, Any]


def accept(model: Json, packages: frozenset[str] = ALLOWED, **spec: Any) -> None:
    catalogue = dataclasses.replace(builders.catalogue(), packages=packages)
    found = builders.model(builders.DIGITS | {"model": model} | spec)
    validation.accept(found, settings.Settings(packages=packages), catalogue)


def xgb(**params: Any) -> Json:
    return {"class": "xgboost.XGBClassifier", "params": params}


BAD_STEPS = [["a", {"class": "sklearn.svm.SVC", "params": {"Q": 1}}]]
SVC = {"class": "sklearn.svm.SVC"}


@pytest.mark.parametrize(
    "model",
    [
        {"estimator": xgb(max_depth=3, tree_method="hist", eta={"float": 1})},
        {"pipeline": [{"name": "s", "class": "sklearn.preprocessing.StandardScaler"}, {"name": "x"} | xgb()]},
        {"pipeline": [{"name": "s", "class": "imblearn.something.Encoder"}, {"name": "x"} | SVC]},
        {"estimator": {"class": "sklearn.calibration.CalibratedClassifierCV", "params": {"estimator": xgb()}}},
        {"estimator": {"class": "sklearn.model_selection.GridSearchCV",
                       "params": {"estimator": xgb(), "param_grid": {"max_depth": [1, 2]}}}},
        {"estimator": {"class": "imblearn.pipeline.Pipeline", "params": {"steps": [["a", SVC]]}}},
    ],
)  # fmt: skip
def test_what_is_allowed_is_left_to_the_task(model: Json) -> None:
    search = {"parameters": [{"name": "max_depth", "type": "Int", "min": 1, "max": 3}]}
    accept(model)
    if "GridSearchCV" not in str(model):
        accept(model, data={"source": {"uri": "s3://b/rows.csv"}, "target": "y", "weight": "w"})
    if str(model.get("estimator", {}).get("class")).startswith("xgboost"):
        accept(model, tuning=search)
        version = builders.version(training={"model": model, "data": {"source": {"builtin": "digits"}}})
        allowed = settings.Settings(packages=ALLOWED)
        config = training.run_config(builders.model(), version, allowed, builders.catalogue())
        assert config["packages"] == ["imblearn", "xgboost"]
        assert config["estimator"]["params"]["eta"] == 1.0


@pytest.mark.parametrize(
    "model, path, says",
    [
        ({"estimator": {"class": "lightgbm.LGBMClassifier"}}, ".estimator.class", "(and of imblearn, xgboost)"),
        ({"estimator": {"class": "xgboost._private.Thing"}}, ".estimator.class", "only public classes"),
        ({"estimator": {"class": "xgboostish.XGBClassifier"}}, ".estimator.class", "only public classes"),
        ({"estimator": xgb(__reduce__="x")}, ".estimator.params.__reduce__", "is no name of a parameter"),
        ({"estimator": xgb(base={"class": "os.system"})}, ".estimator.params.base.class", "only public classes"),
        ({"estimator": {"class": "imblearn.pipeline.Pipeline", "params": {"steps": BAD_STEPS}}},
         ".estimator.params.steps[0][1].params.Q", "sklearn.svm.SVC has no parameter Q"),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_by_name(model: Json, path: str, says: str) -> None:
    with pytest.raises(validation.NotAccepted) as refused:
        accept(model)
    (problem,) = refused.value.problems
    assert problem.path == f"spec.model{path}" and says in problem.message


def test_nothing_else_is_allowed_by_default() -> None:
    with pytest.raises(validation.NotAccepted, match=r"only public classes of scikit-learn can be named"):
        accept({"estimator": xgb()}, frozenset())
    assert operator_settings.OperatorSettings().for_core().packages == frozenset()


@pytest.mark.parametrize("text", ["xgboost,os.path", "a b", "_private", "1x", "sk-learn"])
def test_bad_settings_say_what_they_want(text: str) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        operator_settings.OperatorSettings(packages=text)
    assert "SKLEARN_OPERATOR_PACKAGES: Value error, must be import names" in operator_settings.describe(refused.value)
    assert operator_settings.OperatorSettings(packages="xgboost, imblearn,").for_core().packages == ALLOWED
