"""Whether the named estimator can be this manifest's model: it predicts, and data and metrics are of its kind.

Invariant: told from the spec and the catalogue alone. What a search or a pipeline is, the estimator inside it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import gates, parameters, wording

_WORDS = {
    "classifier": "a classifier",
    "regressor": "a regressor",
    "clusterer": "a clusterer",
    "outlier_detector": "an outlier detector",
}
#: The one metric of clusterers that needs no true labels.
_SILHOUETTE = "silhouette"


def problems(
    document: Mapping[str, Any], spec: api.SklearnModelSpec, catalogue: parameters.Catalogue, path: str
) -> Iterator[Problem]:
    """What is wrong with ``document``, a ``{class, params}`` whose parameters are fine, as the model of ``spec``."""
    decider = _decider(document, catalogue, path)
    if decider is None:
        return
    if isinstance(decider, Problem):
        yield decider
        return
    where, estimator, params = decider
    if not estimator.predicts or estimator.kind not in _WORDS:
        yield Problem(f"{where}.class", estimator.path, _no_model(estimator, catalogue))
        return
    if "novelty" in estimator.parameters and params.get("novelty") is not True:
        given = api.show(params["novelty"]) if "novelty" in params else "absent"
        text = f"set novelty: true; without it {estimator.path} {_CANNOT_PREDICT}"
        yield Problem(f"{where}.params.novelty", given, text)
    yield from _data(estimator, spec, catalogue)
    wrong = list(_metrics(estimator, spec, catalogue))
    yield from wrong or gates.problems(estimator.kind, spec)


def _decider(
    document: Mapping[str, Any], catalogue: parameters.Catalogue, path: str
) -> tuple[str, parameters.Estimator, Mapping[str, Any]] | Problem | None:
    """The estimator that says what the whole is, with its path and parameters; None if only the task can tell."""
    for _ in range(parameters.MAX_DEPTH + 1):
        if document["class"] not in catalogue.estimators:
            return None
        estimator = catalogue.estimators[document["class"]]
        params = document.get("params") or {}
        if estimator.kind_from is None:
            return path, estimator, params
        path = f"{path}.params.{estimator.kind_from}"
        inner = params.get(estimator.kind_from)
        if estimator.kind_from == "steps":
            if not isinstance(inner, list) or not inner:
                return Problem(path, api.show(inner), "must be a list of [name, {class, params}]")
            path, step = f"{path}[{len(inner) - 1}]", inner[-1]
            if not isinstance(step, list) or len(step) != 2:
                return Problem(path, api.show(step), "must be [name, {class, params}]")
            path, inner = f"{path}[1]", step[1]
        if not isinstance(inner, Mapping) or "class" not in inner:
            return Problem(path, api.show(inner), "must be an estimator {class, params}: it decides what is predicted")
        document = inner
    return Problem(path, "…", f"estimators are nested deeper than {parameters.MAX_DEPTH}")


_CANNOT_PREDICT = "cannot predict rows that it was not fitted on, so it can be neither judged nor served"


def _no_model(estimator: parameters.Estimator, catalogue: parameters.Catalogue) -> str:
    module = estimator.path.rpartition(".")[0]
    if estimator.kind == "transformer":
        return (
            "is a transformer: it changes data and predicts nothing; name a classifier, regressor or clusterer, with "
            "this before it among the steps of spec.model.pipeline"
        )
    if module == "sklearn.cluster":
        able = [item.path for item in catalogue.estimators.values() if item.kind == "clusterer" and item.predicts]
        names = ", ".join(path.rpartition(".")[2] for path in able if path.startswith(f"{module}."))
        return f"{_CANNOT_PREDICT}; choose a clusterer that can: {names}"
    return "cannot predict, so it is no model; choose a classifier, regressor, clusterer or outlier detector"


def _data(
    estimator: parameters.Estimator, spec: api.SklearnModelSpec, catalogue: parameters.Catalogue
) -> Iterator[Problem]:
    data = spec.data
    if data is None:
        return
    what = f"{estimator.path} is {_WORDS[estimator.kind]}"
    builtin = data.source.builtin
    if builtin is None:
        if estimator.kind in ("classifier", "regressor") and not data.target:
            yield Problem("spec.data.target", "absent", f"{what}: name the target column")
        return
    if data.target:
        text = f"the builtin data set {builtin} has a target of its own; remove it"
        yield Problem("spec.data.target", api.show(data.target), text)
    if estimator.kind == "classifier" and catalogue.datasets.get(builtin) == "regression":
        text = f"the target of {builtin} is a number and {what}: choose a regressor, or data with classes"
        yield Problem("spec.data.source.builtin", builtin, text)


def _metrics(
    estimator: parameters.Estimator, spec: api.SklearnModelSpec, catalogue: parameters.Catalogue
) -> Iterator[Problem]:
    kind = _WORDS[estimator.kind]
    unlabelled = spec.data is not None and spec.data.source.builtin is None and not spec.data.target
    named = [(f"spec.evaluation.metrics[{index}]", name) for index, name in enumerate(spec.evaluation.metrics)]
    if spec.tuning is not None:
        if not any(estimator.kind in kinds for kinds in catalogue.scorers.values()):
            text = f"scikit-learn has no metric for {kind}, so trials cannot be compared; remove it"
            yield Problem("spec.tuning", "set", text)
        elif spec.tuning.objective.metric is not None:
            named.append(("spec.tuning.objective.metric", spec.tuning.objective.metric))
    for path, name in named:
        kinds = catalogue.scorers.get(name)
        if kinds is None:
            yield Problem(path, name, f"there is no such scorer; {_fitting(name, estimator.kind, catalogue)}")
        elif estimator.kind not in kinds:
            for_whom = " or ".join(_WORDS[kind] for kind in sorted(kinds))
            text = f"is for {for_whom} and {estimator.path} is {kind}"
            yield Problem(path, name, f"{text}; {_fitting('', estimator.kind, catalogue)}")
        elif estimator.kind == "clusterer" and name != _SILHOUETTE and unlabelled:
            text = f"compares with true labels: name their column in spec.data.target, or take {_SILHOUETTE}"
            yield Problem(path, name, text)


def _fitting(name: str, kind: str, catalogue: parameters.Catalogue) -> str:
    known = [scorer for scorer, kinds in catalogue.scorers.items() if kind in kinds]
    close = wording.closest(name, known, 0.5)
    if close:
        return f"did you mean {close}?"
    return f"there are {', '.join(known)}" if known else "scikit-learn has none for it; remove the metric"
