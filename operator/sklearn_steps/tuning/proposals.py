"""Which parameters to try next.

Invariant: what is proposed follows from the seed and from what was learned before, in order, and from nothing else.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from typing import Any, Protocol

from sklearn_steps import contract_tuning
from sklearn_steps.tuning import space

Params = dict[str, Any]
_TRIES = 1000
_STARTUP = 10


class Proposer(Protocol):
    """``lag``: how many trials may be open when one more is proposed; None where nothing is learned from them.

    Scores are better when greater, None where the trial failed.
    """

    @property
    def lag(self) -> int | None: ...

    def propose(self) -> Params | None:
        """The next point, None when there is none left."""

    def learn_given(self, params: Mapping[str, Any], score: float | None) -> None:
        """How the parameters of trial 0 did."""

    def learn(self, score: float | None) -> None:
        """How the oldest proposal did that nothing was learned of yet."""


def proposer(tuning: contract_tuning.Tuning, given: Mapping[str, Any]) -> Proposer:
    """The one for the algorithm; ``given`` are the parameters of trial 0."""
    if tuning.algorithm == "Grid":
        return Counted(tuning, given)
    if tuning.algorithm == "TPE":
        return Modelled(tuning)
    return Drawn(tuning, given)


class _Unlearning:
    """Proposals that do not depend on results."""

    lag: int | None = None

    def learn_given(self, params: Mapping[str, Any], score: float | None) -> None:
        """Nothing to learn."""

    def learn(self, score: float | None) -> None:
        """Nothing to learn."""


class Counted(_Unlearning):
    """Every point of a grid, in order; the given one is known already."""

    def __init__(self, tuning: contract_tuning.Tuning, given: Mapping[str, Any]) -> None:
        self._parameters = tuning.parameters
        self._size = space.size(tuning.parameters) or 0
        self._given = space.key(given)
        self._place = 0

    def propose(self) -> Params | None:
        while self._place < self._size:
            params = space.point(self._parameters, self._place)
            self._place += 1
            if space.key(params) != self._given:
                return params
        return None


class Drawn(_Unlearning):
    """Independent draws; no point twice."""

    def __init__(self, tuning: contract_tuning.Tuning, given: Mapping[str, Any]) -> None:
        self._parameters = tuning.parameters
        self._seen = {space.key(given)}
        # Python promises that these numbers stay the same in every release; numpy does not of its own.
        self._random = random.Random(tuning.seed)

    def propose(self) -> Params | None:
        for _ in range(_TRIES):
            params = {one.name: space.draw(one, self._random.random()) for one in self._parameters}
            name = space.key(params)
            if name not in self._seen:
                self._seen.add(name)
                return params
        return None


class Modelled:
    """Optuna's tree-structured Parzen estimator, asked and told in a fixed order."""

    def __init__(self, tuning: contract_tuning.Tuning) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.lag = tuning.parallel_trials
        self._parameters = tuning.parameters
        self._distributions = {one.name: _distribution(one) for one in tuning.parameters}
        # So many are drawn at random before there is a model.
        first = max(2, min(_STARTUP, tuning.trials // 3))
        sampler = optuna.samplers.TPESampler(seed=tuning.seed, n_startup_trials=first)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._open: list[Any] = []

    def propose(self) -> Params | None:
        trial = self._study.ask(self._distributions)
        self._open.append(trial)
        return {one.name: _outward(one, trial.params[one.name]) for one in self._parameters}

    def learn_given(self, params: Mapping[str, Any], score: float | None) -> None:
        import optuna

        inward = {one.name: _inward(one, params.get(one.name)) for one in self._parameters}
        if score is None or None in inward.values():
            return
        with contextlib.suppress(ValueError):  # between two steps of the space
            known = optuna.trial.create_trial(params=inward, distributions=self._distributions, value=score)
            self._study.add_trial(known)

    def learn(self, score: float | None) -> None:
        import optuna

        trial = self._open.pop(0)
        if score is None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, score)


def _distribution(parameter: space.Parameter) -> Any:
    from optuna import distributions

    if parameter.type == "Categorical":  # by place: Optuna wants plain values, a manifest may name estimators
        return distributions.CategoricalDistribution(range(len(parameter.values)))
    low, high = space.bounds(parameter)
    if parameter.step is not None:  # Optuna wants the last step to reach the end
        high = space.nth(parameter, (parameter.count or 1) - 1)
    if parameter.type == "Int":
        return distributions.IntDistribution(int(low), int(high), parameter.log, int(parameter.step or 1))
    return distributions.FloatDistribution(low, float(high), parameter.log, parameter.step)


def _outward(parameter: space.Parameter, value: Any) -> Any:
    return parameter.values[value] if parameter.type == "Categorical" else value


def _inward(parameter: space.Parameter, value: Any) -> Any:
    """As the model knows it, None where the given value is none of the space."""
    if parameter.type == "Categorical":
        keys = [space.key({"": one}) for one in parameter.values]
        name = space.key({"": value})
        return keys.index(name) if name in keys else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    low, high = space.bounds(parameter)
    return value if low <= value <= high and (parameter.type == "Double" or isinstance(value, int)) else None
