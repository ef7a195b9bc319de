"""``python -m sklearn_steps.catalogue``: what a manifest may name, as data for the operator.

Invariant: it lists exactly the classes that ``estimators.resolve`` accepts, with what this very scikit-learn says of
their parameters; the same libraries give the same bytes, and a test compares them with what is checked in.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
import typing
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from sklearn_steps import constraints, contract, estimators, parts, scoring, sources

_LIBRARIES = ("numpy", "scikit-learn")
_UNDECIDED = "other"


def path() -> Path:
    """Where it is checked in."""
    return Path(__file__).parent.parent / "sklearn_operator" / "core" / "catalogue" / "sklearn.json"


def generate() -> bytes:
    """The whole document."""
    document = {
        "versions": {"sklearn" if name == "scikit-learn" else name: metadata.version(name) for name in _LIBRARIES},
        "classes": {name: _entry(cls) for name, cls in classes()},
        "scorers": _scorers(),
        "datasets": {name: _dataset(name) for name in sources.BUILTINS},
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f"{text}\n".encode()


def classes() -> Iterator[tuple[str, type]]:
    """Every public path that ``estimators.resolve`` accepts, with its class."""
    import sklearn
    import sklearn.experimental.enable_halving_search_cv
    import sklearn.experimental.enable_iterative_imputer

    for module in pkgutil.walk_packages(sklearn.__path__, "sklearn."):
        if any(part.startswith("_") or part in estimators.CLOSED for part in module.name.split(".")):
            continue
        for name, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if not name.startswith("_") and name == cls.__name__ and estimators.usable(cls, module.name):
                yield f"{module.name}.{name}", cls


def _entry(cls: type) -> dict[str, Any]:
    signature = inspect.signature(cls)
    named = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    params = {name: _parameter(cls, name, parameter.default) for name, parameter in named.items()}
    entry: dict[str, Any] = {"kind": kind(cls), "params": params}
    required = sorted(name for name, parameter in named.items() if parameter.default is parameter.empty)
    required += [name for name in named if _never_none(params[name])]
    if required:
        entry["required"] = required
    if hasattr(cls, "predict"):
        entry["predict"] = True
    if hasattr(cls, "fit") and "sample_weight" in inspect.signature(cls.fit).parameters:
        entry["weights"] = True
    changes = transforms(cls)
    if changes:
        entry["transforms"] = changes
    delegate = _decided_by(named) if entry["kind"] == _UNDECIDED and hasattr(cls, "predict") else None
    if delegate:
        entry["kindFrom"] = delegate
    return entry


def _never_none(rules: dict[str, Any]) -> bool:
    """A default that scikit-learn itself refuses, so something has to be given."""
    if rules.get("default", 0) is not None or "types" not in rules or "none" in rules["types"]:
        return False
    del rules["default"]
    return True


def kind(cls: type) -> str:
    """By scikit-learn's own mixins; what cannot predict is no model, whatever it is called."""
    from sklearn import base

    if hasattr(cls, "predict"):
        for mixin, name in (
            (base.ClassifierMixin, "classifier"),
            (base.RegressorMixin, "regressor"),
            (base.OutlierMixin, "outlier_detector"),
            (base.ClusterMixin, "clusterer"),
            (base.DensityMixin, "clusterer"),
        ):
            if issubclass(cls, mixin):
                return name
    if issubclass(cls, base.TransformerMixin) and not hasattr(cls, "predict"):
        return "transformer"
    return _UNDECIDED


def transforms(cls: type) -> str | None:
    """What it changes as a step before a model: ``columns``, or one column of ``text``.

    None for what cannot change rows that it was not fitted on, and for what is made for targets or dictionaries.
    """
    if not (hasattr(cls, "transform") and hasattr(cls, "fit")):
        return None
    if not any(parameter.default is parameter.empty for parameter in inspect.signature(cls).parameters.values()):
        takes = cls().__sklearn_tags__().input_tags
        if takes.string and not takes.two_d_array:
            return "text"
        if not takes.two_d_array:
            return None
    return "columns" if list(inspect.signature(cls.fit).parameters)[1] == "X" else None


def _decided_by(parameters: dict[str, inspect.Parameter]) -> str | None:
    """The parameter whose estimator says what a search or a pipeline is."""
    return next((name for name in ("estimator", "steps") if name in parameters), None)


def _parameter(cls: type, name: str, default: Any) -> dict[str, Any]:
    entry = constraints.reduced(cls, name)
    if default in ("deprecated", "warn") if isinstance(default, str) else False:
        entry["deprecated"] = True
    elif default is not inspect.Parameter.empty and _plain(default):
        entry["default"] = list(default) if isinstance(default, tuple) else default
    return entry


def _plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and value - value == 0)


def _scorers() -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for name_of_kind in typing.get_args(contract.EstimatorType):
        for name in scoring.fitting(name_of_kind):
            kinds.setdefault(name, []).append(name_of_kind)
    return kinds


def _dataset(name: str) -> dict[str, Any]:
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    labels = [str(label) for label in bunch.target_names] if "target_names" in bunch else []
    whole = bunch.target.ndim == 1 and bool(labels)
    entry: dict[str, Any] = {
        "rows": len(bunch.data),
        "features": [str(feature) for feature in bunch.feature_names],
        "target": labels if bunch.target.ndim == 2 else ["target"],
        "targetKind": "classification" if whole else "regression",
    }
    if whole:
        entry["classes"] = parts.json_safe(sorted(set(bunch.target.tolist())))
        entry["classNames"] = labels
    return entry


def main() -> int:
    """Write it."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_steps.catalogue", description="Write the catalogue.")
    parser.add_argument("--output", type=Path, default=path())
    output: Path = parser.parse_args().output
    output.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # some modules are deprecated and say so when they are walked
        output.write_bytes(generate())
    return 0


if __name__ == "__main__":
    sys.exit(main())
