"""The serving runtime's request path, on what a run published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from prometheus_client import CollectorRegistry

from sklearn_runtime import artifact, errors, inference, metrics

RequestError = errors.RequestError


def runtime(folder: Path, result: Mapping[str, Any]) -> inference.Inference:
    """The runtime that has proved the published model."""
    loaded = artifact.load(folder, "m", "m-v1", result["artifact"]["sha256"])
    return inference.Inference(loaded, metrics.Metrics(loaded, CollectorRegistry()))


def by_rows(answers: inference.Inference, instances: Sequence[Any]) -> Any:
    """What V1 answers to rows, as lists or by column name."""
    return np.array(orjson.loads(answers.answer_v1(orjson.dumps({"instances": instances})))["predictions"])


def by_columns(answers: inference.Inference, table: Mapping[str, Sequence[Any]], *outputs: str) -> dict[str, Any]:
    """What V2 answers to one tensor per column."""
    inputs = [
        {"name": name, "shape": [len(values)], "datatype": _datatype(values), "data": values}
        for name, values in table.items()
    ]
    body = {"inputs": inputs, "outputs": [{"name": name} for name in outputs], "parameters": {"content_type": "pd"}}
    answer = orjson.loads(answers.answer_v2(orjson.dumps(body)))
    return {item["name"]: np.array(item["data"]).reshape(item["shape"]) for item in answer["outputs"]}


def asked(answers: inference.Inference) -> list[str]:
    """All outputs that the model offers."""
    return [output.name for output in answers.served.outputs]


def _datatype(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return "BYTES"
    return "BOOL" if known and all(isinstance(value, bool) for value in known) else "FP64"
