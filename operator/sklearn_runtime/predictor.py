"""The loaded estimator and the outputs it can give.

Invariant: what a prediction raises because of its input is a ``RequestError`` with the estimator's own words; anything
else it raises is a fault of the server and passes through.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_runtime import errors

DEFAULT_OUTPUTS = ("predict",)
_METHODS = ("predict", "predict_proba")
_V2_TYPES = {"i": "INT64", "u": "INT64", "f": "FP64", "b": "BOOL"}


@dataclass(frozen=True, slots=True)
class Output:
    """One named result of a prediction, ready for any of the protocols."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    values: NDArray[Any]


class Predictor:
    """One estimator; ``outputs`` are the names that a request may ask for."""

    def __init__(self, model: Any, recorded: Collection[str]) -> None:
        """``recorded``: the outputs that training wrote down. It leaves out what is no tensor, as the probabilities of
        several targets with different numbers of classes are; what it leaves out can be neither proved nor given."""
        if not hasattr(model, "predict"):
            raise errors.ArtifactError(f"{type(model).__name__} has no predict, so it cannot be served")
        wanted = {*DEFAULT_OUTPUTS, *recorded}
        self.outputs: tuple[str, ...] = tuple(name for name in _METHODS if name in wanted and hasattr(model, name))
        self._methods = {name: getattr(model, name) for name in self.outputs}

    def check_outputs(self, wanted: Sequence[str]) -> None:
        """Refuse an output that the model cannot give, before any work is done."""
        if unknown := [name for name in wanted if name not in self._methods]:
            raise errors.RequestError(
                f"outputs: unknown output {errors.listed(unknown)}; this model gives {errors.listed(self.outputs)}"
            )

    def run(self, table: Any, wanted: Sequence[str]) -> list[Output]:
        """The wanted outputs for all rows."""
        try:
            return [_output(name, self._methods[name](table)) for name in wanted]
        except (ValueError, TypeError, ArithmeticError) as exc:
            raise errors.RequestError(f"the model refuses this input: {_first_line(exc)}") from exc


def _first_line(exc: Exception) -> str:
    text = str(exc).strip() or type(exc).__name__
    return text.splitlines()[0][:500]


def _output(name: str, result: Any) -> Output:
    if isinstance(result, list):  # predict_proba of a multi-output classifier: one [n, classes] per output
        result = np.stack(result, axis=1)
    array = np.ascontiguousarray(result)
    if array.dtype.kind == "O":
        array = _unboxed(array)
    datatype = _V2_TYPES.get(array.dtype.kind, "BYTES")
    return Output(name=name, shape=array.shape, datatype=datatype, values=array)


def _unboxed(array: NDArray[Any]) -> NDArray[Any]:
    """Labels kept as objects are numbers or booleans if all of them are, else text."""
    kinds = {type(value) for value in array.ravel()}
    if kinds <= {bool} or kinds <= {int} or kinds <= {int, float}:
        return np.array(array.tolist())
    text = np.empty(array.shape, dtype=object)
    text.ravel()[:] = [str(value) for value in array.ravel()]
    return text
