"""The steps in a pipeline of the user's own: up to date, executed by the SDK's local runner, with a step in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sklearn_steps import compile, contract, standalone

SAMPLE = Path(__file__).parents[3] / "deploy" / "samples" / "own_pipeline.py"
LOADED = """
import sys, warnings
warnings.simplefilter("ignore")
from kfp import components, dsl, local
folder, root, recipe, store = sys.argv[1:]
step = {name: components.load_component_from_file(f"{folder}/{name}.yaml")
        for name in ("prepare", "train", "evaluate", "publish")}

@dsl.component(base_image="x", install_kfp_package=False)
def halve(rows: dsl.Input[dsl.Dataset], kept: dsl.Output[dsl.Dataset]) -> None:
    from sklearn_steps import between
    between.filtered(rows.path, kept.path, lambda X, y: slice(None, None, 2), "every other row")

@dsl.pipeline
def mine(recipe: str, folder: str) -> None:
    prepared = step["prepare"](recipe=recipe)
    rows = halve(rows=prepared.outputs["train_data"])
    trained = step["train"](recipe=recipe, train_data=rows.outputs["kept"])
    judged = step["evaluate"](recipe=recipe, model=trained.outputs["model"], test_data=prepared.outputs["test_data"])
    step["publish"](recipe=recipe, folder=folder, run="run-1", model=trained.outputs["model"],
                    evaluation=judged.outputs["evaluation"])

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
mine(recipe=recipe, folder=store)
"""
IRIS = {"name": "iris", "data": {"source": {"builtin": "iris"}}}
TREE = {"class": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}}


def test_the_components_are_up_to_date() -> None:
    for path in compile.components_folder().iterdir():
        assert path.read_text() == compile.component(path.stem), "run: python -m sklearn_steps.compile"


def test_a_pipeline_of_loaded_components_with_a_step_between_publishes_a_model(tmp_path: Path) -> None:
    recipe = standalone.written(**IRIS, estimator=TREE, evaluation={"crossValidation": {"folds": 3}})
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "COLUMNS": "500",
    }
    places = [str(compile.components_folder()), str(tmp_path / "root"), recipe, f"file://{tmp_path}/store"]
    script = tmp_path / "mine.py"  # the SDK reads the source of the step
    script.write_text(LOADED)
    done = subprocess.run([sys.executable, str(script), *places], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = tmp_path / "store" / "run-1"
    assert {path.name for path in folder.iterdir()} == {*contract.PUBLISHED, contract.RESULT}
    result = json.loads((folder / contract.RESULT).read_bytes())
    assert result["runId"] == "run-1" and result["metrics"]["accuracy"] > 0.9
    assert "every other row" in result["notes"]
    assert result["lineage"]["rows"] == 150 and json.loads((folder / contract.SCHEMA).read_bytes())["rows"] == 56
    card = (folder / contract.CARD).read_text()
    assert "<h1>iris</h1>" in card and "kubectl" not in card and "every other row" in card and "56" in card


def test_the_sample_compiles_and_only_what_publishes_gets_secrets_and_is_never_cached(tmp_path: Path) -> None:
    output = tmp_path / "own.yaml"
    subprocess.run([sys.executable, str(SAMPLE), "--output", str(output)], check=True, capture_output=True)
    spec, platform = yaml.safe_load_all(output.read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert [name for name, found in executors.items() if "secretAsEnv" in found] == ["exec-publish"]
    cached = {name: bool(task["cachingOptions"]) for name, task in spec["root"]["dag"]["tasks"].items()}
    assert cached == {"prepare": True, "leave-out-outliers": True, "train": True, "evaluate": True, "publish": False}
    constants = [
        task["inputs"]["parameters"]["run"]["runtimeValue"]["constant"]
        for task in spec["root"]["dag"]["tasks"].values()
        if "run" in task["inputs"].get("parameters", {})
    ]
    assert constants == ["{{$.pipeline_job_uuid}}"], "only publish knows the run, or nothing could be cached"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"estimator": TREE, "pipeline": [TREE | {"name": "a"}]}, "exactly one of estimator, pipeline"),
        ({}, "exactly one of estimator, pipeline"),
        ({"estimator": {"klass": "x"}}, "recipe.estimator.class: Field required"),
        ({"estimator": TREE, "data": {"source": {}}}, "recipe.data.source: Value error, exactly one of builtin"),
        ({"estimator": TREE, "speed": 1}, "recipe.speed: Extra inputs are not permitted"),
        ({"estimator": TREE, "name": None}, "recipe.name"),
    ],
)
def test_a_recipe_is_refused_with_the_field(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as refused:
        standalone.written(**(IRIS | change))
    assert words in str(refused.value)


def test_a_step_says_what_is_wrong_with_its_recipe_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        standalone.prepare('{"name": "x"}', None, None)  # type: ignore[arg-type]
    assert capsys.readouterr().err == "prepare: InvalidRecipe: recipe.data: Field required\n"
    with pytest.raises(SystemExit):
        standalone.publish("{}", "s3://b/k", "", None, None)  # type: ignore[arg-type]
    assert "pass dsl.PIPELINE_JOB_ID_PLACEHOLDER as run" in capsys.readouterr().err
