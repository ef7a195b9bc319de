"""Whether a search makes sense for the model, and what the task is told of it.

Invariant: told from the spec and the catalogue alone. A parameter is addressed as scikit-learn's ``set_params`` does
it; what the catalogue cannot know is left to the task, which checks every name before the first trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import parameters, typed, values, wording
from sklearn_operator.core import steps as pipeline_steps
from sklearn_steps import contract

_ANYTHING = values.Parameter()
_MOST_TRIALS = 10_000
#: Scorers that know no upper bound; all others end at 1, and those that begin with neg_ at 0.
_UNBOUNDED = frozenset({"positive_likelihood_ratio"})


def problems(spec: api.SklearnModelSpec, catalogue: parameters.Catalogue) -> Iterator[Problem]:
    """What is wrong with ``spec.tuning`` for a model whose own parameters are fine."""
    tuning = spec.tuning
    if tuning is None:
        return
    known = True
    for index, parameter in enumerate(tuning.parameters):
        path = f"spec.tuning.parameters[{index}]"
        found = _addressed(spec, parameter.name, catalogue, f"{path}.name")
        if isinstance(found, Problem):
            known = False
            yield found
        else:
            yield from _range(parameter, found, catalogue, path)
    yield from _flags(tuning) if spec.model.script is not None else _shadows(tuning)
    yield from _objective(tuning.objective)
    yield from _times(spec, tuning)
    if tuning.algorithm == "Grid" and known:
        yield from _grid(tuning)


def config(tuning: Mapping[str, Any], model: Mapping[str, Any], catalogue: parameters.Catalogue) -> dict[str, Any]:
    """``contract.Tuning`` out of the frozen ``tuning`` and ``model``, values in the types of their parameters."""
    spec = api.ModelSpec.model_validate(model)
    dimensions = []
    for parameter in tuning["parameters"]:
        dimension = dict(parameter)
        if "values" in dimension:
            found = _resolve(spec, str(parameter["name"]), catalogue)
            rules = found if isinstance(found, values.Parameter) else _ANYTHING
            dimension["values"] = [typed.typed(value, rules, catalogue) for value in dimension["values"]]
        dimensions.append(dimension)
    left_out = {"engine", "timeout", "parameters"}
    seconds = api.parse_duration(tuning["timeout"]).total_seconds()
    rest = {name: value for name, value in tuning.items() if name not in left_out}
    return rest | {"timeoutSeconds": seconds, "parameters": dimensions}


def summary(tuning: Mapping[str, Any]) -> str:
    """What is going to happen, for the condition of a version in training."""
    engine = tuning.get("engine") or "Auto"
    where = "in process" if engine == "InProcess" else f"in process (engine {engine})"
    return f"tuning with up to {tuning.get('trials')} {tuning.get('algorithm')} trials, {where}"


class _Unknown(Exception):
    """Nothing in the model has that name; says what there is."""


def _addressed(
    spec: api.SklearnModelSpec, name: str, catalogue: parameters.Catalogue, path: str
) -> values.Parameter | Problem:
    if spec.model.script is not None:
        return _ANYTHING  # which flags it has, the script alone knows
    if name.rpartition("__")[2] == "n_jobs":
        text = "changes no model, only how it is computed; remove it (trials share the task's CPU limit)"
        return Problem(path, api.show(name), text)
    found = _resolve(spec.model, name, catalogue)
    return Problem(path, api.show(name), found) if isinstance(found, str) else found


def _resolve(model: api.ModelSpec, name: str, catalogue: parameters.Catalogue) -> values.Parameter | str:
    """The rules of the parameter, or what is wrong with its name."""
    try:
        if model.estimator is not None:
            document = model.estimator.model_dump(mode="json", by_alias=True)
            return _within(document, name.split("__"), catalogue)
        if model.pipeline is not None:
            return _of_step(model.pipeline, name, catalogue)
    except _Unknown as unknown:
        return str(unknown)
    return _ANYTHING


def _of_step(steps: Any, name: str, catalogue: parameters.Catalogue) -> values.Parameter:
    head, _, rest = name.partition("__")
    step = next((step for step in steps if step.name == head), None)
    if step is None or not rest:
        names = [step.name for step in steps]
        close = wording.closest(head, names)
        hint = f"did you mean {close}__…? " if close else ""
        raise _Unknown(f"a parameter of a pipeline is step__parameter; {hint}the steps are {', '.join(names)}")
    return _within(pipeline_steps.whole(steps), name.split("__"), catalogue)


def _within(document: Mapping[str, Any], names: list[str], catalogue: parameters.Catalogue) -> values.Parameter:
    """The rules of ``names`` (a parameter, after the parameters that hold the estimators around it)."""
    for depth, name in enumerate(names):
        estimator = catalogue.estimators.get(str(document.get("class")))
        if estimator is None:
            return _ANYTHING
        given = document.get("params")
        params = given if isinstance(given, Mapping) else {}
        last = depth == len(names) - 1
        rules = estimator.parameters.get(name)
        inner = params.get(name) if rules is not None else _named(params, name)
        if rules is None and inner is None:
            raise _Unknown(_nowhere(name, estimator, params))
        if last:
            return rules or _ANYTHING
        if not isinstance(inner, Mapping) or "class" not in inner:
            raise _Unknown(_no_estimator(estimator, name, names[depth + 1]))
        document = inner
    return _ANYTHING


def _named(params: Mapping[str, Any], name: str) -> Any:
    """The estimator of that name in a list of [name, {class, params}], such as the steps of a Pipeline."""
    return next((item[1] for item in _parts(params) if item[0] == name), None)


def _parts(params: Mapping[str, Any]) -> list[Any]:
    lists = [value for value in params.values() if isinstance(value, list)]
    return [item for value in lists for item in value if isinstance(item, list) and len(item) > 1]


def _nowhere(name: str, estimator: parameters.Estimator, params: Mapping[str, Any]) -> str:
    names = [item[0] for item in _parts(params) if isinstance(item[0], str)]
    if not names:
        return parameters.unknown(name, estimator)
    close = wording.closest(name, names)
    hint = f"did you mean {close}? " if close else ""
    text = f"{estimator.path} has no parameter {wording.brief(name)}"
    return f"{text}; {hint}its parts are {', '.join(map(wording.brief, names))}"


def _no_estimator(estimator: parameters.Estimator, name: str, inner: str) -> str:
    text = f"{name} of {estimator.path} is no estimator {{class, params}} in spec.model, so it has no {inner}"
    return f"{text}; give it there, or search {name} itself"


def _range(
    parameter: api.TuningParameter, rules: values.Parameter, catalogue: parameters.Catalogue, path: str
) -> Iterator[Problem]:
    if parameter.type == "Categorical":
        for index, value in enumerate(parameter.values or ()):
            yield from parameters.value_problems(value, rules, catalogue, f"{path}.values[{index}]")
        return
    if rules.open:
        return
    kind = "int" if parameter.type == "Int" else "float"
    takes_fractions = "float" in rules.types or any(item.type == "float" for item in rules.intervals)
    takes_whole = bool(rules.types & {"int", "random_state"}) or any(item.type == "int" for item in rules.intervals)
    if not takes_fractions and kind == "float":
        advice = "use type: Int" if takes_whole else "use type: Categorical, with values"
        yield Problem(f"{path}.type", parameter.type, f"{parameter.name} takes no fractions; {advice}")
        return
    if not (takes_fractions or takes_whole):
        text = f"{parameter.name} must be {values.expectation(rules)}; use type: Categorical, with values"
        yield Problem(f"{path}.type", parameter.type, text)
        return
    for field, bound in (("min", parameter.min), ("max", parameter.max)):
        if bound is not None:
            number = {kind: int(bound) if kind == "int" else bound}
            for problem in parameters.value_problems(number, rules, catalogue, path):
                yield Problem(f"{path}.{field}", api.show(bound), problem.message)


def _flags(tuning: api.TuningSpec) -> Iterator[Problem]:
    """Flags of a script: values are texts, numbers and booleans."""
    for index, parameter in enumerate(tuning.parameters):
        path = f"spec.tuning.parameters[{index}]"
        if parameter.name == "help":
            yield Problem(f"{path}.name", "help", "asks a script for help instead of training: remove it")
        for place, value in enumerate(parameter.values or ()):
            typed_form = isinstance(value, Mapping) and values.typed_form(value) is not None
            if not typed_form and not isinstance(value, (str, int, float)):
                text = "must be a text, a number or a boolean: it is given as a flag of the script"
                yield Problem(f"{path}.values[{place}]", api.show(value), text)


def _shadows(tuning: api.TuningSpec) -> Iterator[Problem]:
    names = {parameter.name for parameter in tuning.parameters}
    for index, parameter in enumerate(tuning.parameters):
        parts = parameter.name.split("__")
        outer = next((o for n in range(1, len(parts)) if (o := "__".join(parts[:n])) in names), None)
        if outer is not None:
            text = f"is part of {outer}, which the search replaces as a whole; remove one of the two"
            yield Problem(f"spec.tuning.parameters[{index}].name", parameter.name, text)


def _objective(objective: api.Objective) -> Iterator[Problem]:
    if objective.direction == "Minimize":
        text = "scikit-learn's scorers are all better when greater (errors are negative, such as neg_log_loss)"
        yield Problem("spec.tuning.objective.direction", "Minimize", f"{text}: remove it, or set Maximize")
    metric, goal = objective.metric, objective.goal
    if metric is None or goal is None or metric in _UNBOUNDED:
        return
    most = 0 if metric.startswith("neg_") else 1
    if goal > most:
        yield Problem("spec.tuning.objective.goal", api.show(goal), f"{metric} is at most {most}")


def _times(spec: api.SklearnModelSpec, tuning: api.TuningSpec) -> Iterator[Problem]:
    whole = spec.training.timeout
    if api.parse_duration(tuning.timeout) >= api.parse_duration(whole):
        text = f"the run is ended after spec.training.timeout ({whole}), before the search has a winner"
        yield Problem("spec.tuning.timeout", tuning.timeout, f"{text}; make this one shorter, or that one longer")


def _grid(tuning: api.TuningSpec) -> Iterator[Problem]:
    points = 1
    for parameter in tuning.parameters:
        document = parameter.model_dump(mode="json", by_alias=True, exclude_none=True)
        points *= contract.TuningParameter.model_validate(document).count or 1
    if points < tuning.trials:
        return
    text = f"the grid has {points} points, and the given parameters are a trial of their own"
    advice = f"set it to {points + 1}, or" if points < _MOST_TRIALS else f"there are at most {_MOST_TRIALS} trials:"
    yield Problem("spec.tuning.trials", str(tuning.trials), f"{text}: {advice} take fewer values or larger steps")
