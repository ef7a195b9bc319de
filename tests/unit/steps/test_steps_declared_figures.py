"""Declared pipelines of many kinds, against the same pipelines written with scikit-learn itself.

Rows go through the serving runtime as people send them: by column name, with gaps, times as text and new words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import steps_given as given
import steps_served as served
from sklearn.model_selection import train_test_split
from steps_compositions import CLASSIFIERS
from steps_customers import (
    CSV,
    FEATURES,
    KIND_BY_KIND,
    ROWS,
    columns_of,
    learned_from,
    sent,
)


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("case", CLASSIFIERS)
def test_it_answers_as_the_same_pipeline_in_scikit_learn(case: str, tmp_path: Path) -> None:
    pipeline, written = CLASSIFIERS[case]
    data = given.inline(CSV, target="churn", features=FEATURES)
    result = given.run(given.declared(tmp_path, pipeline, **data))
    answers = served.runtime(tmp_path, result)
    names = answers.served.columns.names
    frame = learned_from()
    train, test = train_test_split(np.arange(ROWS), test_size=0.25, random_state=0, stratify=frame["churn"])
    X = frame[list(names)]
    model = written().fit(X.iloc[train], frame["churn"].iloc[train].to_numpy())
    expected = model.predict(X.iloc[test])
    assert result["metrics"]["accuracy"] == np.mean(expected == frame["churn"].iloc[test])
    rows = sent(test, names)
    assert served.by_rows(answers, rows).tolist() == expected.tolist()
    assert served.by_rows(answers, [list(row.values()) for row in rows]).tolist() == expected.tolist()
    for output, values in served.by_columns(answers, columns_of(rows), *served.asked(answers)).items():
        np.testing.assert_array_equal(values, getattr(model, output)(X.iloc[test]))


def test_step_by_step_is_the_same_as_all_at_once(tmp_path: Path) -> None:
    data = given.inline(CSV, target="churn", features=FEATURES)
    whole = given.run(given.declared(tmp_path / "a", KIND_BY_KIND, **data))
    staged = given.staged(given.declared(tmp_path / "b", KIND_BY_KIND, **data), tmp_path)
    assert staged["metrics"] == whole["metrics"]
    assert staged["artifact"]["sha256"] == whole["artifact"]["sha256"]
