"""A messy table, and pipelines for it: as manifests declare them and as scikit-learn has them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

Json = dict[str, Any]
ROWS = 90


def customers() -> pd.DataFrame:
    """Text, numbers, booleans and times, all with gaps; a label and a figure to learn."""
    random = np.random.default_rng(1)
    plan, visits = random.choice(["basic", "plus", "pro"], ROWS), random.integers(0, 50, ROWS)
    joined = pd.date_range("2023-01-01", periods=ROWS, freq="75h") + pd.Timedelta("3h")
    table = pd.DataFrame(
        {
            "id": [f"c-{place}" for place in range(ROWS)],
            "plan": plan,
            "city": [f"city-{place % 40}" for place in range(ROWS)],
            "joined": joined.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "born": pd.date_range("1955-05-05", periods=ROWS, freq="131D").strftime("%Y-%m-%d"),
            "visits": visits,
            "spend": random.normal(100, 20, ROWS).round(2),
            "active": random.choice([True, False], ROWS),
            "note": random.choice(["likes it a lot", "wants money back", "never came", "asks for more"], ROWS),
            "value": (visits * 2.5 + 10).round(1),
            "churn": np.where((visits < 20) ^ (plan == "basic"), "yes", "no"),
        }
    ).astype({"active": object, "visits": object})
    for name in ("plan", "joined", "visits", "spend", "active"):
        table.loc[random.choice(ROWS, 7, replace=False), name] = None
    return table


CSV = customers().to_csv(index=False)
NUMBERS, WORDS, FLAGS, TIMES = ["visits", "spend"], ["plan"], ["active"], ["joined", "born"]
FEATURES = {"exclude": ["value"]}


def cls(path: str, **params: Any) -> Json:
    return {"class": f"sklearn.{path}", "params": params}


def step(name: str, path: str, **params: Any) -> Json:
    return {"name": name} | cls(path, **params)


def group(name: str, select: Any, *steps: Json) -> Json:
    return {"name": name, "select": select, "steps": list(steps)}


def prepare(*groups: Json, remainder: str = "drop") -> Json:
    return {"name": "prepare", "columns": list(groups), "remainder": remainder}


IMPUTE, SCALE = cls("impute.SimpleImputer"), cls("preprocessing.StandardScaler")
ENCODE = cls("preprocessing.OneHotEncoder", handle_unknown="ignore")
NUMBERS_AND_WORDS = prepare(group("numbers", {"dtype": "number"}, IMPUTE, SCALE), group("words", WORDS, ENCODE))


def numbers_and_words() -> ColumnTransformer:
    encode = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer(
        [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS), ("words", encode, WORDS)]
    )


def kind_by_kind() -> Pipeline:
    frequent = SimpleImputer(strategy="most_frequent")
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), NUMBERS),
            ("words", make_pipeline(frequent, OneHotEncoder(handle_unknown="ignore")), WORDS),
            ("flags", SimpleImputer(strategy="most_frequent"), FLAGS),
            ("times", make_pipeline(SimpleImputer(), KBinsDiscretizer(n_bins=4, random_state=0)), TIMES),
        ]
    )
    return Pipeline([("prepare", columns), ("model", LogisticRegression(random_state=0))])


MEDIAN = cls("impute.SimpleImputer", strategy="median", add_indicator=True)
FREQUENT = cls("impute.SimpleImputer", strategy="most_frequent")
KIND_BY_KIND = [
    prepare(
        group("numbers", {"dtype": "number"}, MEDIAN, SCALE),
        group("words", WORDS, FREQUENT, ENCODE),
        group("flags", {"dtype": "boolean"}, FREQUENT),
        group("times", {"dtype": "datetime"}, IMPUTE, cls("preprocessing.KBinsDiscretizer", n_bins=4)),
    ),
    step("model", "linear_model.LogisticRegression"),
]
ORDINAL = cls("preprocessing.OrdinalEncoder", handle_unknown="use_encoded_value", unknown_value=-1)
TREE = cls("tree.DecisionTreeClassifier", max_depth=3)


def tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=3, random_state=0)


def learned_from(text: str = CSV) -> pd.DataFrame:
    """The table as the model gets it: times in seconds."""
    frame = pd.read_csv(io.StringIO(text))
    for name in TIMES:
        moments = pd.to_datetime(frame[name], format="ISO8601", utc=True)
        frame[name] = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta("1s")
    frame["active"] = frame["active"].astype("float64")
    return frame


def sent(rows: Any, names: Any) -> list[Json]:
    """Raw rows as a caller has them."""
    table = pd.read_csv(io.StringIO(CSV)).iloc[rows].astype(object)
    return list(table.where(table.notna(), None)[list(names)].to_dict("records"))


def columns_of(rows: list[Json]) -> dict[str, list[Any]]:
    """The same rows as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]}
