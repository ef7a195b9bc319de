"""What scikit-learn itself makes of messy tables, run by the trainer environment's Python.

``python customers_by_sklearn.py FOLDER`` reads penguins.csv there, writes customers.csv and prints the figures as JSON.
Nothing of the project is imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import compose, ensemble, impute, linear_model, metrics, model_selection, pipeline, preprocessing

FEATURES = ["plan", "joined", "visits", "spend", "active"]
GRID = {"prepare__numbers__simpleimputer__strategy": ["mean", "median"], "model__C": [0.1, 1.0, 10.0]}


def customers(rows: int = 160) -> pd.DataFrame:
    """Text, dates, numbers and booleans, all with gaps; the number of a customer says nothing."""
    random = np.random.default_rng(11)
    plan, visits = random.choice(["basic", "plus", "pro"], rows), random.integers(0, 50, rows)
    table = pd.DataFrame(
        {
            "number": [f"c-{place}" for place in range(rows)],
            "plan": plan,
            "joined": pd.date_range("2024-01-01", periods=rows, freq="75h").strftime("%Y-%m-%dT%H:%M:%SZ"),
            "visits": visits,
            "spend": random.normal(100, 20, rows).round(2),
            "active": random.choice([True, False], rows),
            "churn": np.where(visits + 15 * (plan == "basic") + random.normal(0, 12, rows) > 30, "no", "yes"),
        }
    ).astype({"active": object, "visits": object})
    for name in FEATURES:
        table.loc[random.choice(rows, 12, replace=False), name] = None
    return table


def in_seconds(texts: pd.Series) -> pd.Series:
    return (pd.to_datetime(texts, format="ISO8601", utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta("1s")


def split(table: pd.DataFrame, target: str) -> Any:
    return model_selection.train_test_split(
        table, table[target], test_size=0.25, random_state=0, stratify=table[target]
    )


def of_customers(path: Path) -> dict[str, Any]:
    raw = pd.read_csv(path)
    table = raw.assign(joined=in_seconds(raw["joined"]), active=raw["active"].astype("float64"))
    train, test, y, y_test = split(table, "churn")
    numbers = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    columns = compose.ColumnTransformer(
        [
            ("numbers", numbers, ["visits", "spend"]),
            ("words", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["plan"]),
            ("flags", impute.SimpleImputer(strategy="most_frequent"), ["active"]),
            ("times", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()), ["joined"]),
        ]
    )
    model = pipeline.Pipeline([("prepare", columns), ("model", linear_model.LogisticRegression(random_state=0))])
    folds = model_selection.StratifiedKFold(3, shuffle=True, random_state=0)
    search = model_selection.GridSearchCV(model, GRID, cv=folds, scoring="neg_log_loss").fit(train[FEATURES], y)
    rows = raw.loc[test.index[:8]].astype(object)
    return {
        "accuracy": metrics.accuracy_score(y_test, search.predict(test[FEATURES])),
        "best": search.best_params_,
        "score": search.best_score_,
        "rows": rows.where(rows.notna(), None).to_dict("list"),
        "predict": search.predict(test[FEATURES].head(8)).tolist(),
        "predict_proba": search.predict_proba(test[FEATURES].head(8)).ravel().tolist(),
    }


def of_penguins(path: Path) -> dict[str, float]:
    table = pd.read_csv(path)
    table = table.assign(egg_date=in_seconds(table["egg_date"]), nest_seen=table["nest_seen"].astype("float64"))
    train, test, y, y_test = split(table, "species")
    scaler = preprocessing.StandardScaler
    numbers = pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), scaler())
    columns = compose.ColumnTransformer(
        [
            ("numbers", numbers, ["bill_length", "bill_depth", "flipper", "mass"]),
            ("words", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["island", "sex"]),
            ("flags", impute.SimpleImputer(strategy="most_frequent"), ["nest_seen"]),
            ("dates", pipeline.make_pipeline(impute.SimpleImputer(), scaler()), ["egg_date"]),
        ]
    )
    forest = ensemble.RandomForestClassifier(50, max_features=1.0, random_state=0)
    model = pipeline.make_pipeline(columns, forest).fit(train, y)
    found = model.predict(test)
    return {
        "accuracy": metrics.accuracy_score(y_test, found),
        "f1_macro": metrics.f1_score(y_test, found, average="macro"),
    }


def main(folder: Path) -> None:
    customers().to_csv(folder / "customers.csv", index=False)
    found = {"customers": of_customers(folder / "customers.csv"), "penguins": of_penguins(folder / "penguins.csv")}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
