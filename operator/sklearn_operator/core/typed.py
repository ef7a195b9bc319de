"""Numbers in the type that their parameter takes: JSON knows one kind of number, scikit-learn two.

Invariant: a value that ``parameters.problems`` finds nothing wrong with has exactly one type here, whatever spelling of
the number came back from the API server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_operator.core import parameters, values

_UNKNOWN = values.Parameter()


def estimator(spec: Mapping[str, Any], catalogue: parameters.Catalogue) -> dict[str, Any]:
    """``{class, params}`` with every number in its type, those of nested estimators included."""
    known = catalogue.estimators.get(str(spec.get("class")))
    rules = known.parameters if known else {}
    given = spec.get("params") or {}
    params = {name: _value(value, rules.get(name, _UNKNOWN), catalogue) for name, value in given.items()}
    return {"class": spec["class"], "params": params}


def typed(value: Any, rules: values.Parameter, catalogue: parameters.Catalogue) -> Any:
    """One value for a parameter of these rules."""
    return _value(value, rules, catalogue)


def pipeline(steps: Sequence[Mapping[str, Any]], catalogue: parameters.Catalogue) -> list[dict[str, Any]]:
    """The steps of a pipeline in the same way, without what says nothing."""
    return [_step(step, catalogue) for step in steps]


def _step(step: Mapping[str, Any], catalogue: parameters.Catalogue) -> dict[str, Any]:
    if step.get("columns") is None:
        return {"name": step["name"]} | estimator(step, catalogue)
    groups = [
        {name: group[name] for name in ("name", "select")}
        | {"steps": [estimator(one, catalogue) for one in group["steps"]]}
        for group in step["columns"]
    ]
    return {"name": step["name"], "columns": groups, "remainder": step.get("remainder", "drop")}


def _value(value: Any, rules: values.Parameter, catalogue: parameters.Catalogue) -> Any:
    if isinstance(value, Mapping):
        form = values.typed_form(value)
        if form is not None:
            return int(form[1]) if form[0] == "int" else float(form[1])
        if "class" in value:
            return estimator(value, catalogue)
        return {key: _value(item, _UNKNOWN, catalogue) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item, _UNKNOWN, catalogue) for item in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return _number(value, rules)


def _number(value: float, rules: values.Parameter) -> float | int:
    """``C: 1`` becomes 1.0 where only a float fits, ``degree: 3.0`` becomes 3 where only an integer does."""
    whole = float(value).is_integer()
    takes_int = bool(rules.types & {"int", "random_state"}) or any(
        item.type == "int" and item.contains(value) for item in rules.intervals
    )
    takes_float = "float" in rules.types or any(
        item.type == "float" and item.contains(value) for item in rules.intervals
    )
    if isinstance(value, int) and takes_float and not takes_int:
        return float(value)
    if isinstance(value, float) and whole and takes_int and not takes_float:
        return int(value)
    return value
