"""scikit-learn's own list of estimators, trained by the steps and asked through the serving runtime.

Every answer is compared with what scikit-learn itself says in this process, to the last digit.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steps_given as given
import steps_served as served
from sklearn.model_selection import train_test_split
from sklearn.utils import all_estimators
from steps_listed import LABELS, ONE_COLUMN, PARAMS, made, rows

from sklearn_steps import catalogue


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
