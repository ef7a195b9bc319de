"""``spec.model.pipeline``: whether its steps fit onto each other, told from the catalogue alone.

Invariant: every step but the last changes rows, the last is judged like a lone estimator, and columns are named only
while they have names: before anything has changed them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import labels, parameters

_PIPELINE = "sklearn.pipeline.Pipeline"
_COLUMNS = "sklearn.compose.ColumnTransformer"
_SEVERAL = "columns"
_TEXT = "text"


def problems(pipeline: Sequence[api.PipelineStep], catalogue: parameters.Catalogue, path: str) -> Iterator[Problem]:
    """Everything that is wrong with the steps, each with its path; whether the last one is a model, others tell."""
    names = [(f"{path}[{place}].name", step.name) for place, step in enumerate(pipeline)]
    yield from labels.problems(names, catalogue.estimators[_PIPELINE].parameters)
    for place, step in enumerate(pipeline):
        where = f"{path}[{place}]"
        if step.columns is not None:
            yield from _columns(step.columns, place, catalogue, where)
        elif place == len(pipeline) - 1:
            yield from parameters.problems(document(step), catalogue, where)
        else:
            yield from _transformer(step, catalogue, where, takes=(_SEVERAL,))


def document(step: api.PipelineStep | api.EstimatorSpec) -> dict[str, Any]:
    """``{class, params}`` of a step that has a class."""
    return {"class": step.class_, "params": step.params}


def whole(pipeline: Sequence[api.PipelineStep]) -> dict[str, Any]:
    """All steps as one ``{class, params}``, with the names by which scikit-learn addresses their parameters."""
    return _chained([(step.name, document(step) if step.columns is None else _grouped(step)) for step in pipeline])


def _chained(named: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return {"class": _PIPELINE, "params": {"steps": [[name, one] for name, one in named]}}


def _grouped(step: api.PipelineStep) -> dict[str, Any]:
    branches = [[group.name, _branch(group), group.select] for group in step.columns or ()]
    return {"class": _COLUMNS, "params": {"transformers": branches, "remainder": step.remainder}}


def _branch(group: api.ColumnGroup) -> dict[str, Any]:
    """A group of one step is that step; the steps of a longer one are named as ``make_pipeline`` does it."""
    if len(group.steps) == 1:
        return document(group.steps[0])
    names = [step.class_.rpartition(".")[2].lower() for step in group.steps]
    numbered = [
        f"{name}-{names[: place + 1].count(name)}" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]
    return _chained([(name, document(step)) for name, step in zip(numbered, group.steps, strict=True)])


def _columns(
    groups: Sequence[api.ColumnGroup], place: int, catalogue: parameters.Catalogue, path: str
) -> Iterator[Problem]:
    if place:
        text = "columns have names only in the first step: put the steps before this one into its groups"
        yield Problem(f"{path}.columns", api.show(groups), text)
    names = [(f"{path}.columns[{number}].name", group.name) for number, group in enumerate(groups)]
    yield from labels.problems(names, catalogue.estimators[_COLUMNS].parameters)
    for number, group in enumerate(groups):
        single = not isinstance(group.select, Mapping) and len(group.select) == 1
        for order, step in enumerate(group.steps):
            takes = (_SEVERAL, _TEXT) if order == 0 and (single or isinstance(group.select, Mapping)) else (_SEVERAL,)
            yield from _transformer(step, catalogue, f"{path}.columns[{number}].steps[{order}]", takes)


def _transformer(
    step: api.PipelineStep | api.EstimatorSpec, catalogue: parameters.Catalogue, path: str, takes: Sequence[str]
) -> Iterator[Problem]:
    """A step before the model: a class with good parameters that changes what arrives there."""
    wrong = list(parameters.problems(document(step), catalogue, path))
    yield from wrong
    estimator = catalogue.estimators.get(str(step.class_))
    if wrong or estimator is None or estimator.transforms in takes:
        return
    if estimator.transforms == _TEXT:
        text = "takes one column of text: make it the first step of a group of columns that selects that column alone"
    elif estimator.predicts:
        text = "predicts and does not transform: only the last step of a pipeline is the model; move it to the end"
    else:
        text = (
            "cannot transform the columns of rows that it was not fitted on; choose a transformer, such as those of "
            "sklearn.preprocessing, sklearn.impute, sklearn.decomposition and sklearn.feature_selection"
        )
    yield Problem(f"{path}.class", estimator.path, text)
