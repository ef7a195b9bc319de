"""Models that are not declared: a training script, or a file that was made elsewhere.

Invariant: what kind of model it will be, nobody knows before it is there; all else that the manifest shows is told
here, before any pod starts. The script's text is measured and carried, never read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import gates, parameters, training, wording
from sklearn_operator.core.settings import Settings
from sklearn_steps import contract, hosts

#: Of an inline script as it reaches its task: JSON in JSON in one argument, of which Linux allows 128 KiB.
_LONGEST_INLINE = 96 * 1024
_LONGEST_VALUE = 4096
_LONGEST_ARGS = 64 * 1024
_KINDS = tuple(contract.DEFAULT_METRICS)


def problems(spec: api.SklearnModelSpec, settings: Settings, catalogue: parameters.Catalogue) -> Iterator[Problem]:
    """What is wrong with ``spec.model.script`` or ``spec.model.pretrained`` and what is asked of it."""
    script, pretrained = spec.model.script, spec.model.pretrained
    if script is not None:
        yield from _source(script.source, settings)
        yield from _args(script.args)
    if pretrained is not None:
        yield from _pretrained(pretrained, spec)
    if script is None and pretrained is None:
        return
    yield from _data(spec.data)
    yield from _metrics(spec, catalogue)
    yield from _kept(spec)


def _kept(spec: api.SklearnModelSpec) -> Iterator[Problem]:
    """What a declared model leaves to us, and one that is brought does not."""
    if spec.training.cache:
        text = "whether a model that is brought is the one of an earlier run, nobody here can tell: remove it"
        yield Problem("spec.training.cache", "true", text)
    if spec.artifacts.compress:
        text = "the file of a model that is brought is kept as it is: remove it, or compress where the file is written"
        yield Problem("spec.artifacts.compress", str(spec.artifacts.compress), text)


def _source(source: api.ScriptSource, settings: Settings) -> Iterator[Problem]:
    where = "spec.model.script.source"
    if source.inline is not None:
        yield from _inline(source.inline, f"{where}.inline")
    if source.config_map is not None and source.config_map.key.startswith(".."):
        text = "is no key that a ConfigMap can have: name the key that holds the script, such as train.py"
        yield Problem(f"{where}.configMap.key", api.show(source.config_map.key), text)
    if source.config_map is not None and source.config_map.key == ".":
        yield Problem(f"{where}.configMap.key", ".", "names no file: name the key that holds the script")
    if source.git is not None:
        yield from _git(source.git, f"{where}.git", settings)


def _inline(script: str, path: str) -> Iterator[Problem]:
    if not script.strip():
        yield Problem(path, api.show(script), "is empty: give the text of a Python script that trains a model")
    elif "\0" in script:
        yield Problem(path, api.show(script), "has a character of code 0, which no Python script has: remove it")
    else:
        size = len(json.dumps(training.encode_config({"inline": script})).encode())
        if size > _LONGEST_INLINE:
            text = f"takes {size // 1024} KiB on its way to the task, which has room for {_LONGEST_INLINE // 1024}"
            yield Problem(path, api.show(script), f"{text}: put it into a ConfigMap")


def _git(git: api.GitSource, path: str, settings: Settings) -> Iterator[Problem]:
    host = hosts.named(git.url)
    if host is None:
        yield Problem(f"{path}.url", api.show(git.url), "names no host; write https://host/org/repository")
    elif "?" in git.url or "#" in git.url:
        text = "has a query or a fragment: write the plain address; credentials never go into it"
        yield Problem(f"{path}.url", api.show(git.url.partition("?")[0].partition("#")[0] + "?…"), text)
    elif not hosts.allowed(git.url, settings.git_hosts):
        allowed = ", ".join(sorted(settings.git_hosts)) or "none"
        text = f"the host {host} is not among those that the operator's settings allow for scripts ({allowed})"
        yield Problem(f"{path}.url", api.show(git.url), f"{text}; put the script into a ConfigMap, or ask for the host")
    parts = git.revision.split("/")
    if ".." in git.revision or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts):
        text = "is no name that git has for a commit, a tag or a branch, such as v1.2"
        yield Problem(f"{path}.revision", api.show(git.revision), text)


def _args(args: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in args.items():
        where = api.join("spec.model.script.args", name)
        if name == "help":
            yield Problem(where, api.show(value), "asks for help instead of training: remove it")
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem(where, api.show(value), "must be a finite number")
        elif isinstance(value, str) and ("\0" in value or len(value) > _LONGEST_VALUE):
            text = f"a text of at most {_LONGEST_VALUE} characters without code 0 fits into a flag; use a file beside"
            yield Problem(where, api.show(value), f"{text} the script for more")
    size = len(json.dumps(dict(args), default=str))
    if size > _LONGEST_ARGS:
        text = f"take {size // 1024} KiB, and a call has room for {_LONGEST_ARGS // 1024}: use a file beside the script"
        yield Problem("spec.model.script.args", f"{len(args)} flags", text)


def _pretrained(model: api.PretrainedSpec, spec: api.SklearnModelSpec) -> Iterator[Problem]:
    where, key = "spec.model.pretrained.uri", model.uri.partition("://")[2].partition("/")[2]
    if not key or key.endswith("/"):
        yield Problem(where, api.show(model.uri), "names no object: write s3://bucket/path/model.joblib")
    elif any(part in ("", ".", "..") for part in key.split("/")) or "?" in key:
        text = "is no plain path of an object: write s3://bucket/path/model.joblib"
        yield Problem(where, api.show(model.uri.partition("?")[0]), text)
    if spec.data is not None and spec.data.weight is not None:
        text = "weighs rows in fitting, and a pretrained model is not fitted: remove it"
        yield Problem("spec.data.weight", api.show(spec.data.weight), text)
    if spec.evaluation.cross_validation is not None:
        text = "fits the model again, and a pretrained model is not fitted: remove it"
        yield Problem("spec.evaluation.crossValidation", api.show(spec.evaluation.cross_validation.folds), text)


def _data(data: api.DataSpec | None) -> Iterator[Problem]:
    if data is None:
        text = "is needed: the model is judged by it, and its schema and recorded rows come from it"
        yield Problem("spec.data", "absent", text)
    elif data.source.builtin is not None and data.target:
        text = f"the builtin data set {data.source.builtin} has a target of its own; remove it"
        yield Problem("spec.data.target", api.show(data.target), text)


def _metrics(spec: api.SklearnModelSpec, catalogue: parameters.Catalogue) -> Iterator[Problem]:
    """There must be one kind of model that all metrics and gates fit."""
    named = [(f"spec.evaluation.metrics[{index}]", name) for index, name in enumerate(spec.evaluation.metrics)]
    if spec.tuning is not None and spec.tuning.objective.metric is not None:
        named.append(("spec.tuning.objective.metric", spec.tuning.objective.metric))
    kinds, first = set(_KINDS), ""
    for path, name in named:
        fitting = catalogue.scorers.get(name)
        if fitting is None:
            close = wording.closest(name, list(catalogue.scorers), 0.5)
            advice = f"did you mean {close}?" if close else "take one of scikit-learn's, such as accuracy or r2"
            yield Problem(path, name, f"there is no such scorer; {advice}")
            return
        if not kinds & set(fitting):
            yield Problem(path, name, f"no kind of model is judged by it and by {first}: remove one of the two")
            return
        kinds, first = kinds & set(fitting), first or name
    wrong = [list(gates.problems(kind, spec)) for kind in _KINDS if kind in kinds]
    if wrong and all(wrong):
        yield from min(wrong, key=len)
