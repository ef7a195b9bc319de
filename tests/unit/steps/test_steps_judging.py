"""Cross-validation, gates and the comparison with the serving version, by the steps in one process."""

from __future__ import annotations

import io
import json
import shutil
import typing
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import steps_given as given
from sklearn import base, datasets, linear_model, metrics, model_selection, naive_bayes, svm, tree
from sklearn.metrics import get_scorer_names

from sklearn_steps import catalogue, contract, gates, scoring

HALF = {"testSize": 0.5, "shuffle": False}
COMPARED = {"metric": "accuracy", "compareTo": "Serving"}
TABLE = "a,b,kind\n" + "".join(f"{i},{i * 7 % 11},{'yes' if i % 3 else 'no'}\n" for i in range(60))


def served(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    return {"version": "m-v0", "uri": f"file://{folder}/", "sha256": result["artifact"]["sha256"]}


def digits(folder: Path, gamma: float, **evaluation: Any) -> dict[str, Any]:
    return given.config(
        folder, "sklearn.svm.SVC", {"gamma": gamma}, source={"builtin": "digits"}, split=HALF, evaluation=evaluation
    )


def test_cross_validation_is_scikit_learns_own(tmp_path: Path) -> None:
    result = given.run(digits(tmp_path, 0.001, metrics=["accuracy", "f1_macro"], crossValidation={"folds": 4}))
    X, y = datasets.load_digits(return_X_y=True)
    expected = model_selection.cross_validate(
        svm.SVC(gamma=0.001), X[:898], y[:898], cv=4, scoring=["accuracy", "f1_macro"]
    )
    for name in ("accuracy", "f1_macro"):
        found = result["crossValidation"]["metrics"][name]
        assert found["values"] == expected[f"test_{name}"].tolist()
        assert found["mean"] == float(np.mean(expected[f"test_{name}"]))
        assert found["std"] == float(np.std(expected[f"test_{name}"]))
    assert result["crossValidation"]["folds"] == 4 and result["crossValidation"]["rows"] == 898
    document = json.loads((tmp_path / contract.METRICS).read_bytes())
    assert document["crossValidation"] == result["crossValidation"]
    assert result["metrics"]["accuracy"] == 0.9688542825361512


@pytest.mark.parametrize(
    "estimator, changes",
    [
        ("sklearn.linear_model.Ridge", {"source": {"builtin": "diabetes"}}),
        ("sklearn.linear_model.Ridge", {"source": {"builtin": "linnerud"}}),
        ("sklearn.cluster.KMeans", {"source": {"builtin": "iris"}}),
        (given.TREE, given.inline(TABLE, target="kind")),
        (given.TREE, given.inline(TABLE, target="kind", split={"strategy": "None"})),
    ],
)
def test_every_kind_of_model_is_cross_validated(tmp_path: Path, estimator: str, changes: dict[str, Any]) -> None:
    result = given.run(given.config(tmp_path, estimator, evaluation={"crossValidation": {"folds": 3}}, **changes))
    spread = result["crossValidation"]["metrics"]
    assert spread and all(len(found["values"]) == 3 for found in spread.values())


def _rows(count: int = 60) -> str:
    rng = np.random.default_rng(0)
    lines = [
        f"{rng.normal():.3f},{i % 6},{rng.normal():.3f},{i % 4 + 1},2026-01-{i % 28 + 1:02d}" for i in range(count)
    ]
    return "a,herd,y,w,day\n" + "\n".join(lines) + "\n"


SPLITS = {
    "Random": {"seed": 3},
    "unshuffled": {"shuffle": False},
    "Group": {"strategy": "Group", "groups": "herd"},
    "Time": {"strategy": "Time", "time": "day"},
    "None": {"strategy": "None"},
}


def _training_rows(frame: pd.DataFrame, split: str) -> pd.DataFrame:
    if split == "Group":
        inner = model_selection.GroupShuffleSplit(1, test_size=0.3, random_state=0)
        return frame.iloc[next(inner.split(frame, groups=frame.herd))[0]]
    if split == "Time":
        return frame.sort_values("day", kind="stable").iloc[:42]
    if split == "None":
        return frame
    return model_selection.train_test_split(frame, test_size=0.3, **_SHUFFLED[split])[0]


_SHUFFLED: dict[str, Any] = {"Random": {"random_state": 3}, "unshuffled": {"shuffle": False}}
_FOLDS: dict[str, Any] = {
    "Random": model_selection.KFold(3),
    "unshuffled": model_selection.KFold(3),
    "Group": model_selection.GroupKFold(3),
    "Time": model_selection.TimeSeriesSplit(3),
    "None": model_selection.KFold(3, shuffle=True, random_state=0),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("split", SPLITS)
def test_folds_are_made_as_the_data_is_split(tmp_path: Path, split: str, weighted: bool) -> None:
    """The figures are those of scikit-learn's own ``cross_validate`` with groups, order and weights."""
    judged = {"metrics": ["r2", "neg_mean_absolute_error"], "crossValidation": {"folds": 3}}
    data: dict[str, Any] = {"target": "y", "split": SPLITS[split] | {"testSize": 0.3}, "features": {"include": ["a"]}}
    data |= {"weight": "w"} if weighted else {}
    ridge = "sklearn.linear_model.Ridge"
    result = given.run(given.config(tmp_path, ridge, evaluation=judged, **given.inline(_rows(), **data)))
    rows = _training_rows(pd.read_csv(io.StringIO(_rows())), split)
    expected = model_selection.cross_validate(
        linear_model.Ridge(),
        rows[["a"]],
        rows.y,
        groups=rows.herd if split == "Group" else None,
        cv=_FOLDS[split],
        scoring=judged["metrics"],
        params={"sample_weight": rows.w.to_numpy(dtype=float)} if weighted else None,
    )
    for name in judged["metrics"]:
        assert result["crossValidation"]["metrics"][name]["values"] == expected[f"test_{name}"].tolist()


@pytest.mark.parametrize("stratify", [False, True])
def test_folds_are_stratified_unless_the_split_is_not_to_be(tmp_path: Path, stratify: bool) -> None:
    judged = {"metrics": ["accuracy"], "crossValidation": {"folds": 3}}
    split = {"stratify": stratify, "seed": 1}
    result = given.run(given.config(tmp_path, "sklearn.naive_bayes.GaussianNB", split=split, evaluation=judged))
    X, y = datasets.load_iris(return_X_y=True)
    X, _, y, _ = model_selection.train_test_split(X, y, random_state=1, stratify=y if stratify else None)
    folds = model_selection.StratifiedKFold(3) if stratify else model_selection.KFold(3)
    expected = model_selection.cross_val_score(naive_bayes.GaussianNB(), X, y, cv=folds)
    assert result["crossValidation"]["metrics"]["accuracy"]["values"] == expected.tolist()


def test_more_folds_than_groups_are_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split = {"strategy": "Group", "groups": "herd", "testSize": 0.5}
    data = given.inline(_rows(), target="y", split=split, features={"include": ["a"]})
    judged = {"crossValidation": {"folds": 5}}
    failure = given.failure(given.config(tmp_path, "sklearn.linear_model.Ridge", evaluation=judged, **data), capsys)
    assert failure["reason"] == "TooManyFolds" and "number of groups: 3" in failure["message"]


@pytest.mark.parametrize(
    "folds, text, reason",
    [(50, TABLE, "TooManyFolds"), (30, "a,k\n" + "1,x\n2,y\n" * 30, "TooManyFolds")],
)
def test_too_many_folds_are_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folds: int, text: str, reason: str
) -> None:
    target = text.splitlines()[0].split(",")[-1]
    data = given.inline(text, target=target)
    document = given.config(tmp_path, evaluation={"crossValidation": {"folds": folds}}, **data)
    failure = given.failure(document, capsys)
    assert failure["reason"] == reason and failure["step"] == "train" and failure["permanent"]
    assert f"evaluation.crossValidation.folds {folds}" in failure["message"] and "fewer" in failure["message"]


def test_gates_are_judged_on_the_test_part_and_published(tmp_path: Path) -> None:
    bounds = [{"metric": "accuracy", "min": 0.95}, {"metric": "f1_macro", "min": 0.999}]
    result = given.run(digits(tmp_path, 0.001, gates=bounds))
    assert [(gate["passed"], gate["bound"]) for gate in result["gates"]] == [(True, ">= 0.95"), (False, ">= 0.999")]
    assert result["gates"][1]["message"].startswith("f1_macro 0.96")
    document = json.loads((tmp_path / contract.METRICS).read_bytes())
    assert document["gates"] == result["gates"]


def test_the_serving_version_is_judged_on_the_same_test_rows(tmp_path: Path) -> None:
    before = given.run(digits(tmp_path / "before", 0.01))
    config = digits(tmp_path / "after", 0.001, gates=[COMPARED], compareWith=served(tmp_path / "before", before))
    result = given.run(config)
    X, y = datasets.load_digits(return_X_y=True)
    expected = metrics.accuracy_score(y[898:], svm.SVC(gamma=0.01).fit(X[:898], y[:898]).predict(X[898:]))
    assert result["comparedWith"]["version"] == "m-v0"
    assert result["comparedWith"]["metrics"]["accuracy"] == expected
    assert result["gates"][0]["passed"] is True


def test_a_worse_version_does_not_pass_and_is_published_all_the_same(tmp_path: Path) -> None:
    before = given.run(digits(tmp_path / "before", 0.001))
    compare = served(tmp_path / "before", before)
    result = given.run(digits(tmp_path / "after", 0.01, gates=[COMPARED], compareWith=compare))
    assert result["gates"][0]["passed"] is False
    assert "0.968854" in result["gates"][0]["message"] and "m-v0" in result["gates"][0]["message"]
    allowed = [COMPARED | {"maxRegression": 0.5}]
    result = given.run(digits(tmp_path / "allowed", 0.01, gates=allowed, compareWith=compare))
    assert result["gates"][0]["passed"] is True


def test_a_predecessor_with_its_columns_in_another_order_gets_them_so(tmp_path: Path) -> None:
    text = "a,b,kind\n" + "".join(f"{i},{100 - i},{'yes' if i > 30 else 'no'}\n" for i in range(60))
    data = given.inline(text, target="kind")
    before = given.run(given.config(tmp_path / "before", **data, features={"include": ["b", "a"]}))
    compare = {"gates": [COMPARED], "compareWith": served(tmp_path / "before", before)}
    result = given.run(given.config(tmp_path / "after", **data, evaluation=compare))
    assert result["comparedWith"]["metrics"]["accuracy"] == before["metrics"]["accuracy"]


def _gone(folder: Path) -> None:
    (folder / contract.MODEL).unlink()


def _altered(folder: Path) -> None:
    joblib.dump(tree.DecisionTreeClassifier(), folder / contract.MODEL)


def _undescribed(folder: Path) -> None:
    (folder / contract.METADATA).write_text("{}")


@pytest.mark.parametrize(
    "damage, words", [(_gone, "is gone"), (_altered, "has sha256"), (_undescribed, "not readable")]
)
def test_what_cannot_be_compared_does_not_pass_and_says_why(tmp_path: Path, damage: Any, words: str) -> None:
    before = given.run(given.config(tmp_path / "before"))
    damage(tmp_path / "before")
    compare = {"gates": [COMPARED], "compareWith": served(tmp_path / "before", before)}
    result = given.run(given.config(tmp_path / "after", evaluation=compare))
    (gate,) = result["gates"]
    assert gate["passed"] is False and words in gate["message"] and "remove the gate" in gate["message"]


@pytest.mark.parametrize(
    "estimator, changes, words",
    [
        (
            "sklearn.linear_model.Ridge",
            {"source": {"builtin": "diabetes"}},
            "it is a regressor, this one is a classifier",
        ),
        (given.TREE, {"source": {"builtin": "wine"}}, "columns that this one leaves out"),
    ],
)
def test_another_kind_of_model_cannot_be_compared(
    tmp_path: Path, estimator: str, changes: dict[str, Any], words: str
) -> None:
    before = given.run(given.config(tmp_path / "before", estimator, **changes))
    compare = {"gates": [COMPARED], "compareWith": served(tmp_path / "before", before)}
    result = given.run(given.config(tmp_path / "after", evaluation=compare))
    assert words in result["gates"][0]["message"]


def test_bytes_that_are_not_the_recorded_ones_are_never_unpickled(tmp_path: Path) -> None:
    before = given.run(given.config(tmp_path / "before"))
    joblib.dump(_Trap(str(tmp_path / "sprung")), tmp_path / "before" / contract.MODEL)
    compare = {"gates": [COMPARED], "compareWith": served(tmp_path / "before", before)}
    given.run(given.config(tmp_path / "after", evaluation=compare))
    assert not (tmp_path / "sprung").exists()


class _Trap:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_without_a_gate_that_asks_for_it_nothing_is_loaded(tmp_path: Path) -> None:
    before = given.run(given.config(tmp_path / "before"))
    compare = {"compareWith": served(tmp_path / "before", before)}
    shutil.rmtree(tmp_path / "before")
    assert "comparedWith" not in given.run(given.config(tmp_path / "after", evaluation=compare))


def test_the_catalogue_knows_every_scorer_of_scikit_learn() -> None:
    known = json.loads(catalogue.path().read_bytes())["scorers"]
    assert set(known) == {*get_scorer_names(), scoring.SILHOUETTE}


@pytest.mark.parametrize("kind", typing.get_args(contract.EstimatorType))
def test_the_default_metrics_are_metrics_of_the_kind(kind: contract.EstimatorType) -> None:
    assert set(contract.DEFAULT_METRICS[kind]) <= set(scoring.fitting(kind))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("name", [name for name in get_scorer_names() if not name.endswith("_samples")])
def test_what_a_perfect_model_gets_is_the_ceiling(name: str) -> None:
    """A gate above it is refused before anything is trained, so it has to be right for every scorer."""
    low = 1 if name in scoring.fitting("regressor") else 0
    y = np.array([0, 1, 0, 1, 1, 0]) + low
    figure = float(metrics.get_scorer(name)(_Perfect().fit(y[:, None], y), y[:, None], y))
    ceiling = gates.ceiling(name)
    assert ceiling is None or np.isnan(figure) or figure == pytest.approx(ceiling, abs=1e-6)


class _Perfect(base.ClassifierMixin, base.BaseEstimator):  # type: ignore[misc]
    """Says what it is given."""

    def fit(self, X: Any, y: Any) -> _Perfect:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.asarray(X)[:, 0]

    def predict_proba(self, X: Any) -> Any:
        right = np.clip(self.predict(X), 0, 1)
        return np.column_stack([1 - right, right])
