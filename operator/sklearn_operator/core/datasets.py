"""Whether ``spec.data`` can be read, split and weighed as it says, as far as the manifest alone shows.

Invariant: what depends on the rows is for the task to say; what does not is said here, before any pod starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from sklearn_operator import api
from sklearn_operator.api import Problem, fields
from sklearn_operator.core import parameters
from sklearn_operator.core.settings import Settings
from sklearn_steps import contract, hosts


def problems(data: api.DataSpec, settings: Settings) -> Iterator[Problem]:
    """Of the data alone."""
    uri = data.source.uri or ""
    if uri.startswith(("http://", "https://")):
        yield from _host(uri, settings)
    yield from _volume(uri)
    if data.credentials_secret and not uri.startswith("s3://"):
        text = "is for s3:// only: remove it"
        yield Problem("spec.data.credentialsSecret", api.show(data.credentials_secret), text)
    yield from _format(data)
    yield from _roles(data)


def _host(uri: str, settings: Settings) -> Iterator[Problem]:
    """Who may be asked is the operator's decision: from inside the cluster much can be reached that must not be."""
    host = hosts.named(uri)
    if host is None:
        yield Problem("spec.data.source.uri", api.show(uri), "names no host; write https://host/path.csv")
    elif not hosts.allowed(uri, settings.data_hosts):
        allowed = ", ".join(sorted(settings.data_hosts)) or "none"
        text = f"the host {host} is not among those that the operator's settings allow ({allowed})"
        yield Problem(
            "spec.data.source.uri", api.show(uri), f"{text}; put the file into the store, or ask for the host"
        )


def claim(uri: str) -> str | None:
    """The PersistentVolumeClaim of ``pvc://claim/path``."""
    return uri.removeprefix("pvc://").partition("/")[0] if uri.startswith("pvc://") else None


def _volume(uri: str) -> Iterator[Problem]:
    """A claim in the same namespace and a path inside of it."""
    name = claim(uri)
    if name is None:
        return
    where, path = "spec.data.source.uri", uri.removeprefix(f"pvc://{name}/")
    if len(name) > 253 or not re.fullmatch(fields.OBJECT_NAME.expression, name):
        text = f"{api.show(name)} is no name of a PersistentVolumeClaim; write pvc://claim/path.csv"
        yield Problem(where, api.show(uri), text)
    if any(part in ("", ".", "..") for part in path.removesuffix("/").split("/")) and path:
        text = "the path has to lie inside the volume, without empty parts, '.' and '..'"
        yield Problem(where, api.show(uri), text)


def _format(data: api.DataSpec) -> Iterator[Problem]:
    """The format of a file, where it is named by its suffix."""
    source = data.source
    field, name = ("uri", source.uri) if source.uri else ("configMap.key", source.config_map and source.config_map.key)
    if not name:
        return
    path = urlsplit(name).path if source.uri else name
    if path.endswith("/") and name.startswith(("s3://", "pvc://")):
        return  # a prefix: its objects tell
    kind = data.format or contract.SUFFIXES.get(PurePosixPath(path).suffix.lower())
    if kind is None:
        text = f"the suffix of spec.data.source.{field} ({api.show(name)}) does not tell the format"
        yield Problem("spec.data.format", "absent", f"{text}: set it to csv, parquet or jsonl")
    elif kind != "csv" and "csv" in data.model_fields_set:
        text = f"is for CSV, and spec.data.source.{field} ({api.show(name)}) is {kind}: remove it"
        yield Problem("spec.data.csv", api.show(data.csv.model_dump(by_alias=True, exclude_unset=True)), text)


def _roles(data: api.DataSpec) -> Iterator[Problem]:
    """A target tells nothing about how to split or to weigh that may be known beforehand."""
    targets = (data.target,) if isinstance(data.target, str) else data.target or ()
    for field, name in (("weight", data.weight), ("split.groups", data.split.groups)):
        if name in targets:
            yield Problem(f"spec.data.{field}", api.show(name), "is spec.data.target: name another column")


def weight_problems(
    document: Mapping[str, Any], spec: api.SklearnModelSpec, catalogue: parameters.Catalogue
) -> Iterator[Problem]:
    """Whether the fit of ``document``, a ``{class, params}``, takes sample weights."""
    if spec.data is None or spec.data.weight is None:
        return
    learner = _learner(document, catalogue)
    if learner is not None and not learner.takes_weights:
        text = f"{learner.path} takes no sample weights when it is fitted: remove it, or choose another estimator"
        yield Problem("spec.data.weight", api.show(spec.data.weight), text)


def _learner(document: Any, catalogue: parameters.Catalogue) -> parameters.Estimator | None:
    """The last step of pipelines; None where something else says that this is no pipeline."""
    for _ in range(parameters.MAX_DEPTH):
        estimator = catalogue.estimators.get(str(document.get("class"))) if isinstance(document, Mapping) else None
        if estimator is None or estimator.kind_from != "steps":
            return estimator
        params = document.get("params")
        steps = params.get("steps") if isinstance(params, Mapping) else None
        last = steps[-1] if isinstance(steps, list) and steps else None
        document = last[1] if isinstance(last, list) and len(last) == 2 else None
    return None
