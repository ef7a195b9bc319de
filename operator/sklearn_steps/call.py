"""How to call the model: a command that works as it is pasted into a shell, and the answer to expect.

Invariant: the request holds a recorded row, and nothing of the user's can end the shell's quotes: within them JSON
spells the apostrophe, and whatever is not plain ASCII, by number.
"""

from __future__ import annotations

import json
import shlex
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn_steps import contract

#: Longer requests are no reading matter; golden.json has them.
_LIMIT = 6000
_ANSWER = 300


@dataclass(frozen=True)
class Call:
    """``command`` is empty where a row does not fit onto the page."""

    address: str
    command: str
    answer: str


def shown(config: contract.RunConfig, golden: Mapping[str, Any], table: bool) -> Call:
    """By the first golden row: objects by column name where the data is a table, else a tensor."""
    name, namespace = config.model, config.namespace
    where = f"kubectl -n {shlex.quote(namespace)} get sklearnmodel {shlex.quote(name)}"
    address = f"URL=$({where} -o jsonpath='{{.status.address}}')" if namespace else "URL=http://localhost:8080"
    name = urllib.parse.quote(name, safe="")
    columns, rows, outputs = golden["columns"], golden["rows"], golden["outputs"]
    if not rows or "predict" not in outputs:
        return Call(address, "", "")
    predicted = outputs["predict"][:1]
    if table:
        path, body = f"/v1/models/{name}:predict", {"instances": [dict(zip(columns, rows[0], strict=True))]}
        answer: dict[str, Any] = {"predictions": predicted}
    else:
        tensor = {"name": "rows", "shape": [1, len(columns)], "datatype": "FP64", "data": rows[0]}
        path, body = f"/v2/models/{name}/infer", {"inputs": [tensor]}
        answer = {"model_version": config.version, "outputs": [{"name": "predict", "data": _flat(predicted)}]}
    text = json.dumps(body).replace("'", "\\u0027")
    told = json.dumps(answer, ensure_ascii=False)
    command = f"curl -s \"$URL{path}\" -H 'Content-Type: application/json' -d '{text}'"
    fits = len(text) <= _LIMIT
    return Call(address, command if fits else "", told if fits and len(told) <= _ANSWER else "")


def _flat(value: Any) -> list[Any]:
    """Tensors carry their values row by row."""
    return [item for part in value for item in _flat(part)] if isinstance(value, list) else [value]
