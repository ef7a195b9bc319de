"""The figures of the samples and of tables from the store and a ConfigMap: exactly those of scikit-learn itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from everything import reference, towns
from sklearn_sandbox import paths, services

pytestmark = pytest.mark.sandbox

SAMPLES = paths.project_root() / "deploy" / "samples"
FOREST = {"max_depth": 4}


def tensor(row: list[float]) -> dict[str, Any]:
    return {"inputs": [{"name": "input-0", "shape": [1, len(row)], "datatype": "FP64", "data": row}]}


def columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One tensor per column, by name."""
    kinds = {str: "BYTES", int: "INT64", float: "FP64"}
    inputs = [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": kinds[type(rows[0][name])],
            "data": [row[name] for row in rows],
        }
        for name in rows[0]
    ]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


@pytest.fixture(scope="module")
def sklearn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What scikit-learn says, and the folder with the tables that it was asked about."""
    folder = tmp_path_factory.mktemp("tables")
    return reference.asked("by_sklearn", folder)


@pytest.fixture(scope="module")
def models(town: towns.Town, sklearn: dict[str, Any]) -> towns.Town:
    """All models of this module, applied at once."""
    folder: Path = sklearn["folder"]
    for name in ("penguins.parquet", "penguins.csv"):
        town.world.put(f"data/{name}", (folder / name).read_bytes())
    town.kubectl("create", "configmap", "penguins", f"--from-file={folder / 'penguins.csv'}")
    stored = {"target": "species", "source": {"uri": f"s3://{services.BUCKET}/data/penguins.parquet"}}
    text = {"target": "species", "source": {"uri": f"s3://{services.BUCKET}/data/penguins.csv"}}
    small = {"target": "species", "source": {"configMap": {"name": "penguins", "key": "penguins.csv"}}}
    town.apply(
        towns.sample("digits"),
        towns.sample("iris"),
        towns.sample("diabetes"),
        towns.manifest("parquet", params=FOREST, data=stored, serving={}, pipeline={"layout": "Staged"}),
        towns.manifest("csv", params=FOREST, data=text),
        towns.manifest("configmap", params=FOREST, data=small),
        towns.manifest("iris-fused", params={"max_depth": 3}),
    )
    return town


def test_digits_reach_the_figure_of_the_textbook(models: towns.Town) -> None:
    models.wait("digits")
    status = models.status("digits")
    assert status["metrics"]["accuracy"] == 0.9688542825361512
    assert (status["phase"], status["metric"], status["servingVersion"]) == ("Ready", "accuracy=0.969", "digits-v1")


def test_a_digit_is_read_over_both_protocols(models: towns.Town, sklearn: dict[str, Any]) -> None:
    models.wait("digits")
    body = json.loads((SAMPLES / "requests" / "digit-8.json").read_text())
    first, last = sklearn["digits"]["first"], sklearn["digits"]["last"]
    assert body["inputs"][0]["data"] == last
    answer = models.infer("digits", body)
    assert (answer["model_name"], answer["model_version"]) == ("digits", "digits-v1")
    assert answer["by_name"]["predict"] == [8]
    assert models.infer("digits", tensor(first))["by_name"]["predict"] == [0]
    assert models.predict("digits", [last, first]) == [8, 0]


def test_iris_is_as_accurate_as_scikit_learn_says(models: towns.Town, sklearn: dict[str, Any]) -> None:
    models.wait("iris")
    assert models.status("iris")["metrics"]["accuracy"] == sklearn["iris"]["accuracy"]
    asked = tensor([5.1, 3.5, 1.4, 0.2]) | {"outputs": [{"name": "predict_proba"}, {"name": "predict"}]}
    outputs = models.infer("iris", asked)["by_name"]
    assert outputs == {"predict": [0], "predict_proba": [1.0, 0.0, 0.0]}


def test_both_layouts_give_the_same_figures(models: towns.Town) -> None:
    models.wait("iris")
    models.wait("iris-fused")
    assert models.status("iris-fused")["metrics"] == models.status("iris")["metrics"]
    ran = {name: sorted(task_names(models, name)) for name in ("iris", "iris-fused")}
    assert ran == {"iris": ["evaluate", "prepare", "publish", "train"], "iris-fused": ["run-all"]}


def task_names(town: towns.Town, name: str) -> list[str]:
    [run] = town.runs(name)
    details = town.world.kfp(f"/apis/v2beta1/runs/{run['run_id']}")["run_details"]["task_details"]
    tasks = [task["display_name"] for task in details]
    return [task for task in tasks if task in ("prepare", "train", "evaluate", "publish", "run-all")]


def test_diabetes_has_the_r2_of_scikit_learn(models: towns.Town, sklearn: dict[str, Any]) -> None:
    models.wait("diabetes")
    status = models.status("diabetes")
    assert status["metrics"]["r2"] == sklearn["diabetes"]["r2"]
    assert status["metric"] == f"r2={sklearn['diabetes']['r2']:.3f}"
    [value] = models.infer("diabetes", tensor(sklearn["diabetes"]["row"]))["by_name"]["predict"]
    assert isinstance(value, float)


def test_a_table_of_text_and_numbers_is_trained_and_served_by_column_name(
    models: towns.Town, sklearn: dict[str, Any]
) -> None:
    told = sklearn["penguins"]
    models.wait("parquet")
    assert models.status("parquet")["metrics"]["accuracy"] == told["accuracy"]
    assert models.infer("parquet", columns(told["rows"]))["by_name"]["predict"] == told["predictions"]
    assert models.predict("parquet", told["rows"]) == told["predictions"]
    assert models.predict("parquet", [told["stranger"]]) == [told["of stranger"]]


@pytest.mark.parametrize("name", ["csv", "configmap"])
def test_the_same_table_from_elsewhere_gives_the_same_figures(
    models: towns.Town, sklearn: dict[str, Any], name: str
) -> None:
    """Trained only: Ready means that the artifact is there, and nothing serves."""
    ready = models.wait(name)
    status = models.status(name)
    assert status["metrics"]["accuracy"] == sklearn["penguins"]["accuracy"]
    assert (ready["reason"], status["phase"], "servingVersion" in status) == ("Trained", "Ready", False)
    assert models.get("isvc", name) is None
    key = status["artifactUri"].removeprefix(f"s3://{services.BUCKET}/")
    files = {path.removeprefix(key) for path in models.world.objects(key)}
    assert {"model.joblib", "metadata.json", "result.json"} <= files
