"""What scikit-learn itself computes, run by the trainer environment's Python: the other side of every figure.

``python by_sklearn.py FOLDER`` writes penguins.parquet and penguins.csv there and prints the figures as JSON. Nothing
of the project is imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import compose, datasets, linear_model, metrics, model_selection, pipeline, preprocessing, tree


def penguins(rows: int = 200) -> pd.DataFrame:
    """Text and numbers; some of the species overlap, so that no model is perfect."""
    random = np.random.default_rng(7)
    species = random.choice(["Adelie", "Chinstrap", "Gentoo"], rows)
    place = np.array([["Adelie", "Chinstrap", "Gentoo"].index(name) for name in species])
    islands = np.where(random.random(rows) < 0.6, np.array(["Torgersen", "Dream", "Biscoe"])[place], "Dream")
    return pd.DataFrame(
        {
            "island": islands,
            "bill_mm": (38 + 6.0 * (place > 0) + random.normal(0, 4, rows)).round(1),
            "mass_g": (3600 + 1100 * (place == 2) + random.normal(0, 500, rows)).astype("int64"),
            "sex": random.choice(["male", "female"], rows),
            "species": species,
        }
    )


def split(X: Any, y: Any, classes: bool) -> Any:
    """The documented default split."""
    return model_selection.train_test_split(
        X, y, test_size=0.25, shuffle=True, random_state=0, stratify=y if classes else None
    )


def iris() -> dict[str, Any]:
    X, X_test, y, y_test = split(*datasets.load_iris(return_X_y=True), classes=True)
    fitted = tree.DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    return {"accuracy": metrics.accuracy_score(y_test, fitted.predict(X_test))}


def diabetes() -> dict[str, Any]:
    X, X_test, y, y_test = split(*datasets.load_diabetes(return_X_y=True), classes=False)
    return {"r2": linear_model.Ridge(alpha=0.5).fit(X, y).score(X_test, y_test), "row": X[0].tolist()}


def of_penguins(frame: pd.DataFrame) -> dict[str, Any]:
    features = frame.drop(columns="species")
    X, X_test, y, y_test = split(features, frame["species"], classes=True)
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = compose.ColumnTransformer([("text", encoder, ["island", "sex"])], remainder="passthrough")
    classifier = tree.DecisionTreeClassifier(max_depth=4, random_state=0)
    fitted = pipeline.make_pipeline(columns, classifier).fit(X, y)
    stranger = features.iloc[[0]].assign(island="Atlantis")
    return {
        "accuracy": metrics.accuracy_score(y_test, fitted.predict(X_test)),
        "rows": json.loads(X_test.head(5).to_json(orient="records")),
        "predictions": fitted.predict(X_test.head(5)).tolist(),
        "stranger": json.loads(stranger.to_json(orient="records"))[0],
        "of stranger": fitted.predict(stranger).tolist()[0],
    }


def main(folder: Path) -> None:
    frame = penguins()
    frame.to_parquet(folder / "penguins.parquet")
    frame.to_csv(folder / "penguins.csv", index=False)
    digits = datasets.load_digits().data
    found = {
        "digits": {"first": digits[0].tolist(), "last": digits[-1].tolist()},
        "iris": iris(),
        "diabetes": diabetes(),
        "penguins": of_penguins(frame),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
