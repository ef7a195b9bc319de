"""What scikit-learn itself says of the samples, run by the trainer environment's Python; prints JSON."""

from __future__ import annotations

import json
from typing import Any

from sklearn import datasets, decomposition, linear_model, metrics, model_selection, pipeline, preprocessing


def modular() -> dict[str, Any]:
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = model_selection.train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    fitted = pipeline.make_pipeline(
        preprocessing.StandardScaler(),
        decomposition.PCA(n_components=10, random_state=0),
        linear_model.LogisticRegression(C=0.5, random_state=0),
    ).fit(X, y)
    scores = fitted.predict_proba(X_test)[:, 1]
    return {
        "accuracy": metrics.accuracy_score(y_test, fitted.predict(X_test)),
        "roc_auc": metrics.roc_auc_score(y_test, scores),
        "row": X_test[0].tolist(),
        "proba": fitted.predict_proba(X_test[:1])[0].tolist(),
    }


def digits() -> dict[str, Any]:
    X, y = datasets.load_digits(return_X_y=True)
    half = len(X) // 2
    return {"rows": X[-half - 1 :].tolist(), "labels": y[-half - 1 :].tolist()}


if __name__ == "__main__":
    print(json.dumps({"modular": modular(), "digits": digits()}))
