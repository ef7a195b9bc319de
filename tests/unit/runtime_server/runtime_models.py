"""Small published models, written as the artifact contract says, for the tests of the serving runtime."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris, load_linnerud
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier


def publish(directory: Path, model: Any, table: Any, names: list[str], version: str = "digits-v1") -> Path:
    """Write the artifact directory of one fitted model; ``table`` holds the golden rows."""
    directory.mkdir(parents=True)
    joblib.dump(model, directory / "model.joblib")
    content = (directory / "model.joblib").read_bytes()
    frame = isinstance(table, pd.DataFrame)
    dtypes = [str(kind) for kind in table.dtypes] if frame else [str(table.dtype)] * table.shape[1]
    outputs = {"predict": model.predict(table).tolist()}
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(table)
        if not isinstance(shares, list):
            outputs["predict_proba"] = shares.tolist()
        elif len({part.shape for part in shares}) == 1:
            outputs["predict_proba"] = np.stack(shares, axis=1).tolist()
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist() if frame else table.tolist()
    metadata = {
        "formatVersion": 1,
        "model": "digits",
        "version": version,
        "estimator": f"{type(model).__module__}.{type(model).__name__}",
        "features": [{"name": name, "dtype": kind} for name, kind in zip(names, dtypes, strict=True)],
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "versions": {"python": platform.python_version(), "sklearn": sklearn.__version__, "numpy": np.__version__},
        "outputs": list(outputs),
    }
    (directory / "metadata.json").write_text(json.dumps(metadata))
    golden = {"columns": names, "rows": rows, "outputs": outputs}
    (directory / "golden.json").write_text(json.dumps(golden))
    return directory


def rewrite(path: Path, **changes: Any) -> None:
    """Change some keys of a JSON document."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def penguins(rows: int = 60) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """A table with string, fraction, whole and boolean columns, and gaps."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "island": random.choice(["Biscoe", "Dream", "Torgersen"], rows),
            "bill": random.normal(40, 5, rows).round(1),
            "mass": random.integers(3000, 6000, rows),
            "ringed": random.choice([True, False], rows),
        }
    )
    labels = np.where(table["bill"] + table["mass"] / 1000 > 44, "Gentoo", "Adelie")
    table.loc[3, "bill"] = np.nan
    table.loc[4, "island"] = np.nan
    return table, labels


def publish_all(root: Path) -> dict[str, Path]:
    """One model of every sort the runtime has to serve, by name."""
    digits, iris, linnerud = load_digits(), load_iris(as_frame=True), load_linnerud()
    half = len(digits.data) // 2
    table, labels = penguins()
    petals = iris.data.to_numpy()
    pairs = np.column_stack([iris.target, iris.target > 0])
    words, numbers = ["island"], ["bill", "mass", "ringed"]
    prepare = ColumnTransformer(
        [
            ("words", OneHotEncoder(handle_unknown="ignore"), words),
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        ]
    )
    models = {
        "digits": (SVC(gamma=0.001).fit(digits.data[:half], digits.target[:half]), digits.data[[0, -1]]),
        "iris": (
            DecisionTreeClassifier(random_state=0).fit(iris.data, iris.target_names[iris.target]),
            iris.data[::20],
        ),
        "penguins": (make_pipeline(prepare, LogisticRegression()).fit(table, labels), table.head(8)),
        "linnerud": (Ridge().fit(linnerud.data, linnerud.target), linnerud.data[:4]),
        "outliers": (
            IsolationForest(n_estimators=5, random_state=0).fit(petals),
            petals[:3],
        ),
        "pairs": (DecisionTreeClassifier(random_state=0).fit(petals, pairs), petals[::50]),
    }
    names = {"digits": digits.feature_names, "linnerud": linnerud.feature_names}
    names |= {key: ["a", "b", "c", "d"] for key in ("outliers", "pairs")}
    return {
        key: publish(root / key, model, rows, names.get(key) or list(rows.columns), version=f"{key}-v1")
        for key, (model, rows) in models.items()
    }
