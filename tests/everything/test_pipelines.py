"""Declared pipelines on messy tables, tuned and served by column name: the figures and answers of scikit-learn."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from everything import reference, towns
from sklearn_sandbox import paths, services

pytestmark = pytest.mark.sandbox

SAMPLES = paths.project_root() / "deploy" / "samples"
KINDS = {"number": "BYTES", "plan": "BYTES", "joined": "BYTES", "visits": "FP64", "spend": "FP64", "active": "BOOL"}
IMPUTE, SCALE = {"class": "sklearn.impute.SimpleImputer"}, {"class": "sklearn.preprocessing.StandardScaler"}
ENCODE = {"class": "sklearn.preprocessing.OneHotEncoder", "params": {"handle_unknown": "ignore"}}
FREQUENT = IMPUTE | {"params": {"strategy": "most_frequent"}}
PREPARE = {
    "name": "prepare",
    "columns": [
        {"name": "numbers", "select": {"dtype": "number"}, "steps": [IMPUTE, SCALE]},
        {"name": "words", "select": ["plan"], "steps": [ENCODE]},
        {"name": "flags", "select": {"dtype": "boolean"}, "steps": [FREQUENT]},
        {"name": "times", "select": {"dtype": "datetime"}, "steps": [IMPUTE, SCALE]},
    ],
}
TUNING = {
    "algorithm": "Grid",
    "trials": 7,
    "parallelTrials": 2,
    "objective": {"metric": "neg_log_loss"},
    "crossValidation": {"folds": 3},
    "parameters": [
        {"name": "prepare__numbers__simpleimputer__strategy", "type": "Categorical", "values": ["mean", "median"]},
        {"name": "model__C", "type": "Categorical", "values": [0.1, 1, 10]},
    ],
}


def customers(name: str, *steps: Any, **spec: Any) -> dict[str, Any]:
    source = {"uri": f"s3://{services.BUCKET}/data/customers.csv"}
    found = towns.manifest(name, data={"source": source, "target": "churn"} | spec.pop("data", {}), **spec)
    found["spec"]["model"] = {"pipeline": list(steps)}
    return found


def model(name: str, **params: Any) -> dict[str, Any]:
    return {"name": "model", "class": f"sklearn.{name}"} | ({"params": params} if params else {})


@pytest.fixture(scope="module")
def sklearn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("customers")
    table, _ = yaml.safe_load_all((SAMPLES / "penguins.yaml").read_text())
    (folder / "penguins.csv").write_text(table["data"]["penguins.csv"])
    return reference.asked("customers_by_sklearn", folder)


@pytest.fixture(scope="module")
def models(town: towns.Town, sklearn: dict[str, Any]) -> towns.Town:
    town.world.put("data/customers.csv", (sklearn["folder"] / "customers.csv").read_bytes())
    town.apply(
        *yaml.safe_load_all((SAMPLES / "penguins.yaml").read_text()),
        customers("tuned", PREPARE, model("linear_model.LogisticRegression", C=0.01), tuning=TUNING, serving={}),
        customers("unweighted", PREPARE, model("neighbors.KNeighborsClassifier"), data={"weight": "spend"}),
        customers("misspelt", PREPARE, model("svm.SVC", gama=1)),
        customers("missing", PREPARE | {"columns": [{"name": "a", "select": ["plans"], "steps": [ENCODE]}]},
                  model("svm.SVC")),
    )  # fmt: skip
    return town


def test_the_sample_answers_a_row_with_gaps_and_a_new_island(models: towns.Town, sklearn: dict[str, Any]) -> None:
    models.wait("penguins")
    found = models.status("penguins")["metrics"]
    assert {name: found[name] for name in sklearn["penguins"]} == sklearn["penguins"]
    rows = json.loads((SAMPLES / "requests" / "penguin-gentoo.json").read_text())["instances"]
    assert models.predict("penguins", rows) == ["Gentoo"]


def test_a_search_over_the_steps_ends_where_scikit_learns_own_does(models: towns.Town, sklearn: dict[str, Any]) -> None:
    models.wait("tuned")
    status = models.status("tuned")
    expected = sklearn["customers"]
    assert (status["tuning"]["completed"], status["tuning"]["failed"]) == (7, 0)
    assert status["tuning"]["bestParams"] == expected["best"]
    assert status["tuning"]["bestScore"] == pytest.approx(expected["score"], rel=1e-12)
    assert status["metrics"]["accuracy"] == expected["accuracy"]


def test_rows_go_by_column_name_with_gaps_and_times_as_text(models: towns.Town, sklearn: dict[str, Any]) -> None:
    models.wait("tuned")
    expected = sklearn["customers"]
    inputs = [
        {"name": name, "datatype": KINDS[name], "shape": [len(values)], "data": values}
        for name, values in reversed(expected["rows"].items())
        if name in KINDS
    ]
    assert any(None in tensor["data"] for tensor in inputs)
    asked = [{"name": "predict"}, {"name": "predict_proba"}]
    body = {"inputs": inputs, "outputs": asked, "parameters": {"content_type": "pd"}}
    answer = models.infer("tuned", body)["by_name"]
    assert answer["predict"] == expected["predict"]
    assert answer["predict_proba"] == pytest.approx(expected["predict_proba"], rel=1e-12)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("unweighted", "spec.data.weight: spend: sklearn.neighbors.KNeighborsClassifier takes no sample weights"),
        (
            "misspelt",
            "spec.model.pipeline[1].params.gama: 1: sklearn.svm.SVC has no parameter gama; did you mean gamma?",
        ),
    ],
)
def test_what_the_manifest_shows_is_refused_before_any_pod(name: str, says: str, models: towns.Town) -> None:
    assert says in models.wait(name, "Valid", "False")["message"]
    assert not models.runs(name)


def test_what_only_the_data_shows_is_told_by_step(models: towns.Town) -> None:
    row = models.wait("missing", "Stalled")
    assert row["reason"] == "FeatureMissing"
    assert "model.pipeline[0].columns[0].select 'plans': there is no such feature; did you mean plan?" in row["message"]
