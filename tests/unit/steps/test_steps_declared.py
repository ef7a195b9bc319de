"""What declared pipelines make of messy tables, and of what callers send; what is wrong is told by step and column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import steps_given as given
import steps_served as served
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris, load_linnerud
from sklearn.ensemble import (
    IsolationForest,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import get_scorer, silhouette_score
from sklearn.model_selection import train_test_split
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor
from steps_customers import (
    CSV,
    ENCODE,
    FEATURES,
    IMPUTE,
    KIND_BY_KIND,
    NUMBERS,
    NUMBERS_AND_WORDS,
    ROWS,
    SCALE,
    TIMES,
    Json,
    cls,
    columns_of,
    group,
    learned_from,
    numbers_and_words,
    prepare,
    sent,
    step,
)

from sklearn_steps import contract

# What a caller may send


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Json]:
    folder = tmp_path_factory.mktemp("messy")
    data = given.inline(CSV, target="churn", features=FEATURES)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SKLEARN_DATA_INLINE", raising=False)
        return folder, given.run(given.declared(folder, KIND_BY_KIND, **data))


NEW = {"plan": "platinum", "joined": "2031-02-03T04:05:06+02:00", "born": "1899-12-31", "visits": 10**6, "spend": 0.5,
       "active": True}  # fmt: skip


def test_rows_with_gaps_new_words_and_further_columns(messy: tuple[Path, Json]) -> None:
    answers = served.runtime(*messy)
    model = joblib.load(messy[0] / contract.MODEL)
    empty = dict.fromkeys(NEW)
    table = pd.DataFrame([NEW, empty]).astype({"visits": "float64", "spend": "float64", "active": "float64"})
    table["joined"] = [pd.Timestamp("2031-02-03T02:05:06Z").timestamp(), np.nan]
    table["born"] = [pd.Timestamp("1899-12-31").timestamp(), np.nan]
    expected = model.predict(table.fillna({"plan": np.nan})).tolist()
    assert served.by_rows(answers, [NEW, empty]).tolist() == expected
    whole = {"id": "c-1", "note": "the whole row", "city": None} | NEW
    assert served.by_rows(answers, [whole, whole | empty]).tolist() == expected
    assert served.by_columns(answers, columns_of([whole, whole | empty]))["predict"].tolist() == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"joined": "yesterday"}, "value 0 is 'yesterday', not a time such as 2024-01-31T12:00:00Z"),
        ({"joined": "2024-02-30"}, "not a time"),
        ({"plan": 3}, "not a string"),
        ({"spend": "much"}, "not a number"),
        ({"active": "yes"}, "not a number"),
        ({"colour": "red"}, "unknown column 'colour'"),
    ],
)
def test_what_is_refused_is_refused_by_column(messy: tuple[Path, Json], change: Json, says: str) -> None:
    with pytest.raises(served.RequestError, match=says):
        served.by_rows(served.runtime(*messy), [NEW | change])


def test_the_published_documents_say_what_a_caller_needs(messy: tuple[Path, Json]) -> None:
    metadata = json.loads((messy[0] / contract.METADATA).read_bytes())
    assert {item["name"]: item["kind"] for item in metadata["features"]} == {
        "plan": "string", "joined": "datetime", "born": "datetime", "visits": "number", "spend": "number",
        "active": "boolean",
    }  # fmt: skip
    assert metadata["ignored"] == ["id", "city", "note"]
    assert metadata["estimator"] == "sklearn.linear_model.LogisticRegression"
    assert any("times are seconds" in note for note in messy[1]["notes"])
    assert not any("one-hot" in note for note in messy[1]["notes"])
    card = (messy[0] / contract.CARD).read_text()
    assert "KBinsDiscretizer" in card and "LogisticRegression" in card


# Without a target, without a table, with another target


def test_clusters_of_a_messy_table(tmp_path: Path) -> None:
    pipeline = [NUMBERS_AND_WORDS, step("clusters", "cluster.KMeans", n_clusters=3)]
    result = given.run(
        given.declared(tmp_path, pipeline, **given.inline(CSV, features={"exclude": ["value", "churn"]}))
    )
    X = learned_from()[["plan", "visits", "spend"]]
    train, test = train_test_split(np.arange(ROWS), test_size=0.25, random_state=0)
    model = make_pipeline(numbers_and_words(), KMeans(n_clusters=3, random_state=0)).fit(X.iloc[train])
    expected = model.predict(X.iloc[test])
    assert result["estimatorType"] == "clusterer"
    assert result["metrics"] == {"silhouette": silhouette_score(model[:-1].transform(X.iloc[test]), expected)}
    answers = served.runtime(tmp_path, result)
    assert served.by_rows(answers, sent(test, answers.served.columns.names)).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("last", "written"),
    [
        (step("odd", "ensemble.IsolationForest", n_estimators=5), IsolationForest(n_estimators=5, random_state=0)),
        (step("odd", "neighbors.LocalOutlierFactor", novelty=True), LocalOutlierFactor(novelty=True)),
    ],
    ids=["forest", "neighbours"],
)
def test_outliers_of_a_messy_table(tmp_path: Path, last: Json, written: Any) -> None:
    data = given.inline(CSV, features={"exclude": ["value", "churn"]})
    result = given.run(given.declared(tmp_path, [NUMBERS_AND_WORDS, last], **data))
    X = learned_from()[["plan", "visits", "spend"]]
    train, test = train_test_split(np.arange(ROWS), test_size=0.25, random_state=0)
    expected = make_pipeline(numbers_and_words(), written).fit(X.iloc[train]).predict(X.iloc[test])
    assert (result["estimatorType"], result["metrics"]) == ("outlier_detector", {})
    assert f"{(expected == -1).sum()} of the {len(test)} test rows are outliers" in result["notes"]
    answers = served.runtime(tmp_path, result)
    assert served.by_rows(answers, sent(test, answers.served.columns.names)).tolist() == expected.tolist()


def test_a_transformed_target(tmp_path: Path) -> None:
    columns = prepare(group("times", {"dtype": "datetime"}, IMPUTE, cls("preprocessing.SplineTransformer")),
                      group("numbers", ["visits"], IMPUTE))  # fmt: skip
    last = step("model", "compose.TransformedTargetRegressor", regressor=cls("linear_model.Ridge"),
                transformer=cls("preprocessing.QuantileTransformer", n_quantiles=10))  # fmt: skip
    data = given.inline(CSV, target="value", features={"exclude": ["churn"]})
    result = given.run(given.declared(tmp_path, [columns, last], **data))
    frame = learned_from()
    X = frame[["joined", "born", "visits"]]
    train, test = train_test_split(np.arange(ROWS), test_size=0.25, random_state=0)
    model = make_pipeline(
        ColumnTransformer([("times", make_pipeline(SimpleImputer(), SplineTransformer()), TIMES),
                           ("numbers", SimpleImputer(), ["visits"])]),
        TransformedTargetRegressor(Ridge(random_state=0), transformer=QuantileTransformer(
            n_quantiles=10, random_state=0)),
    ).fit(X.iloc[train], frame["value"].iloc[train].to_numpy())  # fmt: skip
    assert result["metrics"]["r2"] == get_scorer("r2")(model, X.iloc[test], frame["value"].iloc[test])
    answers = served.runtime(tmp_path, result)
    assert (
        served.by_rows(answers, sent(test, answers.served.columns.names)).tolist()
        == model.predict(X.iloc[test]).tolist()
    )


def test_a_builtin_data_set_by_column_name(tmp_path: Path) -> None:
    petals = ["petal width (cm)", "petal length (cm)"]
    pipeline = [prepare(group("petals", petals, SCALE)), step("model", "svm.SVC")]
    result = given.run(given.declared(tmp_path, pipeline))
    X, y = load_iris(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    model = make_pipeline(ColumnTransformer([("petals", StandardScaler(), petals)]), SVC(random_state=0))
    expected = model.fit(X_train, y_train).predict(X_test).tolist()
    answers = served.runtime(tmp_path, result)
    assert list(answers.served.columns.names) == petals[::-1]
    assert served.by_rows(answers, X_test.to_dict("records")).tolist() == expected
    assert served.by_rows(answers, X_test[petals].to_dict("records")).tolist() == expected


def test_several_targets_by_column_name(tmp_path: Path) -> None:
    chain = cls("tree.DecisionTreeRegressor", max_depth=2)
    pipeline = [
        prepare(group("jumps", ["Jumps"], SCALE), remainder="passthrough"),
        step("model", "multioutput.MultiOutputRegressor", estimator=chain),
    ]
    result = given.run(given.declared(tmp_path, pipeline, source={"builtin": "linnerud"}))
    X, y = load_linnerud(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.25, random_state=0)
    columns = ColumnTransformer([("jumps", StandardScaler(), ["Jumps"])], remainder="passthrough")
    trees = MultiOutputRegressor(DecisionTreeRegressor(max_depth=2, random_state=0))
    model = make_pipeline(columns, trees).fit(X_train, y_train)
    answers = served.runtime(tmp_path, result)
    np.testing.assert_array_equal(served.by_rows(answers, X_test.to_dict("records")), model.predict(X_test))


@pytest.mark.parametrize("layout", ["one estimator", "steps"])
def test_columns_named_within_params_work_too(tmp_path: Path, layout: str) -> None:
    columns = cls(
        "compose.ColumnTransformer",
        transformers=[["petals", SCALE, ["petal width (cm)"]], ["rest", "passthrough", ["sepal width (cm)"]]],
    )
    document = given.declared(tmp_path, [{"name": "columns"} | columns, step("model", "svm.SVC")])
    if layout == "one estimator":
        steps = [["columns", columns], ["model", cls("svm.SVC")]]
        document = given.config(tmp_path, "sklearn.pipeline.Pipeline", {"steps": steps})
    result = given.run(document)
    X, y = load_iris(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, _ = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    written = ColumnTransformer(
        [("petals", StandardScaler(), ["petal width (cm)"]), ("rest", "passthrough", ["sepal width (cm)"])]
    )
    expected = make_pipeline(written, SVC(random_state=0)).fit(X_train, y_train).predict(X_test)
    answers = served.runtime(tmp_path, result)
    assert served.by_rows(answers, X_test.to_dict("records")).tolist() == expected.tolist()


def test_steps_without_columns_leave_a_builtin_data_set_an_array(tmp_path: Path) -> None:
    pipeline = [step("scale", "preprocessing.StandardScaler"), step("model", "svm.SVC", gamma=0.01)]
    given.run(given.declared(tmp_path, pipeline, source={"builtin": "digits"}))
    assert not hasattr(joblib.load(tmp_path / contract.MODEL), "feature_names_in_")


# What is wrong with the data, or does not go with it


@pytest.mark.parametrize(
    ("reason", "pipeline", "words"),
    [
        ("FeatureMissing", [prepare(group("a", ["plann"], ENCODE)), step("m", "svm.SVC")],
         ("model.pipeline[0].columns[0].select 'plann'", "did you mean plan?")),
        ("FeatureMissing", [prepare(group("a", ["churn"], ENCODE)), step("m", "svm.SVC")], ("no such feature",)),
        ("NothingSelected", [prepare(group("a", {"dtype": "category"}, ENCODE)), step("m", "svm.SVC")],
         ("columns[0].select: no column is of dtype category", "string: id, plan, city, note", "boolean: active")),
        ("TooManyColumns",
         [prepare(group("a", {"dtype": "string"}, cls("feature_extraction.text.TfidfVectorizer"))),
          step("m", "svm.SVC")],
         ("TfidfVectorizer takes one column of text", "make a group for each")),
        ("UnknownCategories",
         [prepare(group("a", ["id"], cls("preprocessing.OrdinalEncoder"))), step("m", "svm.SVC")],
         ("handle_unknown",)),
        ("TextColumns", [prepare(group("a", ["plan"], ENCODE), remainder="passthrough"), step("m", "svm.SVC")],
         ("text in id, city, note;",)),
        ("MissingValues", [prepare(group("a", NUMBERS, SCALE)), step("m", "svm.SVC")], ("visits (", "spend (")),
        ("UnknownParameter", [prepare(group("a", ["plan"], cls("preprocessing.OneHotEncoder", dropp=1))),
                              step("m", "svm.SVC")],
         ("model.pipeline[0].columns[0].steps[0].params.dropp", "did you mean drop?")),
        ("InvalidParameter", [step("a", "preprocessing.StandardScaler"), step("m", "svm.SVC", C=-1.0)], ("'C'",)),
        ("NotAModel", [step("m", "preprocessing.StandardScaler")], ("model.pipeline[0].class",)),
    ],
)  # fmt: skip
def test_a_failure_says_which_step_and_which_column(
    reason: str, pipeline: list[Json], words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CSV
    if reason == "InvalidParameter":
        text = learned_from()[["visits", "churn"]].fillna(0).to_csv(index=False)
    features = {} if reason == "InvalidParameter" else FEATURES
    told = given.failure(
        given.declared(tmp_path, pipeline, **given.inline(text, target="churn", features=features)), capsys
    )
    assert (told["reason"], told["permanent"]) == (reason, True), told
    for word in words:
        assert word in told["message"]


def test_a_column_that_no_model_takes_may_stay_where_no_group_selects_it(tmp_path: Path) -> None:
    lines = [{"a": place, "tags": [place], "y": place % 2} for place in range(20)]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    pipeline = [prepare(group("numbers", {"dtype": "number"}, SCALE)), step("m", "svm.SVC")]
    result = given.run(given.declared(tmp_path, pipeline, **given.inline(text, "r.jsonl", target="y")))
    answers = served.runtime(tmp_path, result)
    assert len(served.by_rows(answers, [{"a": 3, "tags": ["any", {"thing": 1}]}])) == 1
