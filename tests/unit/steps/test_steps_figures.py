"""The figures are scikit-learn's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import steps_given as given
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_linnerud
from sklearn.linear_model import Ridge
from sklearn.metrics import get_scorer, silhouette_score
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from sklearn_steps import contract, parts, prepare

DIGITS = {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}}
SVC = "sklearn.svm.SVC"


def test_digits_as_in_the_gallery(tmp_path: Path) -> None:
    result = given.run(given.config(tmp_path, SVC, {"gamma": 0.001}, **DIGITS))
    assert result["metrics"]["accuracy"] == 0.9688542825361512
    assert list(result["metrics"]) == ["accuracy", "balanced_accuracy", "f1_macro"]
    assert result["headline"] == "accuracy"
    assert result["estimatorType"] == "classifier"
    assert result["lineage"]["rows"] == 1797
    assert result["lineage"]["features"] == 64
    assert result["notes"] == []


def test_golden_rows_are_of_the_test_part(tmp_path: Path) -> None:
    given.run(given.config(tmp_path, SVC, {"gamma": 0.001}, **DIGITS))
    golden = json.loads((tmp_path / contract.GOLDEN).read_bytes())
    assert golden["columns"] == load_digits().feature_names
    assert golden["rows"][0] == load_digits().data[898].tolist()
    assert golden["rows"][-1] == load_digits().data[-1].tolist()
    assert golden["outputs"]["predict"][-1] == 8
    assert list(golden["outputs"]) == ["predict"]


def test_step_by_step_is_the_same_as_all_at_once(tmp_path: Path) -> None:
    whole = given.run(given.config(tmp_path / "a", SVC, {"gamma": 0.001}, **DIGITS))
    staged = given.staged(given.config(tmp_path / "b", SVC, {"gamma": 0.001}, **DIGITS), tmp_path)
    assert staged["metrics"] == whole["metrics"]
    assert staged["artifact"]["sha256"] == whole["artifact"]["sha256"]
    assert {path.name for path in (tmp_path / "b").iterdir()} == {*contract.PUBLISHED, contract.RESULT}


def test_iris_with_the_default_split(tmp_path: Path) -> None:
    result = given.run(given.config(tmp_path, given.TREE, {"max_depth": 3}))
    X, y = load_iris(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X_train, y_train)
    assert result["metrics"]["accuracy"] == tree.score(X_test, y_test)
    assert result["metrics"]["f1_macro"] == float(get_scorer("f1_macro")(tree, X_test, y_test))
    metadata = json.loads((tmp_path / contract.METADATA).read_bytes())
    assert metadata["classes"] == [0, 1, 2]
    assert metadata["classNames"] == ["setosa", "versicolor", "virginica"]
    assert metadata["outputs"] == ["predict", "predict_proba"]


def test_diabetes_with_ridge(tmp_path: Path) -> None:
    source = {"source": {"builtin": "diabetes"}}
    result = given.run(given.config(tmp_path, "sklearn.linear_model.Ridge", {"alpha": 0.5}, **source))
    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    assert result["metrics"]["r2"] == Ridge(alpha=0.5, random_state=0).fit(X_train, y_train).score(X_test, y_test)
    assert result["headline"] == "r2"


def test_linnerud_has_three_targets(tmp_path: Path) -> None:
    source = {"source": {"builtin": "linnerud"}}
    result = given.run(given.config(tmp_path, "sklearn.linear_model.Ridge", **source))
    X, y = load_linnerud(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    assert result["metrics"]["r2"] == Ridge().fit(X_train, y_train).score(X_test, y_test)
    assert json.loads((tmp_path / contract.METADATA).read_bytes())["target"] == ["Weight", "Waist", "Pulse"]


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_every_other_builtin(tmp_path: Path, name: str) -> None:
    result = given.run(given.config(tmp_path, source={"builtin": name}))
    assert result["metrics"]["accuracy"] > 0.8


def test_clusters_are_found_without_the_target(tmp_path: Path) -> None:
    asked = {"metrics": ["silhouette", "adjusted_rand_score"]}
    params = {"n_clusters": 3}
    result = given.run(given.config(tmp_path, "sklearn.cluster.KMeans", params, evaluation=asked))
    X, y = load_iris(return_X_y=True)
    X_train, X_test, _, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    model = KMeans(n_clusters=3, random_state=0).fit(X_train)
    assert result["estimatorType"] == "clusterer"
    assert result["metrics"]["silhouette"] == silhouette_score(X_test, model.predict(X_test))
    assert result["metrics"]["adjusted_rand_score"] == get_scorer("adjusted_rand_score")(model, X_test, y_test)


def test_an_outlier_detector_has_no_headline(tmp_path: Path) -> None:
    result = given.run(given.config(tmp_path, "sklearn.ensemble.IsolationForest"))
    assert (result["estimatorType"], result["metrics"]) == ("outlier_detector", {})
    assert "headline" not in result


def test_strategy_none_judges_by_everything_and_says_so(tmp_path: Path) -> None:
    result = given.run(given.config(tmp_path, split={"strategy": "None"}))
    assert result["metrics"]["accuracy"] == 1.0
    assert "the very rows" in result["notes"][0]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("stratify", [True, False])
@pytest.mark.parametrize("size", [0.1, 0.25, 0.333, 0.5])
def test_the_split_is_that_of_train_test_split(size: float, stratify: bool, shuffle: bool) -> None:
    split = {"testSize": size, "shuffle": shuffle, "stratify": stratify, "seed": 7}
    train, test = prepare.prepare(given.parsed(given.config("file:///nowhere/", split=split)))
    X, y = load_iris(return_X_y=True)
    options: dict[str, Any] = {"test_size": size, "shuffle": shuffle, "random_state": 7}
    expected = train_test_split(X, y, stratify=y if stratify and shuffle else None, **options)
    for part, at in ((train, 0), (test, 1)):
        np.testing.assert_array_equal(part.X, expected[at])
        np.testing.assert_array_equal(part.y, expected[at + 2])


def test_a_class_too_rare_to_stratify_is_a_note(tmp_path: Path) -> None:
    rows = "a,b\n" + "".join(f"{i},{'x' if i % 2 else 'y'}\n" for i in range(20)) + "99,z\n"
    train, _ = prepare.prepare(given.parsed(given.config(tmp_path, **given.inline(rows, target="b"))))
    assert "not stratified" in train.about.notes[0]


def test_warnings_of_scikit_learn_are_notes(tmp_path: Path) -> None:
    params = {"max_iter": 2}
    result = given.run(given.config(tmp_path, "sklearn.linear_model.LogisticRegression", params))
    assert any(note.startswith("while fitting: lbfgs failed to converge") for note in result["notes"])


def test_every_unset_random_state_is_the_seed(tmp_path: Path) -> None:
    params = {"estimator": {"class": "sklearn.tree.ExtraTreeClassifier", "params": {"max_depth": 2}}}
    first = given.run(given.config(tmp_path / "a", "sklearn.ensemble.BaggingClassifier", params, seed=3))
    again = given.run(given.config(tmp_path / "b", "sklearn.ensemble.BaggingClassifier", params, seed=3))
    assert first["artifact"]["sha256"] == again["artifact"]["sha256"]


def test_documents_survive_what_json_does_not_have() -> None:
    value = {"a": np.float64("nan"), "b": np.array([1, 2]), "c": (np.int64(3), float("inf")), 4: np.bool_(True)}
    assert parts.json_safe(value) == {"a": None, "b": [1, 2], "c": [3, None], "4": True}


@pytest.mark.parametrize("labels", [[0, 1], [1.0, 2.0], [False, True], ["no", "yes"]], ids=str)
@pytest.mark.parametrize("declared", [False, True])
def test_class_weights_go_by_label_though_json_has_only_texts(tmp_path: Path, labels: Any, declared: bool) -> None:
    text = "a,y\n" + "".join(f"{place % 17},{labels[place % 3 == 0]}\n" for place in range(60))
    names = [f"{label:g}" if isinstance(label, float) else str(label).lower() for label in labels]
    params = {"class_weight": {names[0]: 1.0, names[1]: 9.0}}
    path, data = "sklearn.linear_model.LogisticRegression", given.inline(text, target="y")
    document = given.config(tmp_path, path, params, **data)
    if declared:
        document = given.declared(tmp_path, [{"name": "m", "class": path, "params": params}], **data)
    given.run(document)
    model = joblib.load(tmp_path / contract.MODEL)
    weighted = model[-1] if declared else model
    assert weighted.class_weight == dict(zip(labels, [1.0, 9.0], strict=True))
    assert model.predict(pd.DataFrame({"a": [3]}))[0] == labels[1]
