"""Fetching: a data set that ships with scikit-learn, files from elsewhere, or the text of a ConfigMap.

Invariant: what is returned is complete and in file order; no row is dropped or shuffled here, and no column that the
manifest needs. Its sha256 is of the bytes that were read.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn_steps import contract, errors, sklearn_import

if TYPE_CHECKING:
    import pandas as pd

    from sklearn_steps import files

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
    """The needed columns of all files, the target included."""

    frame: pd.DataFrame
    sha256: str


def describe(data: contract.Data) -> str:
    """The source in the words of the manifest."""
    source = data.source
    if source.builtin is not None:
        return f"builtin {source.builtin}"
    if source.uri is not None:
        return source.uri.partition("?")[0]  # a query may be a signature
    if source.config_map is not None:
        return f"ConfigMap {source.config_map.name}/{source.config_map.key}"
    return f"inline {source.name or 'text'}"


def fetch(config: contract.RunConfig, env: Mapping[str, str] = os.environ) -> Arrays | Table:
    """The whole data set."""
    data = config.data
    if data.source.builtin is not None:
        return _builtin(data.source.builtin, data)
    from sklearn_steps import columns, memory, reading

    with tempfile.TemporaryDirectory() as scratch:
        found = _files(config, Path(scratch), env)
        budget = memory.budget(describe(data), env)
        frame = reading.table(found, data, budget, lambda names: columns.needed(names, data))
        return Table(frame, found.sha256)


def digest(config: contract.RunConfig, env: Mapping[str, str] = os.environ) -> str:
    """The sha256 that ``fetch`` would tell, of bytes that are read and not understood."""
    data = config.data
    if data.source.builtin is not None:
        return _builtin(data.source.builtin, data).sha256
    with tempfile.TemporaryDirectory() as scratch:
        return _files(config, Path(scratch), env).sha256


def _files(config: contract.RunConfig, folder: Path, env: Mapping[str, str]) -> files.Files:
    from sklearn_steps import files

    source = config.data.source
    if source.uri is not None:
        return files.of_uri(source.uri, config.data_hosts, folder, env)
    if source.config_map is None:
        return files.of_text(source.inline or "", source.name or "text.csv", folder)
    if contract.DATA_INLINE_ENV not in env:
        text = f"data.source.configMap: ConfigMap {source.config_map.name} has no key {source.config_map.key}"
        raise errors.UserError("ObjectMissing", text)
    return files.of_text(env[contract.DATA_INLINE_ENV], source.config_map.key, folder)


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
