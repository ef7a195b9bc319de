"""The tutorials as samples, the operator's steps in a pipeline of the user's own, and a task that fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from everything import reference, towns, worlds
from sklearn_sandbox import paths, services

pytestmark = pytest.mark.sandbox

OWN = paths.project_root() / "deploy" / "samples" / "own_pipeline.py"
#: Of the default parameters, on the tutorial's test half.
TEXTBOOK = 0.9688542825361512


@dataclass(frozen=True)
class Failing:
    """What only the library refuses, and the last line of its exception."""

    name: str
    layout: str
    step: str
    estimator: str
    params: dict[str, Any]
    last: str


NEIGHBORS, MONOTONE = {"n_neighbors": 5000}, {"monotonic_cst": [1]}
TOO_FEW = "Expected n_neighbors <= n_samples_fit, but n_neighbors = 5000"
TOO_SHORT = "monotonic_cst has shape 1 but the input data X has 4 features."
FAILING = [
    Failing("fit-staged", "Staged", "train", towns.TREE, MONOTONE, TOO_SHORT),
    Failing("fit-fused", "Fused", "train", towns.TREE, MONOTONE, TOO_SHORT),
    Failing("judge-staged", "Staged", "evaluate", "sklearn.neighbors.KNeighborsClassifier", NEIGHBORS, TOO_FEW),
    Failing("judge-fused", "Fused", "evaluate", "sklearn.neighbors.KNeighborsClassifier", NEIGHBORS, TOO_FEW),
]


@pytest.fixture(scope="module")
def sklearn() -> dict[str, Any]:
    return reference.asked("samples_by_sklearn")


@pytest.fixture(scope="module")
def models(town: towns.Town) -> towns.Town:
    town.apply(
        towns.sample("digits-tuned"),
        towns.sample("modular"),
        *(
            towns.manifest(failing.name, failing.estimator, failing.params, pipeline={"layout": failing.layout})
            for failing in FAILING
        ),
    )
    return town


def stored(town: towns.Town, uri: str, name: str) -> bytes:
    return town.world.read(f"{uri.removeprefix(f's3://{services.BUCKET}/')}{name}")


def test_every_trial_is_accounted_for_and_what_is_served_is_no_worse_than_the_defaults(
    models: towns.Town, sklearn: dict[str, Any]
) -> None:
    models.wait("digits-tuned")
    status = models.status("digits-tuned")
    search, accuracy = status["tuning"], status["metrics"]["accuracy"]
    assert (search["completed"], search["failed"], search["total"]) == (12, 0, 12)
    assert search["bestScore"] >= search["baselineScore"]
    assert accuracy >= TEXTBOOK
    given = next(iter(json.loads(stored(models, status["artifactUri"], "result.json"))["tuning"]["bestParams"]))
    assert given in ("gamma", "C")
    told = sklearn["digits"]
    answers = models.predict("digits-tuned", told["rows"])
    right = sum(answer == label for answer, label in zip(answers, told["labels"], strict=True))
    assert right / len(answers) == accuracy


def test_a_modular_pipeline_has_the_figures_of_scikit_learn_and_the_resources_that_were_asked_for(
    models: towns.Town, sklearn: dict[str, Any]
) -> None:
    models.wait("modular")
    told, status = sklearn["modular"], models.status("modular")
    assert status["metrics"] == {"accuracy": told["accuracy"], "roc_auc": told["roc_auc"]}
    assert models.condition("modular", "GatesPassed")["status"] == "True"
    row = {"name": "rows", "shape": [1, 30], "datatype": "FP64", "data": told["row"]}
    asked = {"inputs": [row], "outputs": [{"name": "predict_proba"}]}
    assert models.infer("modular", asked)["by_name"]["predict_proba"] == pytest.approx(told["proba"], rel=1e-12)
    assert {"prepare", "train", "evaluate", "publish"} <= set(tasks(models, "modular-v1"))


def tasks(town: towns.Town, version: str) -> dict[str, str]:
    """State of the run's tasks by their names."""
    run = town.world.kfp(f"/apis/v2beta1/runs/{town.get('skmv', version)['status']['run']['id']}")
    return {task["display_name"]: task["state"] for task in run["run_details"]["task_details"]}


def test_running_the_modular_pipeline_again_skips_what_is_done(models: towns.Town) -> None:
    models.wait("modular")
    before = models.status("modular")["metrics"]
    models.kubectl("annotate", "skm/modular", "sklearn-operator.io/retrain=again", "--overwrite")
    assert models.settled("modular", "modular-v2")["metrics"] == before
    states = tasks(models, "modular-v2")
    assert {name for name, state in states.items() if state == "SKIPPED"} == {"prepare", "train"}, states


@pytest.mark.parametrize("failing", [pytest.param(failing, id=failing.name) for failing in FAILING])
def test_a_task_that_fails_is_told_with_step_last_line_and_log(models: towns.Town, failing: Failing) -> None:
    message = models.wait(failing.name, "Stalled")["message"]
    assert message.startswith(f"{failing.name}-v1 failed in step {failing.step}: ") and failing.last in message
    address = message.rpartition("; its log: ")[2]
    assert address == models.status(failing.name)["run"]["url"]
    page, _, anchor = address.partition("#")
    found = re.search(f'<tr id="{anchor}">.*?<a href="([^"]+run.log)"', models.world.text(page))
    assert found is not None, address
    assert failing.last in models.world.text(f"{page.rstrip('/')}/{found.group(1).lstrip('/')}")


@pytest.fixture
def lenient(world: worlds.World, tmp_path: Path) -> Iterator[towns.Town]:
    """What the operator adds to its pods to be admitted as restricted, a pipeline of one's own does not have."""
    folder = tmp_path / "town-own"
    folder.mkdir()
    with towns.founded(world, folder, level="baseline") as one:
        yield one


def test_a_pipeline_of_the_users_own_with_a_step_between_publishes_a_model_that_kserve_serves(
    lenient: towns.Town, tmp_path: Path
) -> None:
    command = [str(paths.trainer_python()), str(OWN), "--host", lenient.world.sandbox.kfp_url]
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "--namespace", lenient.namespace], env=surroundings, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    uri = done.stdout.split()[-2]
    result = json.loads(stored(lenient, uri, "result.json"))
    assert result["artifact"]["uri"] == uri and result["metrics"]["accuracy"] > 0.9
    assert "the 5% most unusual rows were left out of training" in result["notes"]
    schema = json.loads(stored(lenient, uri, "schema.json"))
    assert schema["rows"] < 0.75 * result["lineage"]["rows"] - 5
    lenient.apply(service("own", uri))
    url = lenient.expect("own ready", lambda: serving(lenient, "own"), 240)
    golden = json.loads(stored(lenient, uri, "golden.json"))
    answer = lenient.world.http(f"{url}/v1/models/own:predict", "POST", {"instances": golden["rows"]})
    assert answer["predictions"] == golden["outputs"]["predict"]
    lenient.kubectl("delete", "inferenceservice", "own")


def service(name: str, uri: str) -> dict[str, Any]:
    """By hand, with the runtime of the project."""
    model = {
        "modelFormat": {"name": "sklearn"},
        "runtime": "sklearn-operator",
        "protocolVersion": "v2",
        "storageUri": uri,
    }
    annotations = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/storageSecretName": "sklearn-operator-store",
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"predictor": {"model": model}},
    }


def serving(town: towns.Town, name: str) -> str | None:
    status = (town.get("isvc", name) or {}).get("status") or {}
    rows = {row["type"]: row["status"] for row in status.get("conditions", [])}
    return str(status["address"]["url"]) if rows.get("Ready") == "True" else None
