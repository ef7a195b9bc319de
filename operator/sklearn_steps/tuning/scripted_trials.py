"""One trial of a script: call it with other flags on some rows, and score what it leaves on others.

Invariant: a trial depends on its flags, the seed and the training part, never on other trials; it is judged as trials
of an estimator are, by the scorer and on rows that the script was not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn_steps import contract, errors, foreign, scoring
from sklearn_steps.tuning import trials

if TYPE_CHECKING:
    from sklearn_steps import scripted

_FIELD = "model.script: the model of the trial"


@dataclass(frozen=True)
class Bench:
    """All that the trials of a search have in common."""

    runner: scripted.Runner
    y: Any
    kind: contract.EstimatorType
    metric: str
    folds: Sequence[trials.Fold]

    def measure(self, job: trials.Job) -> trials.Answer:
        """Runs a trial; this is what workers do."""
        script = self.runner.config.script
        args = {**(script.args if script else {}), **(job.params or {})}

        def scores() -> tuple[float, ...]:
            return tuple(self._score(args, job, place) for place in range(len(self.folds)))

        return trials.measured(scores, self.metric)

    def _score(self, args: dict[str, Any], job: trials.Job, place: int) -> float:
        fold, name = self.folds[place], f"trial {job.number}"
        if len(self.folds) > 1:
            name += f" fold {place}"
        model, rows = self.runner.fold(args, None, fold.judge, name, self._inputs(place, job.rows))
        kind = foreign.kind_of(model, _FIELD)
        if kind != self.kind:
            text = f"{_FIELD} is a {kind}, that of the given flags a {self.kind}"
            raise errors.UserError("NotComparable", text)
        truth = None if self.y is None else self.y[fold.judge]
        return scoring.single(self.metric, model, rows, truth, self.runner.config.seed)

    def _inputs(self, place: int, rows: int | None) -> Path:
        """Written by whichever trial is the first to need them."""
        fit = self.folds[place].fit
        if rows is not None:
            fit = trials.subset(fit, rows, self.y if self.kind == "classifier" else None)
        return self.runner.written(f"search-{place}-{len(fit)}", fit)
