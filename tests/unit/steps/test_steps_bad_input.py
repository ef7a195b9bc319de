"""Whatever is wrong with a manifest or its data, the failure says where, what, and what would be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import steps_given as given

from sklearn_steps import tasks

ROWS = "length,width,species\n" + "".join(f"{i},{i % 5},{'ab'[i % 2]}\n" for i in range(20))
TEXT = "length,width,species\n" + "".join(f"{i},x{i % 5},{'ab'[i % 2]}\n" for i in range(20))
TREE, RIDGE, SVC = given.TREE, "sklearn.linear_model.Ridge", "sklearn.svm.SVC"


def csv(text: str = ROWS, **data: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"target": "species"} | data
    return dict(given.inline(text, **fields))


def case(reason: str, step: str, *words: str, estimator: str = TREE, params: Any = None, **changes: Any) -> Any:
    name = f"{reason}-{'-'.join(words)[:40]}"
    return pytest.param(reason, step, words, estimator, params, changes, id=name)


CASES = [
    case("TargetMissing", "prepare", "'specis'", "did you mean species?", "length, width", **csv(target="specis")),
    case("TargetMissing", "prepare", "classifier needs a target", **csv(target=None)),
    case("TargetMissing", "prepare", "data.csv.delimiter", **csv(ROWS.replace(",", ";"))),
    case("TargetNotAllowed", "prepare", "data.target y", "remove data.target", target="y"),
    case("EmptyData", "prepare", "rows.csv", "0 bytes", **csv("")),
    case("EmptyData", "prepare", "no rows", "length, width", **csv("length,width,species\n")),
    case("NotThatFormat", "prepare", "suffix says csv", "looks like JSON", **csv('{"a": 1}\n{"a": 2}\n')),
    case("NotThatFormat", "prepare", "HTML", **csv("<!doctype html><p>sorry</p>")),
    case("NotThatFormat", "prepare", "parquet", "PAR1", **given.inline(ROWS, "rows.parquet", target="species")),
    case("NotThatFormat", "prepare", "jsonl", "line 1", **given.inline(ROWS, "rows.jsonl", target="species")),
    case("NotThatFormat", "prepare", "data.format says jsonl", **csv(format="jsonl")),
    case("NotThatFormat", "prepare", "line 3", **csv("a,b,species\n1,2,x\n1,2,3,4,x\n")),
    case("UnknownFormat", "prepare", "data.format", **given.inline(ROWS, "rows.txt", target="species")),
    case("TargetEmpty", "prepare", "'species'", "all 20", **csv(ROWS.replace(",a\n", ",\n").replace(",b\n", ",\n"))),
    case("TargetIncomplete", "prepare", "2 of 20", "row 6", **csv(ROWS.replace("5,0,b", "5,0,"))),
    case("TargetsMixed", "prepare", "species has text", "width has numbers", **csv(target=["species", "width"])),
    case("OneClass", "prepare", "only 'a'", **csv(ROWS.replace(",b\n", ",a\n"))),
    case(
        "OneClass",
        "train",
        "the training part has only 0",
        "shuffle",
        estimator=SVC,
        source={"builtin": "iris"},
        split={"testSize": 0.7, "shuffle": False},
    ),
    case("FeatureMissing", "prepare", "features.include 'lenght'", "length?", **csv(features={"include": ["lenght"]})),
    case("FeatureMissing", "prepare", "features.exclude 'x'", **csv(features={"exclude": ["x"]})),
    case("FeatureMissing", "prepare", "features.include 'petal'", features={"include": ["petal"]}),
    case("TargetAmongFeatures", "prepare", "'species'", **csv(features={"include": ["species"]})),
    case("NoFeatures", "prepare", "no column is left", **csv(features={"exclude": ["length", "width"]})),
    case(
        "SplitEmpty", "prepare", "testSize 0.99", "of 2 rows", **csv("a,species\n1,x\n2,y\n", split={"testSize": 0.99})
    ),
    case("UnknownMetric", "train", "metrics[0] 'r2'", "classifier", "accuracy", evaluation={"metrics": ["r2"]}),
    case("UnknownMetric", "train", "'acuracy'", "did you mean accuracy?", evaluation={"metrics": ["acuracy"]}),
    case("MetricUnsuitable", "train", "metrics[1] 'f1'", "use f1_macro", evaluation={"metrics": ["accuracy", "f1"]}),
    case("MetricUnsuitable", "train", "needs a class 1", evaluation={"metrics": ["precision"]}, **csv()),
    case("MetricUnsuitable", "train", "predict_proba", "SVC", estimator=SVC, evaluation={"metrics": ["neg_log_loss"]}),
    case("TargetNotNumeric", "prepare", "'species'", "such as 'a'", estimator=RIDGE, **csv()),
    case(
        "TargetNotClasses", "prepare", "0.5", "regressor", **csv(ROWS.replace(",a\n", ",0.5\n").replace(",b\n", ",1\n"))
    ),
    case("MissingValues", "prepare", "width (2 of 20)", "Hist", estimator=SVC, **csv(ROWS.replace("6,1,a", "6,,a"))),
    case(
        "TextColumns",
        "train",
        "text in width",
        "encode",
        estimator="sklearn.pipeline.Pipeline",
        params={"steps": [["tree", {"class": TREE}]]},
        **csv(TEXT),
    ),
    case(
        "InfiniteValues",
        "train",
        "length (1 of",
        estimator=SVC,
        **csv(ROWS.replace("19,4", "inf,4"), split={"strategy": "None"}),
    ),
    case("InvalidParameter", "train", "'gamma'", "-1.0", estimator=SVC, params={"gamma": -1.0}),
    case("UnknownParameter", "prepare", "params.gama", "did you mean gamma?", estimator=SVC, params={"gama": 1}),
    case("UnknownClass", "prepare", "SVCC", "did you mean SVC?", estimator="sklearn.svm.SVCC"),
    case("UnknownClass", "prepare", "public classes of scikit-learn", estimator="os.system"),
    case("UnknownClass", "prepare", "not an estimator", estimator="sklearn.svm.l1_min_c"),
    case("UnknownClass", "prepare", "no estimators", estimator="sklearn.utils.Bunch"),
    case("UnknownClass", "prepare", "no estimators", estimator="sklearn.svm._classes.SVC"),
    case("NotAModel", "prepare", "StandardScaler", estimator="sklearn.preprocessing.StandardScaler"),
    case("NotAModel", "prepare", "DBSCAN", "KMeans", estimator="sklearn.cluster.DBSCAN"),
    case("NotAModel", "prepare", "novelty: true", estimator="sklearn.neighbors.LocalOutlierFactor"),
    case(
        "TooManyTargets",
        "train",
        "Weight, Waist",
        "MultiOutput",
        estimator="sklearn.svm.SVR",
        source={"builtin": "linnerud"},
    ),
    case("UnknownBuiltin", "prepare", "did you mean digits?", source={"builtin": "digit"}),
    case(
        "UnusableColumn",
        "prepare",
        "'a' mixes numbers and text",
        **given.inline('{"a": 1, "y": 0}\n{"a": "x", "y": 1}\n', "r.jsonl", target="y"),
    ),
    case(
        "UnusableColumn",
        "prepare",
        "'a' holds lists",
        **given.inline('{"a": [1], "y": 0}\n{"a": [2], "y": 1}\n', "r.jsonl", target="y"),
    ),
    case(
        "ObjectMissing",
        "prepare",
        "ConfigMap c has no key k.csv",
        source={"configMap": {"name": "c", "key": "k.csv"}},
        target="y",
    ),
    case("ObjectMissing", "prepare", "no such object", source={"uri": "file:///nowhere/x.csv"}, target="y"),
    case("InvalidUri", "prepare", "'No Such'", "3 to 63", source={"uri": "s3://No Such/x.csv"}, target="y"),
    case(
        "CredentialsMissing", "prepare", "AWS_ACCESS_KEY_ID", "Secret", source={"uri": "s3://bucket/x.csv"}, target="y"
    ),
]


@pytest.mark.parametrize(("reason", "step", "words", "estimator", "params", "changes"), CASES)
def test_a_failure_says_what_and_where(
    reason: str,
    step: str,
    words: tuple[str, ...],
    estimator: str,
    params: Any,
    changes: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = given.failure(given.config(tmp_path, estimator, params, **changes), capsys)
    assert (told["reason"], told["step"], told["permanent"]) == (reason, step, True), told
    for word in words:
        assert word in told["message"]


def test_a_store_that_does_not_answer_is_no_fault_of_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {"ACCESS_KEY_ID": "AKIAKEY", "SECRET_ACCESS_KEY": "hush-hush", "ENDPOINT_URL": "http://127.0.0.1:9"}
    for key, value in secret.items():
        monkeypatch.setenv(f"SKLEARN_DATA_AWS_{key}", value)
    told = given.failure(given.config(tmp_path, source={"uri": "s3://bucket/x.csv"}, target="y"), capsys)
    assert (told["reason"], told["permanent"]) == ("StoreUnavailable", False)
    assert "http://127.0.0.1:9" in told["message"]
    assert "hush-hush" not in json.dumps(told)


def test_a_configuration_of_another_release_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = given.config(tmp_path) | {"monitoring": {}}
    with pytest.raises(SystemExit):
        tasks.run_all(json.dumps(document))
    assert "InvalidConfig: monitoring" in capsys.readouterr().err
