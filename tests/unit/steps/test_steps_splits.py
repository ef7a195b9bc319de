"""Groups, time and weights: scikit-learn's own splits, bit for bit, and refusals where a guess would be needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import steps_given as given
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import OneHotEncoder

from sklearn_steps import contract, contract_tuning, errors, parts, prepare, splits
from sklearn_steps.tuning import folds

LOGISTIC = "sklearn.linear_model.LogisticRegression"


def table(rows: int = 60) -> pd.DataFrame:
    place = np.arange(rows)
    return pd.DataFrame(
        {
            "a": place % 7,
            "b": (place * 37 % 11) / 2,
            "ward": [f"w{number % 9}" for number in place],
            "day": [str(np.datetime64("2026-01-31") - number % 30) for number in place],
            "w": 0.5 + place % 3,
            "y": np.where(place % 5 < 2, "no", "yes"),
        }
    )


def data(frame: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    return given.inline(frame.to_csv(index=False), target="y") | changes


def prepared(folder: Path, estimator: str = given.TREE, **changes: Any) -> tuple[parts.Part, parts.Part]:
    return prepare.prepare(given.parsed(given.config(folder, estimator, **changes)))


def test_a_group_is_on_one_side_only_and_as_scikit_learn_draws_it(tmp_path: Path) -> None:
    frame, split = table(), {"strategy": "Group", "groups": "ward", "testSize": 0.3, "seed": 7}
    train, test = prepared(tmp_path, **data(frame, split=split))
    wanted = next(GroupShuffleSplit(1, test_size=0.3, random_state=7).split(frame, groups=frame["ward"]))
    for part, rows in zip((train, test), wanted, strict=True):
        assert list(part.X.columns) == ["a", "b", "day", "w"]
        pd.testing.assert_frame_equal(part.X[["a", "b"]], frame.iloc[rows][["a", "b"]].reset_index(drop=True))
        assert part.groups.tolist() == [int(name[1:]) for name in frame["ward"].iloc[rows]]
    assert not set(train.groups) & set(test.groups)
    (note,) = [note for note in train.about.notes if "Group" in note]
    assert f"{len(set(test.groups))} of 9 groups, {len(test.y)} of 60 rows" in note


def test_time_is_sorted_as_time_and_ties_stay_in_file_order(tmp_path: Path) -> None:
    frame = table()
    train, test = prepared(tmp_path, **data(frame, split={"strategy": "Time", "time": "day", "testSize": 0.26}))
    ordered = frame.sort_values("day", kind="stable")
    assert len(test.y) == 16
    assert "day" not in train.X.columns
    assert train.y.tolist() + test.y.tolist() == ordered["y"].tolist()
    assert train.X["b"].tolist() + test.X["b"].tolist() == ordered["b"].tolist()
    assert not train.about.notes
    _, odd = prepared(tmp_path, **data(frame, split={"strategy": "Time", "time": "day", "testSize": 0.25}))
    assert "2 rows of one time lie on both sides" in odd.about.notes[0]


@pytest.mark.parametrize(
    "days",
    [
        ["2026-01-02T10:00:00+02:00", "2026-01-02T09:00:00Z", "2025-12-31"],
        [20260102, 20260103, 20251231],
        [0.5, 0.75, -3.0],
    ],
)
def test_what_can_be_sorted(days: list[Any], tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 0], "day": days, "y": [1.0, 2.0, 0.0]})
    split = {"strategy": "Time", "time": "day", "testSize": 0.3}
    train, test = prepared(tmp_path, "sklearn.linear_model.Ridge", **data(frame, split=split))
    assert (train.y.tolist(), test.y.tolist()) == ([0.0, 1.0], [2.0])


@settings(max_examples=60, deadline=None)
@hypothesis_given(
    st.lists(st.integers(0, 6), min_size=2, max_size=60), st.floats(0.01, 0.99), st.sampled_from(["Group", "Time"])
)
def test_every_row_is_on_exactly_one_side(values: list[int], share: float, strategy: Any) -> None:
    codes = np.unique(values, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    named = {"Group": {"groups": "c"}, "Time": {"time": "c"}}[strategy]
    wanted = contract.Split(strategy=strategy, test_size=share, **named)
    try:
        train, test, _ = splits.split(len(codes), None, codes, (order, codes[order]), wanted)
    except errors.UserError as refused:
        assert refused.reason in ("OneGroup", "SplitEmpty")
        return
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(codes)))
    assert len(train) and len(test)
    if strategy == "Group":
        assert not set(codes[train]) & set(codes[test])
    else:
        assert codes[train].max() <= codes[test].min()


def test_columns_that_steer_are_features_only_where_they_are_named(tmp_path: Path) -> None:
    steering = {"weight": "w", "split": {"strategy": "Group", "groups": "ward"}}
    train, _ = prepared(tmp_path, **data(table(), **steering))
    assert list(train.X.columns) == ["a", "b", "day"]
    named = {"features": {"include": ["w", "b"]}}
    train, _ = prepared(tmp_path, **data(table(), **steering, **named))
    assert list(train.X.columns) == ["w", "b"]
    assert train.weight.tolist() == train.X["w"].tolist()


@pytest.mark.parametrize("again", [False, True])
def test_weights_reach_the_estimator_behind_the_encoder(again: bool, tmp_path: Path) -> None:
    frame = table()
    changes = {"weight": "w", "split": {"testSize": 0.5, "shuffle": False}, "features": {"exclude": ["day"]}}
    result = given.run(given.config(tmp_path, LOGISTIC, **data(frame, **changes)))
    assert any("metrics count every row once" in note for note in result["notes"])
    model = joblib.load(tmp_path / contract.MODEL)
    half, weight = frame.iloc[:30], frame["w"].iloc[:30] if not again else None
    encoded = model[0].transform(half[["a", "b", "ward"]])
    plain = LogisticRegression(random_state=0).fit(encoded, half["y"], sample_weight=weight)
    assert np.array_equal(plain.coef_, model[-1].coef_) != again
    assert isinstance(model[0].named_transformers_["text"], OneHotEncoder)


def test_weights_and_groups_come_back_as_they_were(tmp_path: Path) -> None:
    steering = {"weight": "w", "split": {"strategy": "Group", "groups": "ward"}}
    for part in prepared(tmp_path, **data(table(), **steering)):
        parts.save(part, tmp_path / "part")
        again = parts.load(tmp_path / "part")
        assert np.array_equal(again.weight, part.weight) and np.array_equal(again.groups, part.groups)
        assert list(again.X.columns) == ["a", "b", "day"]


def test_a_builtin_data_set_steers_by_its_own_columns(tmp_path: Path) -> None:
    changes = {"weight": "petal width (cm)", "split": {"strategy": "Group", "groups": "sepal width (cm)"}}
    train, test = prepared(tmp_path, **changes)
    assert [column.name for column in train.about.columns] == ["sepal length (cm)", "petal length (cm)"]
    assert (train.X.shape[1], len(train.X) + len(test.X)) == (2, 150)
    result = given.run(given.config(tmp_path, **changes))
    assert result["lineage"]["features"] == 2


def gap(column: str, value: Any = None, row: int = 4) -> pd.DataFrame:
    frame = table().astype({column: object})
    frame.loc[row, column] = value
    return frame


GROUP, TIME = {"strategy": "Group", "groups": "ward"}, {"strategy": "Time", "time": "day"}


@pytest.mark.parametrize(
    ("reason", "words", "frame", "changes"),
    [
        ("ColumnMissing", ["groups 'word'", "did you mean ward?"], table(), {"split": GROUP | {"groups": "word"}}),
        ("ColumnMissing", ["data.split.time 'days'", "did you mean day?"], table(), {"split": TIME | {"time": "days"}}),
        ("ColumnMissing", ["data.weight 'ww'", "the columns are a, b"], table(), {"weight": "ww"}),
        ("ColumnIncomplete", ["data.split.groups 'ward'", "1 of 60", "row 5"], gap("ward"), {"split": GROUP}),
        ("ColumnIncomplete", ["data.split.time 'day'", "1 of 60", "row 5"], gap("day"), {"split": TIME}),
        ("ColumnIncomplete", ["data.weight 'w'", "1 of 60", "row 5"], gap("w"), {"weight": "w"}),
        ("OneGroup", ["all 60 rows are of one group"], table().assign(ward="w"), {"split": GROUP}),
        ("OneTime", ["all 60 rows are of one time", "2026"], table().assign(day="2026-01-01"), {"split": TIME}),
        ("TimeNotSortable", ["there is '1/31/2026'", "ISO 8601"], gap("day", "1/31/2026"), {"split": TIME}),
        ("SplitEmpty", ["of 9 groups no group"], table(), {"split": GROUP | {"testSize": 0.99}}),
        ("SplitEmpty", ["of 60 rows no row"], table(), {"split": TIME | {"testSize": 0.999}}),
        ("WeightsInvalid", ["negative", "row 5", "(-1)"], gap("w", -1), {"weight": "w"}),
        ("WeightsInvalid", ["infinite", "row 5"], gap("w", "inf"), {"weight": "w"}),
        ("WeightsInvalid", ["all weights are 0"], table().assign(w=0), {"weight": "w"}),
        ("WeightsNotNumeric", ["'w0'"], table(), {"weight": "ward"}),
    ],
)  # fmt: skip
def test_what_is_refused(
    reason: str, words: list[str], frame: pd.DataFrame, changes: dict[str, Any], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    told = given.failure(given.config(tmp_path, **data(frame, **changes)), capsys)
    assert (told["reason"], told["step"], told["permanent"]) == (reason, "prepare", True), told
    assert all(word in told["message"] for word in words), told["message"]


def test_an_estimator_that_takes_no_weights_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = given.config(tmp_path, "sklearn.neighbors.KNeighborsClassifier", **data(table(), weight="w"))
    told = given.failure(config, capsys)
    assert (told["reason"], told["step"]) == ("WeightsNotTaken", "prepare")
    assert "KNeighborsClassifier takes no sample weights" in told["message"]


def test_one_class_in_the_older_rows_is_told_with_the_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = table().sort_values("day", kind="stable").reset_index(drop=True)
    frame["y"] = np.where(frame.index < 50, "no", "yes")
    told = given.failure(given.config(tmp_path, **data(frame, split=TIME | {"testSize": 0.3})), capsys)
    assert told["reason"] == "OneClass" and "data.split.strategy Time puts all others" in told["message"]


# Trials of a tuning are judged as the model will be.


def made(part: parts.Part, split: dict[str, Any], crossed: int | None) -> Any:
    tuning = contract_tuning.Tuning.model_validate(
        {
            "algorithm": "Random", "trials": 3, "parallelTrials": 1, "maxFailedTrials": 3, "timeoutSeconds": 60,
            "seed": 3, "objective": {"direction": "Maximize"},
            "parameters": [{"name": "max_depth", "type": "Int", "min": 1, "max": 3}],
        }
        | ({"crossValidation": {"folds": crossed}} if crossed else {})
    )  # fmt: skip
    found, _ = folds.made(part, part.y, "classifier", contract.Split.model_validate(split), tuning)
    return found


@pytest.mark.parametrize("crossed", [None, 4])
def test_trials_keep_groups_together_and_look_ahead_only(crossed: int | None, tmp_path: Path) -> None:
    part, _ = prepared(tmp_path, **data(table(), split=GROUP))
    found = made(part, GROUP, crossed)
    assert len(found) == (crossed or 1)
    for fold in found:
        assert not set(part.groups[fold.fit]) & set(part.groups[fold.judge])
    part, _ = prepared(tmp_path, **data(table(), split=TIME))
    for fold in made(part, TIME, crossed):
        assert fold.fit.max() < fold.judge.min()


def test_fewer_groups_than_folds(tmp_path: Path) -> None:
    part, _ = prepared(tmp_path, **data(table(), split=GROUP))
    with pytest.raises(errors.UserError, match="the training part has only 6 groups"):
        made(part, GROUP, 7)


def test_trials_are_fitted_with_weights(tmp_path: Path) -> None:
    place = np.arange(80)
    frame = pd.DataFrame({"a": place % 2, "y": np.where(place % 10 < 6, place % 2, 1 - place % 2)})
    frame["w"] = np.where(frame["a"] == frame["y"], 0.0, 1.0)  # those that count say the opposite of the many
    tuning = {
        "algorithm": "Grid", "trials": 3, "parallelTrials": 1, "maxFailedTrials": 3, "timeoutSeconds": 60, "seed": 0,
        "objective": {"metric": "accuracy", "direction": "Maximize"},
        "parameters": [{"name": "max_depth", "type": "Int", "min": 1, "max": 2}],
    }  # fmt: skip
    with_weights = given.run(given.config(tmp_path / "a", **data(frame, weight="w")) | {"tuning": tuning})
    frame = frame.drop(columns="w")
    without = given.run(given.config(tmp_path / "b", **data(frame)) | {"tuning": tuning})
    scores = [result["tuning"]["baselineScore"] for result in (with_weights, without)]
    assert scores[0] < 0.5 < scores[1]
