"""The compiled pipelines: up to date, and executed by the SDK's own local runner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import steps_given as given
import yaml

from sklearn_operator.core import pipeline
from sklearn_steps import contract

RUNNER = """
import json, sys, warnings
warnings.simplefilter("ignore")
from kfp import components, local
root, path, parameters = sys.argv[1:]
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root, enable_caching=True, cache_root=root + "-cache")
components.load_component_from_file(path)(**json.loads(parameters))
"""
FOLDER = Path(contract.__file__).parent.parent / "sklearn_operator" / "pipelines"
DIGITS = {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}}


def kfp_run(layout: str, config: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TMPDIR": str(folder),
        "COLUMNS": "500",
    }
    parameters = {"config": json.dumps(config)} | ({"recipe": json.dumps(config)} if layout == "cached" else {})
    arguments = [str(folder / "root"), str(FOLDER / f"{layout}.yaml"), json.dumps(parameters)]
    return subprocess.run(
        [sys.executable, "-c", RUNNER, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def outputs(folder: Path, task: str) -> dict[str, Any]:
    """The artifacts' metadata of a task, as the pipeline backend would store them."""
    (path,) = folder.glob(f"root/*/{task}/executor_output.json")
    artifacts = json.loads(path.read_text())["artifacts"]
    return {name: item["artifacts"][0].get("metadata", {}) for name, item in artifacts.items()}


@pytest.mark.parametrize("layout", ["staged", "fused", "cached"])
def test_the_compiled_pipeline_is_up_to_date(layout: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sklearn_steps.compile", "--output", str(tmp_path), "--components", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert (FOLDER / f"{layout}.yaml").read_text() == (tmp_path / f"{layout}.yaml").read_text(), (
        "run: python -m sklearn_steps.compile"
    )


def test_secrets_are_where_they_are_needed_and_nowhere_else() -> None:
    _, platform = yaml.safe_load_all((FOLDER / "staged.yaml").read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    found = {name: {entry["secretName"] for entry in item["secretAsEnv"]} for name, item in executors.items()}
    store, data = contract.STORE_SECRET_PLACEHOLDER, contract.DATA_SECRET_PLACEHOLDER
    assert found == {
        "exec-prepare": {store, data},
        "exec-train": {store},
        "exec-evaluate": {store},
        "exec-publish": {store},
    }
    assert [name for name, item in executors.items() if "configMapAsEnv" in item] == ["exec-prepare"]


SDK = """
import sys, warnings
warnings.simplefilter("ignore")
from kfp import compiler, dsl, kubernetes

@dsl.component(base_image="x", install_kfp_package=False)
def nothing() -> None:
    pass

@dsl.pipeline(name="p")
def placed() -> None:
    task = nothing()
    kubernetes.add_node_selector(task, "kubernetes.io/arch", "amd64")
    kubernetes.add_toleration(task, "gpu", "Equal", "yes", "NoExecute", 300)
    kubernetes.add_toleration(task, operator="Exists")
    kubernetes.set_image_pull_secrets(task, ["registry", "mirror"])
    kubernetes.set_timeout(task, 3660)

compiler.Compiler().compile(placed, sys.argv[1])
"""


def test_the_operator_places_tasks_as_the_sdk_does(tmp_path: Path) -> None:
    (tmp_path / "sdk.py").write_text(SDK)
    subprocess.run([sys.executable, str(tmp_path / "sdk.py"), str(tmp_path / "p.yaml")], check=True)
    _, platform = yaml.safe_load_all((tmp_path / "p.yaml").read_text())
    wanted = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-nothing"]
    executor: dict[str, Any] = {}
    pipeline._place(
        executor,
        {
            "nodeSelector": {"kubernetes.io/arch": "amd64"},
            "tolerations": [
                {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 300},
                {"operator": "Exists"},
            ],
            "imagePullSecrets": [{"name": "registry"}, {"name": "mirror"}],
            "timeout": "1h",
        },
    )
    assert executor == wanted


CACHED = {"staged": set(), "fused": set(), "cached": {"prepare", "train"}}


@pytest.mark.parametrize("layout", CACHED)
def test_only_what_nobody_outside_sees_is_ever_cached(layout: str) -> None:
    pipeline, _ = yaml.safe_load_all((FOLDER / f"{layout}.yaml").read_text())
    tasks = pipeline["root"]["dag"]["tasks"].items()
    assert {name for name, task in tasks if task["cachingOptions"]} == CACHED[layout]


def test_the_same_data_is_prepared_and_trained_with_once_and_other_data_anew(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    config = given.config(tmp_path / "out", source={"uri": f"file://{rows}"}, target="y")

    def executed(text: str) -> set[str]:
        rows.write_text(text)
        before = set(tmp_path.glob("root/*/*/executor_output.json"))
        done = kfp_run("cached", config, tmp_path)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return {path.parent.name for path in {*tmp_path.glob("root/*/*/executor_output.json")} - before}

    table = "a,y\n" + "".join(f"{number},{'xz'[number % 2]}\n" for number in range(20))
    every = {"fingerprint", "prepare", "train", "evaluate", "publish"}
    assert executed(table) == every
    assert executed(table) == every - {"prepare", "train"}
    assert executed(table.replace("19,z", "99,z")) == every


@pytest.mark.parametrize(("layout", "judge"), [("staged", "evaluate"), ("fused", "run-all")])
def test_the_sdk_runs_it(layout: str, judge: str, tmp_path: Path) -> None:
    config = given.config(tmp_path / "out", "sklearn.svm.SVC", {"gamma": 0.001}, **DIGITS)
    done = kfp_run(layout, config, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result = json.loads((tmp_path / "out" / contract.RESULT).read_bytes())
    assert result["metrics"]["accuracy"] == 0.9688542825361512
    shown = outputs(tmp_path, judge)
    assert shown["metrics"] == result["metrics"]
    assert len(shown["classification"]["confusionMatrix"]["rows"]) == 10
    (card,) = tmp_path.glob(f"root/*/{judge}/card")
    assert card.read_text().startswith("<!doctype html>")


def test_two_classes_have_a_curve_of_at_most_200_points(tmp_path: Path) -> None:
    config = given.config(tmp_path / "out", "sklearn.naive_bayes.GaussianNB", source={"builtin": "breast_cancer"})
    done = kfp_run("fused", config, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    points = outputs(tmp_path, "run-all")["classification"]["confidenceMetrics"]
    assert 2 < len(points) <= 200
    assert json.dumps(points, allow_nan=False)


@pytest.mark.parametrize("layout", ["staged", "fused"])
def test_a_failure_surfaces(layout: str, tmp_path: Path) -> None:
    config = given.config(tmp_path / "out", **given.inline("a,y\n1,x\n2,x\n", target="y"))
    done = kfp_run(layout, config, tmp_path)
    assert done.returncode != 0
    told = contract.Failure.model_validate_json((tmp_path / "out" / contract.FAILURE).read_bytes())
    assert (told.step, told.reason) == ("prepare", "OneClass")
    assert told.message in done.stdout
