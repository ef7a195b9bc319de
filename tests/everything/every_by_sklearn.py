"""scikit-learn's own list of estimators, and pipelines of many kinds, run by the trainer environment's Python.

``python every_by_sklearn.py FOLDER`` writes customers.csv there and prints, as JSON and by the model's name, what a
manifest says of it, rows to ask with, and what scikit-learn answers. Nothing of the project is imported.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import steps_listed as listed
from sklearn import base, model_selection, utils
from steps_compositions import CLASSIFIERS
from steps_customers import CSV, FEATURES, ROWS, learned_from, sent

ASKED = 20
COUNT = 42  # evenly over the list


def kind(cls: type) -> str | None:
    """What it is by the tag that its base classes give it; None for whatever predicts nothing."""
    bases = {
        "classifier": base.ClassifierMixin,
        "regressor": base.RegressorMixin,
        "clusterer": base.ClusterMixin,
        "outlier_detector": base.OutlierMixin,
    }
    return next((name for name, mixin in bases.items() if issubclass(cls, mixin) and hasattr(cls, "predict")), None)


def estimators() -> Iterator[tuple[str, Any]]:
    """``COUNT`` of those that predict rows that they were not fitted on."""
    left_out = listed.LABELS | listed.ONE_COLUMN
    found = [(name, cls) for name, cls in utils.all_estimators() if name not in left_out and kind(cls)]
    for name, cls in (found[place * len(found) // COUNT] for place in range(COUNT)):
        what, public = str(kind(cls)), cls.__module__.partition("._")[0]
        spec = {"class": f"{public}.{name}", "params": listed.PARAMS.get(name, {})}
        yield name, estimator(name, what, spec)


def estimator(name: str, what: str, spec: dict[str, Any]) -> dict[str, Any]:
    builtin, X, y = listed.rows(name, what)
    stratify = y if what == "classifier" else None
    X, X_test, y, _ = model_selection.train_test_split(X, y, test_size=0.25, random_state=0, stratify=stratify)
    model = listed.made(spec)
    model.fit(X, y) if what in ("classifier", "regressor") else model.fit(X)
    return {
        "model": {"estimator": spec},
        "data": {"source": {"builtin": builtin}},
        "rows": X_test[:ASKED].tolist(),
        "answers": answers(model, X_test[:ASKED]),
    }


def compositions() -> Iterator[tuple[str, Any]]:
    frame = learned_from()
    X, y = frame.drop(columns=["churn", *FEATURES["exclude"]]), frame["churn"].to_numpy()
    train, test = model_selection.train_test_split(np.arange(ROWS), test_size=0.25, random_state=0, stratify=y)
    for name, (pipeline, written) in CLASSIFIERS.items():
        model = written().fit(X.iloc[train], y[train])
        yield (
            f"composed {name}",
            {
                "model": {"pipeline": pipeline},
                "data": {"target": "churn", "features": FEATURES},
                "rows": sent(test[:ASKED], X.columns),
                "answers": answers(model, X.iloc[test[:ASKED]]),
            },
        )


def answers(model: Any, rows: Any) -> dict[str, Any]:
    offered = [output for output in ("predict", "predict_proba") if hasattr(model, output)]
    found = {output: np.asarray(getattr(model, output)(rows)) for output in offered}
    return {output: {"shape": list(values.shape), "data": values.ravel().tolist()} for output, values in found.items()}


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")  # that so little data does not converge, and what goes away in the next release
    (folder / "customers.csv").write_text(CSV)
    print(json.dumps(dict(estimators()) | dict(compositions())))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
