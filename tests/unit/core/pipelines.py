"""Manifests of pipelines, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import settings, training, validation
from sklearn_operator.runtime import resources
from sklearn_steps import contract
from unit.core import builders

CLASSES: dict[str, dict[str, Any]] = json.loads(resources.catalogue())["classes"]
PIPELINE = "spec.model.pipeline"
Json = dict[str, Any]


def cls(path: str, **params: Any) -> Json:
    return {"class": f"sklearn.{path}", "params": params}


def step(name: str, path: str, **params: Any) -> Json:
    return {"name": name} | cls(path, **params)


def group(select: Any, *steps: Json, name: str = "g") -> Json:
    return {"name": name, "select": select, "steps": list(steps)}


SCALE, TFIDF = cls("preprocessing.StandardScaler"), cls("feature_extraction.text.TfidfVectorizer")
SVC = step("model", "svm.SVC")
COLUMNS = {"name": "prepare", "columns": [group({"dtype": "number"}, SCALE)]}
NUMBERS = {"dtype": "number"}


def manifest(*steps: Any, **changes: Any) -> Json:
    return builders.DIGITS | {"model": {"pipeline": list(steps)}} | changes


def accept(spec: Json) -> api.SklearnModelSpec:
    return validation.accept(builders.model(spec), settings.Settings(), builders.catalogue())


def columns(*groups: Json) -> Json:
    return {"name": "prepare", "columns": list(groups)}


WEIGHED = {"data": {"source": {"uri": "s3://b/rows.csv"}, "target": "y", "weight": "w"}}


def config(spec: Json) -> contract.RunConfig:
    frozen = json.loads(json.dumps(training.frozen(accept(spec))))
    version = builders.version(training=frozen)
    written = training.run_config(builders.model(spec), version, settings.Settings(), builders.catalogue())
    return contract.RunConfig.model_validate_json(training.encode_config(written))
