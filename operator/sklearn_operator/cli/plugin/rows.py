"""Rows for a prediction: from CSV or JSON to the body of a request.

Invariant: values go as they are; what a column means is the served model's business.
"""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from sklearn_operator.cli.plugin.kubectl import Failed

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def request(text: str) -> tuple[str, dict[str, Any]]:
    """Path below the model and body. JSON in V2 or V1 form goes as it is; a list and CSV become V1 instances."""
    stripped = text.lstrip()
    if not stripped:
        raise Failed("there is no input; give rows as CSV with a header, or as JSON")
    if stripped[0] not in "[{":
        return "v1", {"instances": _from_csv(text)}
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise Failed(f"the input looks like JSON and is none: {error}") from error
    if isinstance(document, list):
        return "v1", {"instances": document if document and isinstance(document[0], (list, dict)) else [document]}
    if "inputs" in document:
        return "v2", document
    return "v1", document if "instances" in document else {"instances": [document]}


def _from_csv(text: str) -> list[dict[str, Any]]:
    """One object per row, by the names in the first line; an empty cell is a gap.

    What reads as a number or a boolean is one, as it was when a CSV file was learned from.
    """
    try:
        read = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise Failed(f"the input is no CSV: {error}") from error
    return [{name: _cell(cell) for name, cell in row.items() if isinstance(name, str)} for row in read]


def _cell(text: Any) -> Any:
    if not isinstance(text, str) or text == "":
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else None if math.isnan(number) else text
    return text


def shown(protocol: str, answer: dict[str, Any]) -> list[str]:
    """One line per row."""
    if protocol == "v1":
        found = answer["predictions"]
    else:
        output = next(item for item in answer["outputs"] if item["name"] == "predict")
        found = output["data"]
    return [one if isinstance(one, str) else json.dumps(one) for one in found]
