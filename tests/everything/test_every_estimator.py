"""Estimators from all over scikit-learn's own list, and pipelines of many kinds, trained by runs under the operator.

What the serving runtime makes of the versions is what scikit-learn itself answers, to the last digit.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import waiting
from everything import reference, towns
from sklearn_sandbox import services

pytestmark = pytest.mark.sandbox

WAVE = 12  # that many trainings at once
COMPOSED = "composed-"


def name_of(title: str) -> str:
    return re.sub("[^a-z0-9]+", "-", title.lower())[:40].rstrip("-")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By the model's name: what its manifest says, rows to ask with, and scikit-learn's answers."""
    found = reference.asked("every_by_sklearn", tmp_path_factory.mktemp("customers"))
    folder: Path = found.pop("folder")
    return {"customers": (folder / "customers.csv").read_bytes()} | {name_of(key): found[key] for key in found}


@pytest.fixture(scope="module")
def models(expected: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in expected.items() if name != "customers"}


def manifest(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """The compositions are served, too."""
    customers = {"source": {"uri": f"s3://{services.BUCKET}/data/every/customers.csv"}}
    composed = name.startswith(COMPOSED)
    data = (customers if composed else {}) | wanted["data"]
    found = towns.manifest(name, data=data, **({"serving": {}} if composed else {}))
    found["spec"]["model"] = wanted["model"]
    return found


@pytest.fixture(scope="module")
def trained(town: towns.Town, expected: dict[str, Any], models: dict[str, Any]) -> towns.Town:
    """All of them, each trained by one run."""
    town.world.put("data/every/customers.csv", expected["customers"])
    manifests = [manifest(name, wanted) for name, wanted in models.items()]
    for first in range(0, len(manifests), WAVE):
        wave = manifests[first : first + WAVE]
        town.apply(*wave)
        names = {one["metadata"]["name"] for one in wave}
        waiting.wait_for(f"an end of {sorted(names)}", lambda names=names: names <= ended(town), 600, 0.5)
    return town


def ended(town: towns.Town) -> set[str]:
    """Ready, or not to become so."""
    return {
        model["metadata"]["name"]
        for model in town.get("skm")
        for row in model.get("status", {}).get("conditions", [])
        if (row["type"], row["status"]) in {("Ready", "True"), ("Stalled", "True")}
    }


def test_the_list_is_long_enough(models: dict[str, Any]) -> None:
    composed = [name for name in models if name.startswith(COMPOSED)]
    assert len(composed) >= 10 and len(models) - len(composed) >= 40


def test_each_is_trained_by_one_run_of_one_task(trained: towns.Town, models: dict[str, Any]) -> None:
    found = {model["metadata"]["name"]: model["status"] for model in trained.get("skm")}
    assert {name: status.get("latestVersion") for name, status in found.items()} == {one: f"{one}-v1" for one in models}
    assert {status["phase"] for status in found.values()} == {"Ready"}
    runs = trained.world.runs(trained.namespace)
    assert len(runs) == len(models) and {run["state"] for run in runs} == {"SUCCEEDED"}
    assert {trained.world.executions(run["run_id"]) for run in runs} == {1}


def test_the_runtime_answers_as_scikit_learn_does(trained: towns.Town, models: dict[str, Any], tmp_path: Path) -> None:
    wanted = {name: one for name, one in models.items() if not name.startswith(COMPOSED)}
    for name, one in wanted.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.json").write_text(json.dumps(one["rows"]))
        uri = trained.get("skmv", f"{name}-v1")["status"]["artifact"]["uri"].removeprefix(f"s3://{services.BUCKET}/")
        for key in trained.world.objects(uri):
            (tmp_path / name / key.rpartition("/")[2]).write_bytes(trained.world.read(key))
    answers = reference.asked("asked_of_runtime", tmp_path)
    for name, one in wanted.items():
        offered = {output: one["answers"][output] for output in answers[name]}
        assert "predict" in offered and answers[name] == offered, name


def test_the_servers_answer_as_scikit_learn_does(trained: towns.Town, models: dict[str, Any]) -> None:
    for name, one in models.items():
        if name.startswith(COMPOSED):
            assert trained.predict(name, one["rows"]) == one["answers"]["predict"]["data"], name
