"""The figures behind the card's pictures: those of scikit-learn where it has them, and cheap or left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import steps_given as given
from hypothesis import given as for_any
from hypothesis import strategies as st
from sklearn import datasets, linear_model, metrics

from sklearn_steps import (
    card_words,
    charts,
    contract,
    curves,
    importance,
    insights,
    learning,
    parts,
    prepare,
    responses,
    train,
)


@for_any(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 8).map(float)), min_size=2, max_size=60).filter(
        lambda rows: len({true for true, _ in rows}) == 2
    )
)
def test_areas_are_those_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    positive, scores = (np.array(values) for values in zip(*rows, strict=True))
    roc, recall = insights._curves(positive, scores, "x")
    assert roc.figure == pytest.approx(metrics.roc_auc_score(positive, scores))
    assert recall.figure == pytest.approx(metrics.average_precision_score(positive, scores))
    assert roc.points[0] == (0, 0) and roc.points[-1] == (1, 1)


@for_any(low=st.floats(-1e12, 1e12), span=st.floats(1e-9, 1e12))
def test_ticks_are_few_and_within_the_range(low: float, span: float) -> None:
    found = charts.ticks(low, low + span)
    assert len(found) <= 12
    assert all(low - span * 0.01 <= tick <= low + span * 1.01 for tick in found) or span < abs(low) * 1e-9


@for_any(value=st.floats(allow_nan=False, allow_infinity=False))
def test_figures_are_short(value: float) -> None:
    for text in (card_words.figure(value), card_words.compact(value), charts.label(value)):
        assert 0 < len(text) <= 12


def fitted(config: dict[str, Any]) -> tuple[contract.RunConfig, train.Fitted, parts.Part, parts.Part]:
    parsed = given.parsed(config)
    train_part, test_part = prepare.prepare(parsed)
    return parsed, train.train(parsed, train_part), train_part, test_part


@pytest.mark.parametrize("table", [False, True])
def test_importance_finds_the_column_that_matters(table: bool) -> None:
    text = "noise,signal,kind\n" + "".join(f"{i * 7 % 13},{i % 2 * 10 + i % 3},{'ab'[i % 2]}\n" for i in range(120))
    data = given.inline(text, target="kind") if table else {"source": {"builtin": "iris"}}
    _, model, _, part = fitted(given.config("file:///tmp/none/", **data))
    before = part.X.copy()
    runs = [importance.measure(model.model, part, model.training, "accuracy", 0, budget=60) for _ in range(2)]
    assert runs[0] == runs[1] and runs[0].repeats == 5
    assert runs[0].bars[0].name == ("signal" if table else "petal width (cm)") and runs[0].bars[0].mean > 0.2
    assert (before == part.X).all(axis=None) if table else np.array_equal(before, part.X)


def test_what_is_too_expensive_is_left_out_and_said() -> None:
    config, model, train_part, part = fitted(given.config("file:///tmp/none/"))
    found = importance.measure(model.model, part, model.training, "accuracy", 0, budget=0)
    assert not found.bars and "shuffling 4 columns" in found.left_out
    assert learning.draw(config, model.model, train_part, train_part.y, model.training, budget=0) is None
    assert model.training.left_out[-1].startswith("Learning curve: 5 more fits would take")


def test_the_learning_curve_rises_with_the_rows() -> None:
    config, model, train_part, _ = fitted(
        given.config("file:///tmp/none/", "sklearn.naive_bayes.GaussianNB", source={"builtin": "digits"})
    )
    curve = learning.draw(config, model.model, train_part, train_part.y, model.training, budget=60)
    assert curve is not None and curve.rows == sorted(curve.rows) and len(curve.rows) == 5
    assert curve.held_out[-1] > curve.held_out[0] and curve.held_out_rows == 269


@pytest.mark.parametrize("strategy", ["Group", "Time"])
def test_the_learning_curve_is_divided_as_the_data_is(strategy: str) -> None:
    """No group on both sides; nothing fitted on later rows than it is judged by, and the latest of the others first."""
    rows = "".join(f"{i * 7 % 13},{i * 5 % 9},herd-{i % 9},{i}\n" for i in range(90))
    split = {"strategy": strategy, "groups": "herd", "time": "when", "testSize": 0.2}
    split.pop("time" if strategy == "Group" else "groups")
    data = given.inline(f"a,y,herd,when\n{rows}", target="y", split=split, features={"include": ["a"]})
    config, model, part, _ = fitted(given.config("file:///tmp/none/", "sklearn.linear_model.Ridge", **data))
    held_out, rest = learning._divided(config, part, part.about.train_rows)
    assert sorted([*held_out, *rest]) == list(range(part.about.train_rows)) and len(held_out) >= 14
    if strategy == "Group":
        assert not set(part.groups[held_out]) & set(part.groups[rest])
        assert len(np.flatnonzero(np.diff(part.groups[rest]))) == len(set(part.groups[rest])) - 1
    else:
        assert held_out.min() > rest.max() and rest[0] == rest.max()
    curve = learning.draw(config, model.model, part, part.y, model.training, budget=60)
    assert curve is not None and len(curve.rows) == 5


def test_the_pipelines_own_curve_is_that_of_scikit_learn() -> None:
    X, y = datasets.load_breast_cancer(return_X_y=True)
    model = linear_model.RidgeClassifier().fit(X, y)
    columns = [parts.Column(name=str(place), dtype="float64") for place in range(X.shape[1])]
    about = parts.About(
        source="x",
        sha256="",
        rows=len(X),
        train_rows=len(X),
        test_rows=len(X),
        table=False,
        columns=columns,
        target=["y"],
    )
    part = parts.Part(X, y, about)
    training = parts.Training(
        about=about,
        estimator="x",
        estimator_type="classifier",
        classes=[0, 1],
        outputs=["predict"],
        params={},
        fit_seconds=0,
        versions={},
        run_id="",
        requirements=[],
        notes=[],
    )
    drawn = curves.draw(model, part, training, responses.Responses(model, part))
    assert metrics.auc(drawn.fpr, drawn.tpr) == pytest.approx(
        metrics.roc_auc_score(y, model.decision_function(X)), abs=1e-4
    )
