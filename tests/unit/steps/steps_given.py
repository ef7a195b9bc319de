"""Configurations and runs for the tests of the steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sklearn_steps import contract, tasks

RUN_ID = "0a1b2c3d-0000-5000-8000-000000000001"
TREE = "sklearn.tree.DecisionTreeClassifier"
KEYS = [prefix + key for prefix in (contract.STORE_ENV_PREFIX, contract.DATA_ENV_PREFIX) for key in contract.AWS_KEYS]


def config(
    folder: Path | str, estimator: str = TREE, params: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """A run's configuration; ``changes`` are fields of ``data``, but for the few that are not."""
    top = {name: changes.pop(name) for name in ("seed", "evaluation", "runId", "tuning") if name in changes}
    uri = folder if isinstance(folder, str) else f"file://{folder}/"
    return {
        "formatVersion": 1,
        "namespace": "default",
        "model": "m",
        "version": "m-v1",
        "number": 1,
        "runId": RUN_ID,
        "attempt": 1,
        "trainingHash": "ab",
        "trigger": {"type": "SpecChange", "key": "1"},
        "image": "trainer:1",
        "seed": 0,
        "data": {"source": {"builtin": "iris"}} | changes,
        "estimator": {"class": estimator, "params": params or {}},
        "artifactUri": uri,
    } | top


def declared(folder: Path | str, pipeline: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The same for a pipeline of steps."""
    document = config(folder, **changes)
    del document["estimator"]
    return document | {"pipeline": pipeline}


def inline(text: str, name: str = "rows.csv", **data: Any) -> dict[str, Any]:
    return {"source": {"inline": text, "name": name}} | data


def parsed(document: dict[str, Any]) -> contract.RunConfig:
    return contract.RunConfig.model_validate_json(json.dumps(document))


def run(document: dict[str, Any]) -> dict[str, Any]:
    """All steps; the result."""
    tasks.run_all(json.dumps(document))
    folder = Path(document["artifactUri"].removeprefix("file://"))
    return dict(json.loads((folder / contract.RESULT).read_bytes()))


def executed(document: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """The steps before publishing, one by one; the folders of the model and of the evaluation, under ``folder``."""
    text = json.dumps(document)
    train, test, model, evaluation = (folder / name for name in ("train", "test", "model", "evaluation"))
    tasks.prepare(text, train, test)
    tasks.train(text, train, model)
    tasks.evaluate(text, model, test, evaluation)
    return model, evaluation


def staged(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """All steps, one by one; the result."""
    tasks.publish(json.dumps(document), *executed(document, folder))
    out = Path(document["artifactUri"].removeprefix("file://"))
    return dict(json.loads((out / contract.RESULT).read_bytes()))


def failure(document: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """All steps; the failure that they must end in, told in the same words at the end of stderr."""
    with pytest.raises(SystemExit) as ended:
        tasks.run_all(json.dumps(document))
    assert ended.value.code == 1
    folder = Path(document["artifactUri"].removeprefix("file://"))
    assert not (folder / contract.RESULT).exists()
    told = contract.Failure.model_validate_json((folder / contract.FAILURE).read_bytes())
    assert len(told.message.encode()) <= contract.MESSAGE_LIMIT
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == f"{told.step}: {told.reason}: {told.message}"
    return dict(json.loads((folder / contract.FAILURE).read_bytes()))
