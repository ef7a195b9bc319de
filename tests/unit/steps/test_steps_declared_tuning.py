"""Searches over the steps of a declared pipeline, and sample weights for it: what scikit-learn makes of the same."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import steps_given as given
import steps_served as served
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_steps import contract

Json = dict[str, Any]
ROWS = 96


def rides() -> pd.DataFrame:
    """Numbers, words and days, with gaps; a figure and three labels to learn."""
    random = np.random.default_rng(5)
    km = random.gamma(3, 2, ROWS).round(2)
    town = random.choice(["Bern", "Biel", "Chur"], ROWS)
    table = pd.DataFrame(
        {
            "id": [f"r{place}" for place in range(ROWS)],
            "km": km,
            "wind": random.normal(10, 3, ROWS).round(1),
            "town": town,
            "day": pd.date_range("2026-01-01", periods=ROWS, freq="31h").strftime("%Y-%m-%d"),
            "seats": random.integers(1, 5, ROWS),
            "minutes": (5 + 2.5 * km + 6 * (town == "Chur") + random.normal(0, 1, ROWS)).round(2),
            "late": np.digitize(km + random.normal(0, 1, ROWS), [4, 8]),
        }
    )
    for name in ("wind", "town"):
        table.loc[random.choice(ROWS, 8, replace=False), name] = None
    return table


CSV = rides().to_csv(index=False)
FRAME = pd.read_csv(io.StringIO(CSV))
X = FRAME[["km", "wind", "town"]]


def cls(path: str, **params: Any) -> Json:
    return {"class": f"sklearn.{path}", "params": params}


PREPARE = {
    "name": "prepare",
    "columns": [
        {"name": "numbers", "select": ["km", "wind"],
         "steps": [cls("impute.SimpleImputer"), cls("preprocessing.StandardScaler")]},
        {"name": "words", "select": ["town"], "steps": [cls("preprocessing.OneHotEncoder", handle_unknown="ignore")]},
    ],
}  # fmt: skip
IMPUTE = {
    "name": "prepare__numbers__simpleimputer__strategy", "type": "Categorical", "values": ["mean", "median"],
}  # fmt: skip


def last(path: str, **params: Any) -> Json:
    return {"name": "model"} | cls(path, **params)


def data(target: str = "minutes", *unused: str, **more: Any) -> Json:
    rest = {"minutes", "late"} - {target}
    return given.inline(CSV, target=target, features={"exclude": [*rest, *unused]}, **more)


def built(model: Any) -> Pipeline:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = [("numbers", numbers, ["km", "wind"]), ("words", OneHotEncoder(handle_unknown="ignore"), ["town"])]
    return Pipeline([("prepare", ColumnTransformer(columns)), ("model", model)])


def split(target: str = "minutes") -> tuple[Any, Any]:
    classes = FRAME[target] if target == "late" else None
    train, test = train_test_split(np.arange(ROWS), test_size=0.25, random_state=0, stratify=classes)
    return train, test


def test_a_grid_over_steps_scores_as_scikit_learns_own(tmp_path: Path) -> None:
    alpha = {"name": "model__alpha", "type": "Categorical", "values": [0.1, 1.0, 10.0]}
    tuning = {"algorithm": "Grid", "trials": 7, "parameters": [IMPUTE, alpha], "crossValidation": {"folds": 3}}
    result = given.run(given.declared(tmp_path, [PREPARE, last("linear_model.Ridge")], tuning=tuning, **data()))
    train, test = split()
    grid = {IMPUTE["name"]: IMPUTE["values"], "model__alpha": alpha["values"]}
    search = GridSearchCV(built(Ridge(random_state=0)), grid, cv=KFold(3, shuffle=True, random_state=0), scoring="r2")
    search.fit(X.iloc[train], FRAME["minutes"].iloc[train])
    assert result["tuning"]["bestScore"] == pytest.approx(search.best_score_, rel=1e-12)
    assert {**result["tuning"]["bestParams"]} == search.best_params_
    assert result["metrics"]["r2"] == search.score(X.iloc[test], FRAME["minutes"].iloc[test])
    model = joblib.load(tmp_path / contract.MODEL)
    assert [name for name, _ in model.steps] == ["prepare", "model"]


@pytest.mark.parametrize("algorithm", ["Grid", "Random", "Halving", "TPE"])
def test_every_algorithm_searches_steps_and_what_is_nested_in_them(algorithm: str, tmp_path: Path) -> None:
    forest = cls("ensemble.RandomForestClassifier", n_estimators=3)
    vote = last(
        "ensemble.VotingClassifier",
        voting="soft",
        estimators=[["forest", forest], ["logistic", cls("linear_model.LogisticRegression")]],
    )
    dimensions = [
        IMPUTE,
        {"name": "prepare__words__min_frequency", "type": "Int", "min": 1, "max": 3},
        {"name": "model__forest__max_depth", "type": "Int", "min": 1, "max": 2},
        {"name": "model__logistic", "type": "Categorical",
         "values": [cls("linear_model.LogisticRegression", C=0.5), "drop"]},
    ]  # fmt: skip
    tuning = {"algorithm": algorithm, "trials": 25 if algorithm == "Grid" else 5, "parameters": dimensions}
    result = given.run(given.declared(tmp_path, [PREPARE, vote], tuning=tuning, **data("late")))
    told = result["tuning"]
    assert told["failed"] == 0 and told["completed"] == tuning["trials"]
    assert told["bestScore"] >= told["baselineScore"]
    present = joblib.load(tmp_path / contract.MODEL).get_params()
    for name, value in told["bestParams"].items():
        if isinstance(value, dict):
            assert (type(present[name]).__name__, present[name].C) == ("LogisticRegression", 0.5)
        else:  # an estimator that was given and won is told in scikit-learn's words
            assert value in (present[name], str(present[name]))
    served.runtime(tmp_path, result)


def test_where_the_rest_may_be_passed_through_it_is_there(tmp_path: Path) -> None:
    rest = {"name": "prepare__remainder", "type": "Categorical", "values": ["passthrough"]}
    tuning = {"algorithm": "Grid", "trials": 2, "parameters": [rest]}
    pipeline = [PREPARE, last("linear_model.Ridge", alpha=0.001)]
    result = given.run(given.declared(tmp_path, pipeline, tuning=tuning, **data("minutes", "id")))
    assert result["tuning"]["failed"] == 0
    assert result["lineage"]["features"] == 5
    metadata = json.loads((tmp_path / contract.METADATA).read_bytes())
    assert {item["name"] for item in metadata["features"]} == {"km", "wind", "town", "day", "seats"}
    assert not metadata.get("ignored")
    served.runtime(tmp_path, result)


@pytest.mark.parametrize("wrapped", [False, True])
def test_class_weights_are_searched_by_label(wrapped: bool, tmp_path: Path) -> None:
    tree = cls("tree.DecisionTreeClassifier", max_depth=2)
    model = last("ensemble.BaggingClassifier", estimator=tree, n_estimators=3) if wrapped else {"name": "model"} | tree
    name = "model__estimator__class_weight" if wrapped else "model__class_weight"
    weights = {"name": name, "type": "Categorical", "values": [{"0": 1, "1": 5, "2": 25}, "balanced"]}
    tuning = {"algorithm": "Grid", "trials": 3, "parameters": [weights]}
    result = given.run(given.declared(tmp_path, [PREPARE, model], tuning=tuning, **data("late")))
    assert (result["tuning"]["completed"], result["tuning"]["failed"]) == (3, 0)


def test_weights_reach_the_last_step(tmp_path: Path) -> None:
    pipeline = [PREPARE, last("linear_model.Ridge")]
    result = given.run(given.declared(tmp_path, pipeline, **data(weight="seats")))
    train, test = split()
    model = built(Ridge(random_state=0))
    model.fit(X.iloc[train], FRAME["minutes"].iloc[train], model__sample_weight=FRAME["seats"].iloc[train])
    assert result["metrics"]["r2"] == model.score(X.iloc[test], FRAME["minutes"].iloc[test])
    assert "seats" not in {item["name"] for item in json.loads((tmp_path / contract.METADATA).read_bytes())["features"]}


def test_weights_that_the_last_step_does_not_take_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = [PREPARE, last("neighbors.KNeighborsRegressor")]
    told = given.failure(given.declared(tmp_path, pipeline, **data(weight="seats")), capsys)
    assert (told["step"], told["reason"]) == ("prepare", "WeightsNotTaken")
    assert "sklearn.neighbors.KNeighborsRegressor takes no sample weights" in told["message"]
