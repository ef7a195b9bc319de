"""The tasks in a pipeline that is the user's own: a recipe instead of a run's configuration, and no operator.

Invariant: what happens to data and model is what happens under the operator; only names, run and folder come from the
pipeline. Up to ``publish`` nothing depends on the run, so that a pipeline server may take these tasks from its cache.
"""

from __future__ import annotations

import sys
from typing import Any

import pydantic

from sklearn_steps import artifacts, contract, documents, recipe, tasks

_FIELDS = frozenset({"data", "seed", "estimator", "pipeline", "packages", "data_hosts", "tuning", "evaluation"})


class Recipe(documents.Strict):
    """What is trained on what: these fields of a run's configuration, and a name for the model.

    Names, types and defaults are those of ``SklearnModel``; ``seed`` is its ``training.seed``. Numbers are taken as
    they are written: 1 is an integer and 1.0 is not.
    """

    name: str
    data: contract.Data
    seed: int = 0
    estimator: recipe.EstimatorSpec | None = None
    pipeline: tuple[recipe.PipelineStep, ...] | None = None
    packages: tuple[str, ...] = ()
    data_hosts: tuple[str, ...] = ()
    tuning: contract.Tuning | None = None
    evaluation: contract.Evaluation = contract.Evaluation()


def written(**fields: Any) -> str:
    """The parameter ``recipe`` of the components, checked; raises ValueError that names the field."""
    import json

    text = json.dumps(fields)
    completed(text)
    return text


def completed(text: str, folder: str = "", run: str = "") -> contract.RunConfig:
    """The configuration of a run that nobody but the pipeline knows."""
    try:
        asked = Recipe.model_validate_json(text)
        given = asked.model_dump(include=set(_FIELDS), exclude_unset=True, by_alias=True)
        names = {"namespace": "", "model": asked.name, "version": asked.name, "number": 1, "runId": run}
        place = f"{folder.rstrip('/')}/{run}/" if folder else ""
        return contract.RunConfig.model_validate(given | names | {"artifactUri": place})
    except pydantic.ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(("recipe", *map(str, first["loc"])))
        raise ValueError(f"{where}: {first['msg']}") from None


def prepare(text: str, train_data: artifacts.Artifact, test_data: artifacts.Artifact) -> None:
    """``tasks.prepare``."""
    tasks.prepare(_config("prepare", text), train_data.path, test_data.path)


def train(text: str, train_data: artifacts.Artifact, model: artifacts.Artifact) -> None:
    """``artifacts.train``."""
    artifacts.train(_config("train", text), train_data, model)


def evaluate(text: str, model: artifacts.Artifact, test_data: artifacts.Artifact, *shown: Any) -> None:
    """``artifacts.evaluate``; ``shown``: evaluation, metrics, classification and card."""
    artifacts.evaluate(_config("evaluate", text), model, test_data, *shown)


def publish(text: str, folder: str, run: str, model: artifacts.Artifact, evaluation: artifacts.Artifact) -> str:
    """``tasks.publish`` into a folder of the run's own; its address."""
    if not (folder and run):
        _refuse("publish", "folder and run must not be empty; pass dsl.PIPELINE_JOB_ID_PLACEHOLDER as run")
    config = _config("publish", text, folder, run)
    tasks.publish(config, model.path, evaluation.path)
    return contract.RunConfig.model_validate_json(config).artifact_uri


def _config(step: str, text: str, folder: str = "", run: str = "") -> str:
    try:
        return completed(text, folder, run).model_dump_json(by_alias=True, exclude_unset=True)
    except ValueError as exc:
        _refuse(step, str(exc))
        raise


def _refuse(step: str, message: str) -> None:
    print(f"{step}: InvalidRecipe: {message}", file=sys.stderr, flush=True)
    raise SystemExit(1)
