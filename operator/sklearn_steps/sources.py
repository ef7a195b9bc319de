"""Fetching: a data set that ships with scikit-learn, an object, or the text of a ConfigMap.

Invariant: what is returned is complete and in file order; nothing is dropped or shuffled here. Its sha256 is of the
bytes that were read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn_steps import contract, errors, objectstore, sklearn_import

if TYPE_CHECKING:
    import pandas as pd

BUILTINS = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")


@dataclass
class Arrays:
    """A builtin data set: numbers only, with scikit-learn's own names and order."""

    X: Any
    y: Any
    names: list[str]
    target: list[str]
    class_names: list[str] | None
    sha256: str


@dataclass
class Table:
    """Everything of a file, the target included."""

    frame: pd.DataFrame
    sha256: str


def describe(data: contract.Data) -> str:
    """The source in the words of the manifest."""
    source = data.source
    if source.builtin is not None:
        return f"builtin {source.builtin}"
    if source.uri is not None:
        return source.uri
    if source.config_map is not None:
        return f"ConfigMap {source.config_map.name}/{source.config_map.key}"
    return f"inline {source.name or 'text'}"


def fetch(data: contract.Data, env: Mapping[str, str] = os.environ) -> Arrays | Table:
    """The whole data set."""
    source = data.source
    if source.builtin is not None:
        return _builtin(source.builtin, data)
    from sklearn_steps import tables

    if source.uri is not None:
        content = objectstore.Location(source.uri, objectstore.Credentials.data(env), "data.source.uri").read()
        name = source.uri
    elif source.config_map is not None:
        if contract.DATA_INLINE_ENV not in env:
            text = f"data.source.configMap: ConfigMap {source.config_map.name} has no key {source.config_map.key}"
            raise errors.UserError("ObjectMissing", text)
        content, name = env[contract.DATA_INLINE_ENV].encode(), source.config_map.key
    else:
        content, name = (source.inline or "").encode(), source.name or "text.csv"
    return Table(tables.parse(content, name, describe(data), data), hashlib.sha256(content).hexdigest())


def _builtin(name: str, data: contract.Data) -> Arrays:
    if name not in BUILTINS:
        text = f"data.source.builtin {errors.shown(name)}: {errors.nearest(name, BUILTINS)}there are"
        raise errors.UserError("UnknownBuiltin", f"{text} {errors.listed(BUILTINS)}")
    if data.target:
        text = f"data.target {errors.listed(data.target)}: the builtin data set {name} has a target of its own"
        raise errors.UserError("TargetNotAllowed", f"{text}; remove data.target")
    sklearn_import.load(table=False)
    import numpy as np
    import sklearn.datasets

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    X, y = np.ascontiguousarray(bunch.data), np.ascontiguousarray(bunch.target)
    labels = [str(label) for label in bunch.target_names] if "target_names" in bunch else []
    several = y.ndim == 2
    digest = hashlib.sha256(X.tobytes())
    digest.update(y.tobytes())
    return Arrays(
        X=X,
        y=y,
        names=[str(item) for item in bunch.feature_names],
        target=labels if several else ["target"],
        class_names=labels if labels and not several else None,
        sha256=digest.hexdigest(),
    )
