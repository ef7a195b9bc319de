"""The golden rows: the model must say here what it said at training, or it does not serve.

Invariant: labels and whole numbers are compared exactly, fractions to a relative 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_runtime import errors, predictor, schema, v1


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows of the test part, and what the model said to them at training."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    outputs: Mapping[str, Sequence[Any]]

    def samples(self) -> Mapping[str, Sequence[Any]]:
        """The recorded values of each column."""
        return dict(zip(self.columns, zip(*self.rows, strict=True), strict=True))


def parse(document: Mapping[str, Any]) -> Golden:
    """``golden.json`` as published; at least one row, and a value for each column in each."""
    columns, rows, outputs = document.get("columns"), document.get("rows"), document.get("outputs")
    if not (isinstance(columns, list) and isinstance(rows, list) and isinstance(outputs, dict)):
        raise errors.ArtifactError("golden.json needs columns, rows and outputs; it lacks at least one")
    if not rows or not outputs:
        raise errors.ArtifactError("golden.json has no rows or no outputs, so nothing can be compared")
    if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        raise errors.ArtifactError(f"golden.json: every row needs one value per column, {len(columns)} in all")
    return Golden(columns=[str(name) for name in columns], rows=rows, outputs=outputs)


def replay(golden: Golden, columns: schema.Schema, model: predictor.Predictor) -> Sequence[predictor.Output]:
    """Run the recorded rows; the outputs, which also show the types and shapes this model gives."""
    instances = [dict(zip(golden.columns, row, strict=True)) for row in golden.rows]
    try:
        table, _ = v1.decode({"instances": instances}, columns)
        outputs = model.run(table, model.outputs)
    except errors.RequestError as exc:
        raise errors.ArtifactError(f"golden.json: the model cannot predict the recorded rows here: {exc}") from exc
    given = {output.name: output for output in outputs}
    for name, values in golden.outputs.items():
        if name not in given:
            raise errors.ArtifactError(f"golden.json records the output {name}, which the model does not give here")
        _compare(given[name], values)
    return outputs


def _compare(output: predictor.Output, expected: Sequence[Any]) -> None:
    actual = output.values.tolist()
    if len(actual) != len(expected):
        raise errors.ArtifactError(f"golden.json: {output.name} gives {len(actual)} rows, {len(expected)} are recorded")
    for place, (here, recorded) in enumerate(zip(actual, expected, strict=True)):
        if not _same(here, recorded, fractions=output.datatype == "FP64"):
            raise errors.ArtifactError(
                f"golden.json row {place}: {output.name} gives {errors.shown(here)} here, "
                f"{errors.shown(recorded)} at training"
            )


def _same(here: Any, recorded: Any, *, fractions: bool) -> bool:
    if not fractions:
        return bool(here == recorded)
    try:
        left, right = np.asarray(here, dtype=float), np.asarray(recorded, dtype=float)
    except (TypeError, ValueError):
        return False
    return left.shape == right.shape and np.allclose(left, right, rtol=1e-6, equal_nan=True)
