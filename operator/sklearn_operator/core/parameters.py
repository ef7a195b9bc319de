"""Estimators and their parameters, by the catalogue that was generated out of the trainer's scikit-learn.

Invariant: nothing is imported to check a name and nothing of the user's is evaluated. A value either has one meaning
or is refused with the way to say which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import labels, values, wording

MAX_DEPTH = 12


@dataclass(frozen=True)
class Estimator:
    """One public class. ``kind_from``: the parameter whose estimator says what a search or a pipeline is."""

    path: str
    kind: str
    parameters: Mapping[str, values.Parameter] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    predicts: bool = False
    kind_from: str | None = None
    takes_weights: bool = False  # by its fit
    transforms: str | None = None  # before a model: columns, or one column of text


@dataclass(frozen=True)
class Catalogue:
    """What a manifest may name."""

    estimators: Mapping[str, Estimator]
    scorers: Mapping[str, frozenset[str]]
    sklearn: str
    datasets: Mapping[str, str]
    packages: frozenset[str] = frozenset()  # others, of which only the task can tell what is in them

    @classmethod
    def parse(cls, text: bytes, packages: frozenset[str] = frozenset()) -> Catalogue:
        raw = json.loads(text)
        estimators = {path: _estimator(path, entry) for path, entry in raw["classes"].items()}
        scorers = {name: frozenset(kinds) for name, kinds in raw["scorers"].items()}
        kinds = {name: str(entry["targetKind"]) for name, entry in raw["datasets"].items()}
        return cls(estimators, scorers, str(raw["versions"]["sklearn"]), kinds, packages)

    def elsewhere(self, path: Any) -> bool:
        """Whether this may be a class of another package that the operator's settings allow."""
        names = path.split(".") if isinstance(path, str) else []
        public = all(name.isidentifier() and not name.startswith("_") for name in names)
        return len(names) > 1 and names[0] in self.packages and public

    def namesake(self, path: str) -> str | None:
        """The class of the same name, wherever it is."""
        name = path.rpartition(".")[2].lower()
        return next((known for known in self.estimators if known.rpartition(".")[2].lower() == name), None)

    def nearest(self, path: str) -> str:
        """Advice for a class that is not there."""
        name = path.rpartition(".")[2]
        names = {known.rpartition(".")[2]: known for known in self.estimators}
        close = self.namesake(path) or wording.closest(path, self.estimators, 0.75)
        found = close or names.get(wording.closest(name, names, 0.75) or "")
        return f"did you mean {found}?" if found else f"scikit-learn {self.sklearn} has no such estimator"


def _estimator(path: str, entry: Mapping[str, Any]) -> Estimator:
    parameters = {name: _parameter(spec) for name, spec in entry.get("params", {}).items()}
    return Estimator(
        path,
        str(entry["kind"]),
        parameters,
        frozenset(entry.get("required", ())),
        bool(entry.get("predict", False)),
        entry.get("kindFrom"),
        bool(entry.get("weights", False)),
        entry.get("transforms"),
    )


def _parameter(spec: Mapping[str, Any]) -> values.Parameter:
    intervals = tuple(
        values.Interval(str(item["type"]), item.get("min"), item.get("max"), str(item.get("closed", "both")))
        for item in spec.get("intervals", ())
    )
    return values.Parameter(
        frozenset(spec.get("types", ())), tuple(spec.get("options", ())), intervals, bool(spec.get("intOrFraction"))
    )


def problems(spec: Mapping[str, Any], catalogue: Catalogue, path: str, depth: int = 0) -> Iterator[Problem]:
    """Everything that is wrong with one ``{class, params}``, each with its path, value and what would be right."""
    if depth > MAX_DEPTH:
        yield Problem(path, "…", f"estimators are nested deeper than {MAX_DEPTH}")
        return
    name = spec.get("class")
    estimator = catalogue.estimators.get(name) if isinstance(name, str) else None
    if estimator is None and not catalogue.elsewhere(name):
        yield Problem(f"{path}.class", api.show(name), _unknown_class(name, catalogue))
        return
    given = spec.get("params")
    if not isinstance(given, Mapping | None):
        yield Problem(f"{path}.params", api.show(given), "must be a mapping of parameters to values")
        return
    for key in sorted(set(spec) - {"class", "params"}, key=str):
        yield Problem(api.join(path, key), api.show(spec[key]), "only class and params are known here")
    if estimator is None:
        yield from _elsewhere(given or {}, catalogue, f"{path}.params", depth)
        return
    for parameter in sorted(estimator.required - set(given or ())):
        yield Problem(f"{path}.params.{parameter}", "absent", f"{estimator.path} needs {parameter}")
    for parameter, value in (given or {}).items():
        where = api.join(f"{path}.params", parameter)
        rules = estimator.parameters.get(parameter)
        if rules is None:
            yield Problem(where, api.show(value, where), unknown(str(parameter), estimator))
        else:
            yield from value_problems(value, rules, catalogue, where, depth)
            if parameter in labels.LISTS:
                yield from labels.of_list(value, estimator.parameters, parameter, where)


def _elsewhere(given: Mapping[str, Any], catalogue: Catalogue, path: str, depth: int) -> Iterator[Problem]:
    """Parameters of a class that only the task knows: what is nested in them is checked here all the same."""
    for parameter, value in given.items():
        where = api.join(path, parameter)
        if not str(parameter).isidentifier() or str(parameter).startswith("_"):
            yield Problem(where, api.show(value, where), "is no name of a parameter")
        else:
            yield from _nested(value, catalogue, where, depth)


def _unknown_class(name: Any, catalogue: Catalogue) -> str:
    if not isinstance(name, str):
        return "must be the full path of a class, such as sklearn.svm.SVC"
    if not name.startswith("sklearn."):
        others = f" (and of {', '.join(sorted(catalogue.packages))})" if catalogue.packages else ""
        only = f"only public classes of scikit-learn{others} can be named, by their full path such as sklearn.svm.SVC"
        package, dot, _ = name.partition(".")
        if not dot or wording.closest(package, ["sklearn"]):
            return f"{only}; {catalogue.nearest(name)}"
        same = catalogue.namesake(name)
        if same:
            return f"{only}; did you mean {same}?"
        return f"{only}; other packages are for the operator's setting SKLEARN_OPERATOR_PACKAGES to allow"
    return f"there is no such class; {catalogue.nearest(name)}"


def unknown(name: str, estimator: Estimator) -> str:
    """Advice for a parameter that is not there."""
    names = "it takes " + (", ".join(sorted(estimator.parameters)) or "none")
    if name in ("true", "false"):
        return f"YAML reads the bare words n, y, no, yes, on, off as booleans: put the name in quotes; {names}"
    close = wording.closest(name, estimator.parameters)
    advice = f"did you mean {close}? " if close else ""
    return f"{estimator.path} has no parameter {wording.brief(name)}; {advice}{names}"


def value_problems(
    value: Any, rules: values.Parameter, catalogue: Catalogue, path: str, depth: int = 0
) -> Iterator[Problem]:
    """What is wrong with a value for a parameter of these rules."""
    if isinstance(value, Mapping):
        yield from _mapping_problems(value, rules, catalogue, path, depth)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nested(item, catalogue, f"{path}[{index}]", depth)
        if not rules.takes("list", "array"):
            yield _unsuitable(value, rules, path)
    elif _ambiguous(value, rules):
        text = f"{value:g} can mean a count or a share here: write {{int: {value:g}}} or {{float: {value:g}}}"
        yield Problem(path, api.show(value), text)
    elif not rules.open and not values.accepts(value, rules):
        yield _unsuitable(value, rules, path)


def _ambiguous(value: Any, rules: values.Parameter) -> bool:
    """A whole number that scikit-learn reads as a count when it is an integer and as a share when it is a float."""
    if not rules.int_or_fraction or isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    kinds = {item.type for item in rules.intervals if item.contains(value)}
    return value in (0, 1) or (float(value).is_integer() and {"int", "float"} <= kinds)


def _mapping_problems(
    value: Mapping[str, Any], rules: values.Parameter, catalogue: Catalogue, path: str, depth: int
) -> Iterator[Problem]:
    form = values.typed_form(value)
    if form is not None:
        yield from _form_problems(*form, rules, path)
    elif "class" in value:
        # Kernels can be called, so they also stand where scikit-learn wants a function.
        yield from problems(value, catalogue, path, depth + 1)
        if not rules.takes("estimator", "callable"):
            yield _unsuitable(value, rules, path)
    else:
        for key, item in value.items():
            yield from _nested(item, catalogue, api.join(path, key), depth)
        if not rules.takes("dict"):
            yield _unsuitable(value, rules, path)


def _form_problems(kind: str, inner: Any, rules: values.Parameter, path: str) -> Iterator[Problem]:
    where = f"{path}.{kind}"
    if isinstance(inner, bool) or not isinstance(inner, (int, float)):
        yield Problem(where, api.show(inner), "must be a number")
    elif kind == "int" and not float(inner).is_integer():
        yield Problem(where, api.show(inner), "must be a number without fraction")
    elif not rules.open and not values.accepts_number(int(inner) if kind == "int" else float(inner), rules, kind):
        yield _unsuitable(inner, rules, where)


def _unsuitable(value: Any, rules: values.Parameter, path: str) -> Problem:
    words = [option for option in rules.options if isinstance(option, str)]
    close = wording.closest(value, words) if isinstance(value, str) else None
    hint = f"; did you mean {close}?" if close else _boolean_hint(value, rules)
    return Problem(path, api.show(value, path), f"must be {values.expectation(rules)}{hint}")


def _nested(value: Any, catalogue: Catalogue, path: str, depth: int) -> Iterator[Problem]:
    if depth > MAX_DEPTH:
        yield Problem(path, "…", f"nested deeper than {MAX_DEPTH}")
    elif isinstance(value, Mapping):
        form = values.typed_form(value)
        if form is not None:
            yield from _form_problems(*form, values.Parameter(), path)
        elif "class" in value:
            yield from problems(value, catalogue, path, depth + 1)
        else:
            for key, item in value.items():
                yield from _nested(item, catalogue, api.join(path, key), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nested(item, catalogue, f"{path}[{index}]", depth + 1)


def _boolean_hint(value: Any, rules: values.Parameter) -> str:
    if isinstance(value, bool) and ("str" in rules.types or any(isinstance(option, str) for option in rules.options)):
        return "; YAML reads the bare words n, y, no, yes, on, off as booleans: put the word in quotes"
    return ""
