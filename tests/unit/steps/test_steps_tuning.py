"""Tuning as a task does it: all trials told, the same every time, never worse than the given parameters."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steps_given as given
import yaml
from pyarrow import parquet
from sklearn import datasets
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split
from sklearn.svm import SVC

from sklearn_steps import contract, parts, prepare, train

ROOT = Path(__file__).parents[3]
SVC_PATH = "sklearn.svm.SVC"
GAMMA = {"name": "gamma", "type": "Double", "min": 0.0001, "max": 0.01, "log": True}
C = {"name": "C", "type": "Double", "min": 0.1, "max": 10.0, "log": True}
#: Of a result: all of it that does not take time.
FOUND = {"bestScore", "bestParams", "baselineScore", "completed", "failed", "bestTrial", "ended"}


def tuned(folder: Path, *dimensions: Any, estimator: str = SVC_PATH, params: Any = None, **more: Any) -> dict[str, Any]:
    about = {name: more.pop(name) for name in ("source", "split", "target") if name in more}
    search = {"parameters": list(dimensions) or [GAMMA, C], "trials": 6} | more
    return given.config(folder, estimator, params, tuning=search, **about)


def trials_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO((folder / contract.TRIALS).read_bytes())).to_pylist()
    return rows


def record(document: dict[str, Any]) -> parts.Tuning:
    """Prepare and train only."""
    config = given.parsed(document)
    found = train.train(config, prepare.prepare(config)[0]).training.tuning
    assert found is not None
    return found


def sample() -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((ROOT / "deploy/samples/digits-tuned.yaml").read_text())["spec"]
    return spec


def test_the_tutorial_accounts_for_every_trial_and_is_no_worse_than_the_defaults(tmp_path: Path) -> None:
    spec = sample()
    estimator = spec["model"]["estimator"]
    result = given.run(
        given.config(tmp_path, estimator["class"], estimator["params"], tuning=spec["tuning"], **spec["data"])
    )
    told = result["tuning"]
    assert (told["completed"], told["failed"], told["total"]) == (12, 0, 12)
    assert told["bestScore"] >= told["baselineScore"]
    assert result["metrics"]["accuracy"] >= 0.9688542825361512
    rows = trials_of(tmp_path)
    assert [row["trial"] for row in rows] == list(range(12))
    assert {row["state"] for row in rows} == {"Completed"}
    assert (rows[0]["param_gamma"], rows[0]["param_C"]) == (0.001, 1.0)
    for row in rows[1:]:
        assert 0.0001 <= row["param_gamma"] <= 0.001 and 0.01 <= row["param_C"] <= 1.0
    assert max(row["score"] for row in rows) == told["bestScore"]
    assert json.loads((tmp_path / contract.METADATA).read_bytes())["tuning"] == told
    assert any("the goal 0.99 was not reached" in note for note in result["notes"])


@pytest.mark.parametrize("algorithm", ["Grid", "Random", "Halving", "TPE"])
def test_the_same_manifest_gives_the_same_to_the_last_digit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    """With as many workers as there may be cores, whatever the order in which they come back."""
    steps = {"step": 0.003} if algorithm == "Grid" else {}
    gamma = {"name": "gamma", "type": "Double", "min": 0.001, "max": 0.01} | steps
    kernel = {"name": "kernel", "type": "Categorical", "values": ["rbf", "poly"]}
    found = []
    for cores in ("1", "3", "3"):
        monkeypatch.setenv(contract.CPU_LIMIT_ENV, cores)
        folder = tmp_path / str(len(found))
        result = given.run(tuned(folder, gamma, kernel, algorithm=algorithm, trials=9, parallelTrials=3))
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in trials_of(folder)]
        found.append((rows, {name: result["tuning"][name] for name in FOUND}, result["artifact"]["sha256"]))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == 9


def test_a_fold_is_scikit_learns_own(tmp_path: Path) -> None:
    document = tuned(tmp_path, params={"gamma": 0.001}, source={"builtin": "digits"}, seed=3, trials=3)
    document["tuning"]["crossValidation"] = {"folds": 3}
    X, y = datasets.load_digits(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    folds = StratifiedKFold(3, shuffle=True, random_state=3)
    for trial in record(document).trials:
        scores = cross_val_score(SVC(**trial.params), X, y, cv=folds)
        assert trial.scores == scores.tolist()
        assert trial.score == scores.mean()


def test_the_winner_is_fitted_on_the_whole_training_part(tmp_path: Path) -> None:
    config = given.parsed(tuned(tmp_path, params={"gamma": 0.1}, source={"builtin": "digits"}))
    part, _ = prepare.prepare(config)
    fitted = train.train(config, part)
    search = fitted.training.tuning
    assert search is not None and search.result.best_trial > 0
    best = search.result.best_params
    assert best is not None and fitted.training.params == best
    plain = SVC(**best).fit(part.X, part.y)
    assert np.array_equal(fitted.model.dual_coef_, plain.dual_coef_)
    assert search.fit_rows + (search.validation_rows or 0) == len(part.X)


def test_the_given_parameters_win_a_tie(tmp_path: Path) -> None:
    """iris is so easy that many are equally good."""
    search = record(tuned(tmp_path, C, params={"gamma": 0.1}, trials=8))
    best = search.result.best_score
    assert search.result.best_trial == min(trial.number for trial in search.trials if trial.score == best)


def test_a_search_ends_at_its_goal_and_says_so(tmp_path: Path) -> None:
    result = given.run(tuned(tmp_path, params={"gamma": 1e-7}, trials=40, objective={"goal": 0.9}, parallelTrials=2))
    told = result["tuning"]
    assert told["ended"] == "Goal" and told["completed"] < told["total"] == 40
    assert told["bestTrial"] == told["completed"] - 1
    assert len(trials_of(tmp_path)) == told["completed"]
    assert any(note == "tuning: the goal 0.9 was reached" for note in result["notes"])


def test_failed_trials_are_told_with_their_reason(tmp_path: Path) -> None:
    solver = {"name": "solver", "type": "Categorical", "values": ["lbfgs", "saga"]}
    ratio = {"name": "l1_ratio", "type": "Categorical", "values": [0, 1]}
    document = tuned(
        tmp_path, solver, ratio, algorithm="Grid", trials=5, params={"max_iter": 5000},
        estimator="sklearn.linear_model.LogisticRegression", maxFailedTrials=1,
    )  # fmt: skip
    result = given.run(document)
    failed = [row for row in trials_of(tmp_path) if row["state"] == "Failed"]
    assert [(row["param_solver"], row["param_l1_ratio"]) for row in failed] == [("lbfgs", 1)]
    assert failed[0]["reason"].startswith("ValueError: ") and failed[0]["score"] is None
    assert result["tuning"]["failed"] == 1
    assert any(f"trials failed; trial {failed[0]['trial']}: ValueError" in note for note in result["notes"])


def test_too_many_failed_trials_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = {"name": "kernel", "type": "Categorical", "values": ["precomputed", "rbf"]}
    told = given.failure(tuned(tmp_path, kernel, C, trials=40, maxFailedTrials=2), capsys)
    assert (told["step"], told["reason"], told["permanent"]) == ("train", "TooManyFailedTrials", True)
    assert "tuning.maxFailedTrials 2: 3 of " in told["message"]
    assert "'kernel': 'precomputed'" in told["message"] and "ValueError: " in told["message"]


def test_given_parameters_that_fail_are_a_failed_trial(tmp_path: Path) -> None:
    kernel = {"name": "kernel", "type": "Categorical", "values": ["rbf", "linear"]}
    result = given.run(tuned(tmp_path, kernel, params={"kernel": "precomputed"}, trials=3, algorithm="Grid"))
    assert (result["tuning"]["completed"], result["tuning"]["failed"]) == (2, 1)
    assert "baselineScore" not in result["tuning"]


@pytest.mark.parametrize(
    "dimension, says",
    [
        ({"name": "gama"}, "tuning.parameters[0].name 'gama': the model has no such parameter; did you mean gamma?"),
        ({"name": "estimator__C"}, "the model has no such parameter"),
    ],
)
def test_a_name_that_the_model_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dimension: dict[str, str], says: str
) -> None:
    told = given.failure(tuned(tmp_path, C | dimension), capsys)
    assert told["reason"] == "UnknownParameter" and says in told["message"]


def test_a_metric_that_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = given.failure(tuned(tmp_path, objective={"metric": "neg_log_loss"}), capsys)
    assert told["reason"] == "MetricUnsuitable"
    assert told["message"].startswith("tuning.objective.metric 'neg_log_loss': needs predict_proba")


def test_more_folds_than_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = given.inline("a,y\n" + "".join(f"{n},{n % 2}\n" for n in range(8)), target="y")
    told = given.failure(tuned(tmp_path, **rows, crossValidation={"folds": 50}), capsys)
    assert told["message"] == (
        "tuning.crossValidation.folds 50: the training part has only 6 rows; use fewer folds or more data"
    )


def test_nested_names_nested_estimators_and_lists(tmp_path: Path) -> None:
    steps = [
        ["vector", {"class": "sklearn.preprocessing.StandardScaler"}],
        ["model", {"class": "sklearn.ensemble.BaggingClassifier", "params": {"estimator": {"class": SVC_PATH}}}],
    ]
    inner = [{"class": "sklearn.tree.DecisionTreeClassifier"}, {"class": "sklearn.naive_bayes.GaussianNB"}]
    dimensions = [
        {"name": "model__estimator", "type": "Categorical", "values": inner},
        {"name": "model__n_estimators", "type": "Int", "min": 2, "max": 4},
        {"name": "vector", "type": "Categorical", "values": ["passthrough"]},
    ]
    config = given.parsed(
        tuned(
            tmp_path,
            *dimensions,
            estimator="sklearn.pipeline.Pipeline",
            params={"steps": steps},
            trials=4,
            split={"strategy": "None"},
            maxFailedTrials=0,
        )
    )
    fitted = train.train(config, prepare.prepare(config)[0])
    search = fitted.training.tuning
    assert search is not None and search.result.failed == 0
    assert search.trials[1].params["model__estimator"] in inner


def test_text_columns_and_clusters_are_tuned_as_well(tmp_path: Path) -> None:
    table = "size,word,kind\n" + "".join(f"{n},{'ab'[n % 2]},{'xy'[n % 2]}\n" for n in range(60))
    depth = {"name": "max_depth", "type": "Int", "min": 1, "max": 3}
    search = record(tuned(tmp_path, depth, **given.inline(table, target="kind"), estimator=given.TREE, trials=4))
    assert search.result.best_score == 1.0
    clusters = {"name": "n_clusters", "type": "Int", "min": 2, "max": 5}
    search = record(tuned(tmp_path, clusters, estimator="sklearn.cluster.KMeans", trials=4))
    assert search.result.metric == "silhouette" and search.result.failed == 0


def test_a_small_space_is_searched_out(tmp_path: Path) -> None:
    depth = {"name": "max_depth", "type": "Int", "min": 1, "max": 3}
    result = given.run(tuned(tmp_path, depth, estimator=given.TREE, trials=20))
    assert result["tuning"]["ended"] == "Space" and result["tuning"]["completed"] == 4
    assert any("no further point" in note for note in result["notes"])
