"""The search: hand out trials, take their answers in order, stop when there is reason to.

Answers come back in any order and count in the order of their numbers; what is in flight when the search ends counts
for nothing. Invariant: but for the timeout, what the search finds does not depend on how long anything takes, so that
parallel trials find the same as one after the other (of TPE: with the same parallelTrials).
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sklearn_steps import contract_tuning, errors, parts
from sklearn_steps.tuning import proposals, trials, workers

Ended = Literal["Trials", "Goal", "Timeout", "Space"]
_FACTOR = 3  # of the candidates of a round of Halving one in so many goes on, with so many times the rows

_VALUE_LIMIT = 512


@dataclass
class Search:
    """One search; ``tell`` hears of every trial that counts."""

    tuning: contract_tuning.Tuning
    given: Mapping[str, Any]
    pool: workers.Pool[trials.Job, trials.Answer]
    fit_rows: int
    least_rows: int
    tell: contract_tuning.Tell
    clock: Callable[[], float] = time.monotonic
    ran: dict[int, parts.Trial] = field(default_factory=dict)
    best: parts.Trial | None = None
    ended: Ended | None = None
    _failed: int = 0
    _tried: dict[int, dict[str, Any]] = field(default_factory=dict)

    def run(self) -> parts.Trial:
        """All of it; the winner. A UserError if there is none."""
        self._deadline = self.clock() + self.tuning.timeout_seconds
        if self.tuning.algorithm == "Halving":
            self._halve()
        else:
            self._propose()
        if self.best is None:
            raise self._nothing()
        return self.best

    @property
    def end(self) -> Ended:
        """Why it ended."""
        return self.ended or ("Trials" if len(self.ran) == self.tuning.trials else "Space")

    def params(self, number: int) -> dict[str, Any]:
        """What a trial changes of the estimator: nothing, if it is trial 0."""
        return self._tried.get(number) or {}

    def state(self) -> contract_tuning.SearchState:
        best, baseline = self.best, self.ran.get(0)
        return contract_tuning.SearchState(
            total=self.tuning.trials,
            completed=len(self.ran) - self._failed,
            failed=self._failed,
            best_score=best.score if best else None,
            best_params=best.params if best else None,
            baseline_score=baseline.score if baseline else None,
        )

    @property
    def _sign(self) -> int:
        return 1 if self.tuning.objective.direction == "Maximize" else -1

    def _propose(self) -> None:
        """Grid, Random and TPE: trial 0, then what is proposed."""
        proposer = proposals.proposer(self.tuning, self.given)

        def jobs() -> Iterator[trials.Job]:
            yield trials.Job(0, None)
            for number in range(1, self.tuning.trials):
                params = proposer.propose()
                if params is None:
                    return
                yield trials.Job(number, params)

        def learn(job: trials.Job, answer: trials.Answer) -> None:
            trial = self._settle(job, answer)
            score = None if trial.score is None else self._sign * trial.score
            if job.params is None:
                proposer.learn_given(self.given, score)
            else:
                proposer.learn(score)

        self._each(jobs(), learn, proposer.lag)

    def _halve(self) -> None:
        """Rounds with ever fewer candidates on ever more rows; trial 0 is judged on all rows from the start."""
        proposer = proposals.Drawn(self.tuning, self.given)
        drawn = iter(proposer.propose, None)
        alive = dict(zip(range(1, self.tuning.trials), drawn, strict=False))
        first = [trials.Job(0, None)]
        for rows in _rounds(len(alive), self.fit_rows, self.least_rows):
            jobs = first + [trials.Job(number, params, rows) for number, params in alive.items()]
            found = self._round(jobs)
            ranked = sorted(found, key=lambda number: -self._sign * _mean(found[number][1].scores))
            going_on = set() if self.ended else set(ranked[: math.ceil(len(alive) / _FACTOR)])
            for number in sorted(set(found) - going_on):
                self._settle(*found[number])
            if self.ended:
                return
            alive = {number: alive[number] for number in sorted(going_on)}
            first = []

    def _round(self, jobs: Sequence[trials.Job]) -> dict[int, tuple[trials.Job, trials.Answer]]:
        """Those that may go on, with their answers; the others are settled."""
        found: dict[int, tuple[trials.Job, trials.Answer]] = {}

        def learn(job: trials.Job, answer: trials.Answer) -> None:
            if job.rows is None or answer.reason:
                self._settle(job, answer)
            else:
                found[job.number] = job, answer

        self._each(jobs, learn, None)
        return found

    def _each(
        self, jobs: Iterable[trials.Job], learn: Callable[[trials.Job, trials.Answer], None], lag: int | None
    ) -> None:
        """Runs jobs; ``learn`` gets their answers in order. With a lag, job k is drawn after the answer to k - lag."""
        source, drawn, waiting = iter(jobs), list[trials.Job](), deque[int]()
        answers: dict[int, trials.Answer] = {}
        settled = 0
        exhausted = False
        while self.ended is None:
            while not exhausted and (lag is None or len(drawn) - settled < lag):
                job = next(source, None)
                exhausted = job is None
                if job is not None:
                    waiting.append(len(drawn))
                    drawn.append(job)
            if settled in answers:  # one at a time: the next is to be drawn with this one known and no other
                learn(drawn[settled], answers.pop(settled))
                settled += 1
                continue
            if settled == len(drawn):
                return
            while waiting and self.pool.idle:
                place = waiting.popleft()
                self.pool.submit(place, drawn[place])
            left = self._deadline - self.clock()
            for place, answer in self.pool.wait(left):
                answers[place] = _understood(answer)
            if self.clock() >= self._deadline:
                self.ended = "Timeout"
        if self.ended == "Timeout":
            for place, answer in sorted(answers.items()):
                learn(drawn[place], answer)

    def _settle(self, job: trials.Job, answer: trials.Answer) -> parts.Trial:
        trial = parts.Trial(
            number=job.number,
            params=shown(self.given if job.params is None else job.params),
            state="Failed" if answer.reason else "Completed",
            score=_mean(answer.scores) if answer.scores else None,
            scores=list(answer.scores),
            seconds=answer.seconds,
            rows=job.rows,
            reason=answer.reason,
        )
        self._count(trial)
        if job.params is not None:
            self._tried[job.number] = job.params
        self.tell(self.state())
        if answer.reason and self._failed > self.tuning.max_failed_trials:
            raise self._too_many(trial)
        goal = self.tuning.objective.goal
        counts = trial.score is not None and trial.rows is None and self.ended is None
        if goal is not None and counts and self._sign * (trial.score or 0.0) >= self._sign * goal:
            self.ended = "Goal"
        return trial

    def _count(self, trial: parts.Trial) -> None:
        """Of equals the first wins, and trials count in the order of their numbers: trial 0 before all others."""
        self.ran[trial.number] = trial
        self._failed += trial.state == "Failed"
        if trial.score is None or trial.rows is not None:
            return
        if self.best is None or self._sign * trial.score > self._sign * (self.best.score or 0.0):
            self.best = trial

    def _too_many(self, last: parts.Trial) -> errors.UserError:
        limit, failed = self.tuning.max_failed_trials, self._failed
        text = f"tuning.maxFailedTrials {limit}: {failed} of {len(self.ran)} trials failed"
        return errors.UserError("TooManyFailedTrials", f"{text}; {_told(last)}")

    def _nothing(self) -> errors.UserError:
        failed = [trial for trial in self.ran.values() if trial.reason]
        if self.ended == "Timeout" and not failed:
            text = f"tuning.timeout {self.tuning.timeout_seconds:g}s: no trial ended within it"
            return errors.UserError("TuningTimedOut", f"{text}; give the search more time or trials less to do")
        text = f"tuning: none of {len(self.ran)} trials succeeded"
        return errors.UserError("TrialsFailed", f"{text}; {_told(failed[-1])}" if failed else text)


def shown(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as they are reported: in values that JSON has, long ones cut short."""
    safe = {name: parts.json_safe(value) for name, value in params.items()}
    return {
        name: errors.shown(value) if len(json.dumps(value)) > _VALUE_LIMIT else value for name, value in safe.items()
    }


def _mean(scores: Sequence[float]) -> float:
    """As scikit-learn's own searches compute it."""
    import numpy as np

    return float(np.mean(scores))


def _told(trial: parts.Trial) -> str:
    return f"the last was trial {trial.number} with {errors.shown(trial.params)}: {trial.reason}"


def _understood(answer: trials.Answer | workers.Died) -> trials.Answer:
    return trials.Answer((), answer.seconds, answer.reason) if isinstance(answer, workers.Died) else answer


def _rounds(candidates: int, rows: int, least: int) -> Iterator[int | None]:
    """How many rows each round fits on; the last one on all."""
    rounds = 1
    while candidates > _FACTOR**rounds and rows // _FACTOR**rounds >= least:
        rounds += 1
    for left in range(rounds - 1, 0, -1):
        yield rows // _FACTOR**left
    yield None
