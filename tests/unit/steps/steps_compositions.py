"""Pipelines of many kinds for the messy table: as manifests declare them, and the same in scikit-learn.

Nothing of the project is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.svm import SVC
from steps_customers import (
    ENCODE,
    IMPUTE,
    KIND_BY_KIND,
    NUMBERS,
    NUMBERS_AND_WORDS,
    ORDINAL,
    SCALE,
    TREE,
    Json,
    cls,
    group,
    kind_by_kind,
    numbers_and_words,
    prepare,
    step,
    tree,
)

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
