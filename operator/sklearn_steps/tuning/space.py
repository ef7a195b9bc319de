"""The values that a tuned parameter can take.

Invariant: a value is a pure function of the parameter and of a number, drawn or counted, so that a search is the same
on every machine. Bounds are inclusive; no rounding leaves them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_steps import contract_tuning

Parameter = contract_tuning.TuningParameter
#: What the last few bits of a sum of steps are not worth: 0.1 + 2 * 0.1 is to be 0.3.
_DIGITS = 12


def nth(parameter: Parameter, place: int) -> Any:
    """One of the counted values."""
    if parameter.type == "Categorical":
        return parameter.values[place]
    low, high = bounds(parameter)
    if parameter.type == "Int":
        return int(low) + place * int(parameter.step or 1)
    return max(low, min(high, float(f"{low + place * (parameter.step or 0.0):.{_DIGITS}g}")))


def draw(parameter: Parameter, chance: float) -> Any:
    """The value for a number in [0, 1): uniform, or uniform in the logarithm."""
    choices = parameter.count
    if choices is not None and not parameter.log:
        return nth(parameter, min(int(chance * choices), choices - 1))
    low, high = bounds(parameter)
    if parameter.type == "Int":  # each integer has the room up to the next one
        return max(int(low), min(int(high), math.floor(_log_between(low, high + 1, chance))))
    value = _log_between(low, high, chance) if parameter.log else low + chance * (high - low)
    return max(low, min(high, value))


def size(parameters: Sequence[Parameter]) -> int | None:
    """How many points the whole space has; None for a continuum."""
    counts = [parameter.count for parameter in parameters]
    return None if None in counts else math.prod(item for item in counts if item is not None)


def point(parameters: Sequence[Parameter], place: int) -> dict[str, Any]:
    """One point of a countable space; the last parameter changes fastest."""
    values: dict[str, Any] = {}
    for parameter in reversed(parameters):
        place, at = divmod(place, parameter.count or 1)
        values[parameter.name] = nth(parameter, at)
    return {parameter.name: values[parameter.name] for parameter in parameters}


def key(params: Mapping[str, Any]) -> str:
    """Equal for equal points."""
    return json.dumps(params, sort_keys=True, default=str)


def bounds(parameter: Parameter) -> tuple[float, float]:
    """Least and greatest value of a number."""
    if parameter.min is None or parameter.max is None:
        raise ValueError(f"{parameter.name} has no bounds")
    return parameter.min, parameter.max


def _log_between(low: float, high: float, chance: float) -> float:
    return math.exp(math.log(low) + chance * (math.log(high) - math.log(low)))
