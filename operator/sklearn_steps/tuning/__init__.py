"""Tuning in process: search better parameters for an estimator, on the training part alone.

Invariant: the given parameters are trial 0 and win unless another trial is better, so that what comes out is, by the
scores of the search, never worse than what went in. The test part is out of reach: it is not even an argument.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sklearn_steps import contract, contract_tuning, errors, parts, scoring, targets, threads
from sklearn_steps.tuning import folds, scripted_trials, search, trials, workers

if TYPE_CHECKING:
    from sklearn_steps import scripted

_NOT_SEARCHED = "n_jobs"


@dataclass
class Tuned:
    """The estimator with the winning parameters, not fitted; ``params`` are those that were changed."""

    estimator: Any
    params: dict[str, Any]
    record: parts.Tuning
    notes: list[str]


def tune(
    config: contract.RunConfig,
    estimator: Any,
    part: parts.Part,
    y: Any,
    kind: contract.EstimatorType,
    tell: contract_tuning.Tell,
) -> Tuned:
    """Search; ``tell`` hears how far it is."""
    tuning = config.tuning
    if tuning is None:
        raise ValueError("the configuration has no tuning")
    metric = _metric(config, tuning, estimator, y, kind)
    given = _given(tuning, estimator)
    made, notes = folds.made(part, y, kind, config.data.split, tuning)
    bench = trials.Bench(estimator, part, y, kind, metric, made, config.seed, shares(tuning)[1], config.packages)
    params, record = _searched(tuning, metric, given, bench, tell)
    winner = trials.adjusted(estimator, params, config.seed, config.packages)
    if kind == "classifier":
        targets.give_labels(winner, y)
    return Tuned(winner, params, record, [*notes, *_said(record)])


def tune_script(
    runner: scripted.Runner, model: Any, y: Any, kind: contract.EstimatorType, tell: contract_tuning.Tell
) -> Tuned:
    """Search a script's flags; ``model`` is what it makes of those that are given. ``estimator`` of the result is it.

    A flag that the manifest does not give is at the script's own default in trial 0.
    """
    config = runner.config
    tuning = config.tuning
    if tuning is None or config.script is None:
        raise ValueError("the configuration has no script that is tuned")
    metric = _metric(config, tuning, model, y, kind)
    args = config.script.args
    given = {parameter.name: args[parameter.name] for parameter in tuning.parameters if parameter.name in args}
    made, notes = folds.made(runner.part, y, kind, config.data.split, tuning)
    bench = scripted_trials.Bench(runner, y, kind, metric, made)
    params, record = _searched(tuning, metric, given, bench, tell)
    return Tuned(model, params, record, [*notes, *_said(record)])


class _Bench(Protocol):
    """What runs trials."""

    @property
    def y(self) -> Any: ...
    @property
    def kind(self) -> contract.EstimatorType: ...
    @property
    def folds(self) -> Sequence[trials.Fold]: ...
    def measure(self, job: trials.Job) -> trials.Answer: ...


def _searched(
    tuning: contract_tuning.Tuning, metric: str, given: dict[str, Any], bench: _Bench, tell: contract_tuning.Tell
) -> tuple[dict[str, Any], parts.Tuning]:
    """What the winner changes, and the record of the search."""
    made = bench.folds
    fit_rows, least = min(len(fold.fit) for fold in made), _least_rows(bench.y, bench.kind, len(made))
    at_once, cores = shares(tuning)
    began = time.perf_counter()
    with workers.Pool(bench.measure, at_once, cores) as pool:
        looking = search.Search(tuning, given, pool, fit_rows, least, tell)
        best = looking.run()
    record = parts.Tuning(
        result=_result(tuning, metric, looking, best),
        direction=tuning.objective.direction,
        goal=tuning.objective.goal,
        seed=tuning.seed,
        parallel=at_once,
        seconds=time.perf_counter() - began,
        fit_rows=fit_rows,
        validation_rows=None if tuning.cross_validation else len(made[0].judge),
        trials=[trial for _, trial in sorted(looking.ran.items())],
    )
    return looking.params(best.number), record


def _result(
    tuning: contract_tuning.Tuning, metric: str, looking: search.Search, best: parts.Trial
) -> contract_tuning.TuningResult:
    return contract_tuning.TuningResult(
        **looking.state().model_dump(),
        algorithm=tuning.algorithm,
        metric=metric,
        folds=tuning.cross_validation.folds if tuning.cross_validation else None,
        best_trial=best.number,
        ended=looking.end,
    )


def _metric(
    config: contract.RunConfig, tuning: contract_tuning.Tuning, estimator: Any, y: Any, kind: contract.EstimatorType
) -> str:
    metric = tuning.objective.metric
    if metric is not None:
        scoring.check(metric, "tuning.objective.metric", kind, y, estimator)
        return metric
    known = scoring.names(config, kind, y, estimator)
    if not known:
        text = f"tuning.objective.metric: scikit-learn has no metric for a {kind}, so trials cannot be compared"
        raise errors.UserError("MetricUnsuitable", f"{text}; remove tuning")
    return known[0]


def _given(tuning: contract_tuning.Tuning, estimator: Any) -> dict[str, Any]:
    """What the tuned parameters are without tuning; a UserError for one that the model lacks."""
    present = estimator.get_params(deep=True)
    for place, parameter in enumerate(tuning.parameters):
        name = parameter.name
        field = f"tuning.parameters[{place}].name {errors.shown(name)}"
        if name not in present:
            advice = f"{errors.nearest(name, list(present))}there are {errors.listed(sorted(present), 40)}"
            raise errors.UserError("UnknownParameter", f"{field}: the model has no such parameter; {advice}")
        if name.rpartition("__")[2] == _NOT_SEARCHED:
            raise errors.UserError("InvalidParameter", f"{field}: it changes no model, only how it is computed")
    return {parameter.name: present[parameter.name] for parameter in tuning.parameters}


def shares(tuning: contract_tuning.Tuning) -> tuple[int, int]:
    """How many trials at once, and how many threads each: never more in all than the task has cores."""
    cores = threads.limit()
    at_once = min(tuning.parallel_trials, cores, tuning.trials)
    return at_once, max(1, cores // at_once)


def _least_rows(y: Any, kind: contract.EstimatorType, count: int) -> int:
    """Fewer rows than these tell nothing; scikit-learn's own halving begins with as many."""
    classes = len(set(y.tolist())) if kind == "classifier" and y.ndim == 1 else 1
    return 2 * max(count, 5) * classes


def _said(record: parts.Tuning) -> list[str]:
    result = record.result
    run = result.completed + result.failed
    given = "failed" if result.baseline_score is None else f"{result.baseline_score:.6g}"
    how = f"{run} trials of {result.algorithm} in process, judged by {result.metric}"
    if result.best_trial == 0:
        notes = [f"tuning: {how}: none was better than the given parameters ({given})"]
    else:
        best = f"trial {result.best_trial} won with {result.best_score:.6g}"
        notes = [f"tuning: {how}: {best}; the given parameters: {given}"]
    if record.goal is not None:
        notes.append(f"tuning: the goal {record.goal:g} was {'' if result.ended == 'Goal' else 'not '}reached")
    if result.ended == "Timeout":
        notes.append(f"tuning: ended by its timeout after {run} of {result.total} trials")
    if result.ended == "Space":
        notes.append(f"tuning: after {run} of {result.total} trials there was no further point to try")
    if result.failed:
        last = next(trial for trial in reversed(record.trials) if trial.reason)
        notes.append(f"tuning: {result.failed} of {run} trials failed; trial {last.number}: {last.reason}")
    return notes
