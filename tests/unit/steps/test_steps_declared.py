"""Declared pipelines of many kinds, against the same pipelines written with scikit-learn itself.

Rows go through the serving runtime as people send them: by column name, with gaps, times as text and new words.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import steps_given as given
import steps_served as served
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris, load_linnerud
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, silhouette_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_steps import contract

Json = dict[str, Any]
ROWS = 90


def customers() -> pd.DataFrame:
    """Text, numbers, booleans and times, all with gaps; a label and a figure to learn."""
    random = np.random.default_rng(1)
    plan, visits = random.choice(["basic", "plus", "pro"], ROWS), random.integers(0, 50, ROWS)
    joined = pd.date_range("2023-01-01", periods=ROWS, freq="75h") + pd.Timedelta("3h")
    table = pd.DataFrame(
        {
            "id": [f"c-{place}" for place in range(ROWS)],
            "plan": plan,
            "city": [f"city-{place % 40}" for place in range(ROWS)],
            "joined": joined.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "born": pd.date_range("1955-05-05", periods=ROWS, freq="131D").strftime("%Y-%m-%d"),
            "visits": visits,
            "spend": random.normal(100, 20, ROWS).round(2),
            "active": random.choice([True, False], ROWS),
            "note": random.choice(["likes it a lot", "wants money back", "never came", "asks for more"], ROWS),
            "value": (visits * 2.5 + 10).round(1),
            "churn": np.where((visits < 20) ^ (plan == "basic"), "yes", "no"),
        }
    ).astype({"active": object, "visits": object})
    for name in ("plan", "joined", "visits", "spend", "active"):
        table.loc[random.choice(ROWS, 7, replace=False), name] = None
    return table


CSV = customers().to_csv(index=False)
NUMBERS, WORDS, FLAGS, TIMES = ["visits", "spend"], ["plan"], ["active"], ["joined", "born"]
FEATURES = {"exclude": ["value"]}


def cls(path: str, **params: Any) -> Json:
    return {"class": f"sklearn.{path}", "params": params}


def step(name: str, path: str, **params: Any) -> Json:
    return {"name": name} | cls(path, **params)


def group(name: str, select: Any, *steps: Json) -> Json:
    return {"name": name, "select": select, "steps": list(steps)}


def prepare(*groups: Json, remainder: str = "drop") -> Json:
    return {"name": "prepare", "columns": list(groups), "remainder": remainder}


IMPUTE, SCALE = cls("impute.SimpleImputer"), cls("preprocessing.StandardScaler")
ENCODE = cls("preprocessing.OneHotEncoder", handle_unknown="ignore")
NUMBERS_AND_WORDS = prepare(group("numbers", {"dtype": "number"}, IMPUTE, SCALE), group("words", WORDS, ENCODE))


def numbers_and_words() -> ColumnTransformer:
    encode = OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer(
        [("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS), ("words", encode, WORDS)]
    )


def kind_by_kind() -> Pipeline:
    frequent = SimpleImputer(strategy="most_frequent")
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), NUMBERS),
            ("words", make_pipeline(frequent, OneHotEncoder(handle_unknown="ignore")), WORDS),
            ("flags", SimpleImputer(strategy="most_frequent"), FLAGS),
            ("times", make_pipeline(SimpleImputer(), KBinsDiscretizer(n_bins=4, random_state=0)), TIMES),
        ]
    )
    return Pipeline([("prepare", columns), ("model", LogisticRegression(random_state=0))])


MEDIAN = cls("impute.SimpleImputer", strategy="median", add_indicator=True)
FREQUENT = cls("impute.SimpleImputer", strategy="most_frequent")
KIND_BY_KIND = [
    prepare(
        group("numbers", {"dtype": "number"}, MEDIAN, SCALE),
        group("words", WORDS, FREQUENT, ENCODE),
        group("flags", {"dtype": "boolean"}, FREQUENT),
        group("times", {"dtype": "datetime"}, IMPUTE, cls("preprocessing.KBinsDiscretizer", n_bins=4)),
    ),
    step("model", "linear_model.LogisticRegression"),
]
ORDINAL = cls("preprocessing.OrdinalEncoder", handle_unknown="use_encoded_value", unknown_value=-1)
TREE = cls("tree.DecisionTreeClassifier", max_depth=3)


def tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=3, random_state=0)


#: Name: the steps of the manifest, and the same in scikit-learn.
CLASSIFIERS: dict[str, tuple[list[Json], Callable[[], Any]]] = {
    "a forest on numbers and words": (
        [NUMBERS_AND_WORDS, step("forest", "ensemble.RandomForestClassifier", n_estimators=5)],
        lambda: make_pipeline(numbers_and_words(), RandomForestClassifier(n_estimators=5, random_state=0)),
    ),
    "every kind of column": (KIND_BY_KIND, kind_by_kind),
    "text by tf-idf beside numbers": (
        [
            prepare(
                group("note", ["note"], cls("feature_extraction.text.TfidfVectorizer", ngram_range=[1, 2])),
                group("numbers", NUMBERS, IMPUTE, SCALE),
            ),
            step("model", "linear_model.LogisticRegression"),
        ],
        lambda: make_pipeline(
            ColumnTransformer(
                [
                    ("note", TfidfVectorizer(ngram_range=(1, 2)), "note"),
                    ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
                ]
            ),
            LogisticRegression(random_state=0),
        ),
    ),
    "two vectorizers of one text, reduced": (
        [
            prepare(
                group(
                    "note",
                    ["note"],
                    cls(
                        "pipeline.FeatureUnion",
                        transformer_list=[
                            ["word", cls("feature_extraction.text.TfidfVectorizer")],
                            ["char", cls("feature_extraction.text.TfidfVectorizer", analyzer="char")],
                        ],
                    ),
                    cls("decomposition.TruncatedSVD", n_components=3),
                ),
            ),
            step("model", "svm.SVC"),
        ],
        lambda: make_pipeline(
            ColumnTransformer(
                [
                    (
                        "note",
                        make_pipeline(
                            FeatureUnion([("word", TfidfVectorizer()), ("char", TfidfVectorizer(analyzer="char"))]),
                            TruncatedSVD(n_components=3, random_state=0),
                        ),
                        "note",
                    )
                ]
            ),
            SVC(random_state=0),
        ),
    ),
    "many words for a model that takes no sparse columns": (
        [prepare(group("words", ["city", "plan"], ENCODE)), step("bayes", "naive_bayes.GaussianNB")],
        lambda: make_pipeline(
            ColumnTransformer(
                [("words", OneHotEncoder(handle_unknown="ignore"), ["city", "plan"])], sparse_threshold=0.0
            ),
            GaussianNB(),
        ),
    ),
    "the rest of the columns passed through": (
        [
            prepare(
                group("words", {"dtype": "string"}, ORDINAL),
                remainder="passthrough",
            ),
            step("boost", "ensemble.HistGradientBoostingClassifier", max_iter=5),
        ],
        lambda: make_pipeline(
            ColumnTransformer(
                [
                    (
                        "words",
                        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                        ["id", "plan", "city", "note"],
                    )
                ],
                remainder="passthrough",
            ),
            HistGradientBoostingClassifier(max_iter=5, random_state=0),
        ),
    ),
    "selected and reduced features": (
        [
            NUMBERS_AND_WORDS,
            step("union", "pipeline.FeatureUnion", transformer_list=[
                ["pca", cls("decomposition.PCA", n_components=2)],
                ["best", cls("feature_selection.SelectKBest", k=2)],
            ]),
            step("model", "svm.SVC", C=2.0),
        ],
        lambda: make_pipeline(
            numbers_and_words(),
            FeatureUnion([("pca", PCA(n_components=2, random_state=0)), ("best", SelectKBest(k=2))]),
            SVC(C=2.0, random_state=0),
        ),
    ),
    "recursive elimination": (
        [NUMBERS_AND_WORDS, step("few", "feature_selection.RFE", estimator=TREE, n_features_to_select=2),
         step("model", "linear_model.LogisticRegression")],
        lambda: make_pipeline(
            numbers_and_words(), RFE(tree(), n_features_to_select=2), LogisticRegression(random_state=0)
        ),
    ),
    "a stack of models": (
        [NUMBERS_AND_WORDS, step("stack", "ensemble.StackingClassifier", cv=2, estimators=[
            ["tree", TREE], ["svc", cls("pipeline.Pipeline", steps=[["kernel", cls(
                "kernel_approximation.Nystroem", n_components=10)], ["bayes", cls("naive_bayes.GaussianNB")]])]],
            final_estimator=cls("linear_model.LogisticRegression"))],
        lambda: make_pipeline(
            numbers_and_words(),
            StackingClassifier(
                [
                    ("tree", tree()),
                    ("svc", Pipeline([("kernel", Nystroem(n_components=10, random_state=0)), ("bayes", GaussianNB())])),
                ],
                LogisticRegression(random_state=0),
                cv=2,
            ),
        ),
    ),
    "a stack with all defaults": (
        [NUMBERS_AND_WORDS, step("stack", "ensemble.StackingClassifier", passthrough=True, estimators=[
            ["tree", TREE], ["bayes", cls("naive_bayes.GaussianNB")]])],
        lambda: make_pipeline(
            ColumnTransformer(numbers_and_words().transformers, sparse_threshold=0.0),
            StackingClassifier([("tree", tree()), ("bayes", GaussianNB())], passthrough=True),
        ),
    ),
    "a vote of models": (
        [NUMBERS_AND_WORDS, step("vote", "ensemble.VotingClassifier", voting="soft", weights=[2, 1], estimators=[
            ["tree", TREE], ["logistic", cls("linear_model.LogisticRegression")]])],
        lambda: make_pipeline(
            numbers_and_words(),
            VotingClassifier(
                [("tree", tree()), ("logistic", LogisticRegression(random_state=0))], voting="soft", weights=[2, 1]
            ),
        ),
    ),
    "calibrated": (
        [NUMBERS_AND_WORDS, step("model", "calibration.CalibratedClassifierCV", estimator=TREE, cv=2)],
        lambda: make_pipeline(numbers_and_words(), CalibratedClassifierCV(tree(), cv=2)),
    ),
    "bagged": (
        [NUMBERS_AND_WORDS, step("bag", "ensemble.BaggingClassifier", estimator=TREE, n_estimators=3)],
        lambda: make_pipeline(
            numbers_and_words(), BaggingClassifier(tree().set_params(random_state=0), n_estimators=3, random_state=0)
        ),
    ),
    "a search within": (
        [NUMBERS_AND_WORDS, step("search", "model_selection.GridSearchCV", estimator=cls("svm.SVC"), cv=2,
                                 param_grid={"C": [0.1, 1.0, 10.0]})],
        lambda: make_pipeline(numbers_and_words(), GridSearchCV(SVC(random_state=0), {"C": [0.1, 1.0, 10.0]}, cv=2)),
    ),
}  # fmt: skip


def learned_from(text: str = CSV) -> pd.DataFrame:
    """The table as the model gets it: times in seconds."""
    frame = pd.read_csv(io.StringIO(text))
    for name in TIMES:
        moments = pd.to_datetime(frame[name], format="ISO8601", utc=True)
        frame[name] = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta("1s")
    frame["active"] = frame["active"].astype("float64")
    return frame


def sent(rows: Any, names: Any) -> list[Json]:
    """Raw rows as a caller has them."""
    table = pd.read_csv(io.StringIO(CSV)).iloc[rows].astype(object)
    return list(table.where(table.notna(), None)[list(names)].to_dict("records"))


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
    for output, values in served.by_columns(answers, _columns(rows), *served.asked(answers)).items():
        np.testing.assert_array_equal(values, getattr(model, output)(X.iloc[test]))


def _columns(rows: list[Json]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


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
    assert served.by_columns(answers, _columns([whole, whole | empty]))["predict"].tolist() == expected


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


def test_step_by_step_is_the_same_as_all_at_once(tmp_path: Path) -> None:
    from sklearn_steps import tasks

    data = given.inline(CSV, target="churn", features=FEATURES)
    whole = given.run(given.declared(tmp_path / "a", KIND_BY_KIND, **data))
    text = json.dumps(given.declared(tmp_path / "b", KIND_BY_KIND, **data))
    train, test, model, evaluation = (tmp_path / name for name in ("train", "test", "model", "evaluation"))
    tasks.prepare(text, train, test)
    tasks.train(text, train, model)
    tasks.evaluate(text, model, test, evaluation)
    tasks.publish(text, model, evaluation)
    staged = json.loads((tmp_path / "b" / contract.RESULT).read_bytes())
    assert staged["metrics"] == whole["metrics"]
    assert staged["artifact"]["sha256"] == whole["artifact"]["sha256"]
