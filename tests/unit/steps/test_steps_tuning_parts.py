"""The parts of a search by themselves: values, order, the clock, and workers that die."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import steps_given as given
import threadpoolctl
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from sklearn_steps import contract, contract_tuning, errors, progress, threads
from sklearn_steps import tuning as package
from sklearn_steps.tuning import proposals, search, space, trials, workers

DOUBLE = {"name": "x", "type": "Double", "min": 0.0, "max": 1.0}


def tuning(**more: Any) -> contract_tuning.Tuning:
    return contract_tuning.Tuning.model_validate({"parameters": [DOUBLE]} | more)


numbers = st.floats(-1e15, 1e15) | st.integers(-(10**15), 10**15).map(float)


@st.composite
def parameters(draw: st.DrawFn) -> contract_tuning.TuningParameter:
    kind = draw(st.sampled_from(["Double", "Int"]))
    positive = draw(st.booleans())
    bounds = st.integers(-(10**15), 10**15).map(float) if kind == "Int" else numbers
    low, high = sorted([draw(bounds), draw(bounds)])
    if positive:
        low, high = abs(low) + 1, abs(low) + 1 + abs(high)
    if not low < high:
        high = low + max(1.0, abs(low))
    fields: dict[str, Any] = {"name": "x", "type": kind, "min": low, "max": high, "log": positive}
    if not positive and draw(st.booleans()):
        fields["step"] = float(draw(st.integers(1, 10**6))) if kind == "Int" else draw(st.floats(1e-3, 1e15))
    return contract_tuning.TuningParameter.model_validate(fields)


@settings(deadline=None)
@drawn(parameters(), st.floats(0, 1, exclude_max=True))
def test_a_drawn_value_keeps_type_and_bounds(parameter: contract_tuning.TuningParameter, chance: float) -> None:
    value = space.draw(parameter, chance)
    assert type(value) is (int if parameter.type == "Int" else float)
    assert parameter.min is not None and parameter.max is not None
    assert parameter.min <= value <= parameter.max


def test_steps_are_the_decimals_that_were_meant() -> None:
    stepped = contract_tuning.TuningParameter.model_validate(DOUBLE | {"step": 0.1})
    assert [space.nth(stepped, place) for place in range(stepped.count or 0)] == [n / 10 for n in range(11)]


def test_a_grid_has_every_point_once_and_the_given_one_not_again() -> None:
    two = [DOUBLE | {"step": 0.5}, {"name": "y", "type": "Categorical", "values": ["a", None]}]
    grid = proposals.Counted(tuning(parameters=two), {"x": 0.5, "y": None})
    points = [(point["x"], point["y"]) for point in iter(grid.propose, None)]
    assert points == [(0.0, "a"), (0.0, None), (0.5, "a"), (1.0, "a"), (1.0, None)]


class Given:
    """A pool that answers in a shuffled order, on a clock of its own: a trial of ``x`` scores 1 - x."""

    def __init__(self, seed: int = 0, workers: int = 3, seconds: float = 1.0, fails: float = 2.0) -> None:
        self.now = 0.0
        self._random = random.Random(seed)
        self._workers, self._seconds, self._fails = workers, seconds, fails
        self._running: list[tuple[int, trials.Job]] = []

    @property
    def idle(self) -> bool:
        return len(self._running) < self._workers

    def submit(self, place: int, job: trials.Job) -> None:
        self._running.append((place, job))

    def wait(self, seconds: float) -> Iterator[tuple[int, trials.Answer]]:
        self.now += min(seconds, self._seconds)
        if seconds <= self._seconds:
            return
        place, job = self._running.pop(self._random.randrange(len(self._running)))
        x = 0.5 if job.params is None else job.params["x"]
        worse = 0.0 if job.rows is None else 1 / job.rows
        yield place, trials.Answer((), 1.0, "no") if x > self._fails else trials.Answer((1 - x - worse,), 1.0)


def searched(config: contract_tuning.Tuning, pool: Given) -> tuple[search.Search, list[contract_tuning.SearchState]]:
    heard: list[contract_tuning.SearchState] = []
    looking = search.Search(config, {"x": 0.5}, pool, 900, 10, heard.append, lambda: pool.now)  # type: ignore[arg-type]
    assert looking.run() == looking.best
    return looking, heard


@pytest.mark.parametrize("algorithm", ["Random", "Halving", "TPE", "Grid"])
@settings(max_examples=20, deadline=None)
@drawn(seed=st.integers(0, 2**32), count=st.integers(1, 6), goal=st.none() | st.floats(0.5, 1))
def test_the_order_of_the_answers_changes_nothing(algorithm: str, seed: int, count: int, goal: float | None) -> None:
    steps = {"step": 0.07} if algorithm == "Grid" else {}
    config = tuning(
        algorithm=algorithm, trials=14, parallelTrials=4, objective={"goal": goal}, parameters=[DOUBLE | steps]
    )
    one, heard = searched(config, Given(0, 1))
    other, _ = searched(config, Given(seed, count))
    assert (one.ran, one.best, one.end) == (other.ran, other.best, other.end)
    assert one.best is not None and (one.best.score or 0.0) >= 0.5
    assert [state.completed + state.failed for state in heard] == list(range(1, len(one.ran) + 1))
    assert heard[-1].best_score == one.best.score


def test_halving_gives_many_few_rows_and_few_all() -> None:
    found, _ = searched(tuning(algorithm="Halving", trials=28), Given())
    assert sorted(found.ran) == list(range(28))
    rows = [trial.rows for trial in found.ran.values()]
    assert {size: rows.count(size) for size in (100, 300, None)} == {100: 18, 300: 6, None: 4}
    assert found.ran[0].rows is None


def test_a_timeout_keeps_what_there_is() -> None:
    found, _ = searched(tuning(trials=100, timeoutSeconds=7.5), Given(workers=1))
    assert found.end == "Timeout" and len(found.ran) == 7
    with pytest.raises(errors.UserError) as nothing:
        searched(tuning(timeoutSeconds=0.5), Given())
    assert nothing.value.reason == "TuningTimedOut"
    assert "tuning.timeout 0.5s: no trial ended within it" in nothing.value.message


def test_when_all_trials_fail_so_does_the_search() -> None:
    with pytest.raises(errors.UserError) as failed:
        searched(tuning(trials=2), Given(fails=-1))
    assert failed.value.reason == "TrialsFailed"
    with pytest.raises(errors.UserError) as failed:
        searched(tuning(trials=20, maxFailedTrials=3), Given(fails=-1))
    assert failed.value.message.startswith("tuning.maxFailedTrials 3: 4 of 4 trials failed; the last was trial 3 with")


def test_less_may_be_better() -> None:
    found, _ = searched(tuning(objective={"direction": "Minimize", "goal": 0.0}), Given())
    assert found.best is not None
    assert found.best.score == min(trial.score for trial in found.ran.values() if trial.score is not None)


def work(order: str) -> Any:
    if order == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "hang":
        threading.Event().wait()
    if order == "threads":
        return {library["num_threads"] for library in threadpoolctl.threadpool_info()}
    return order, os.getpid()


def test_a_worker_that_dies_is_an_answer_and_the_next_one_works() -> None:
    with workers.Pool(work, 1, 1) as pool:
        assert pool.idle
        pool.submit(5, "die")
        assert not pool.idle
        ((place, answer),) = pool.wait(60)
        assert place == 5 and isinstance(answer, workers.Died)
        assert "SIGKILL; it may have run out of memory" in answer.reason
        pool.submit(6, "live")
        ((place, told),) = pool.wait(60)
        assert (place, told[0]) == (6, "live")
        assert told[1] != os.getpid()


def test_nobody_stays_behind() -> None:
    with workers.Pool(work, 2, 1) as pool:
        pool.submit(0, "hang")
        pool.submit(1, "pid")
        ((_, told),) = pool.wait(60)
        assert list(pool.wait(0.0)) == []
    with pytest.raises(ProcessLookupError):
        os.kill(told[1], 0)


def test_workers_share_the_cpu_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = {}
    for cores in ("1", "2", "8"):
        monkeypatch.setenv(contract.CPU_LIMIT_ENV, cores)
        shares[cores] = package.shares(tuning(parallelTrials=3))
    assert shares == {"1": (1, 1), "2": (2, 1), "8": (3, 2)}
    import sklearn.svm  # noqa: F401 (what has threads is loaded)

    for cores in (1, 2):
        with workers.Pool(work, 1, cores) as pool:
            pool.submit(0, "threads")
            ((_, told),) = pool.wait(60)
        assert told == {cores}


def test_limits_hold_for_libraries_still_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with threads.limited(2):
        assert os.environ["OMP_NUM_THREADS"] == os.environ["LOKY_MAX_CPU_COUNT"] == "2"


def test_progress_is_a_document_of_this_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.001)
    put, written = threading.Event(), list[bytes]()

    def store(content: bytes) -> None:
        written.append(content)
        put.set()

    state = contract_tuning.SearchState(total=12, completed=1, failed=0, best_params={"x": 1.0}, best_score=0.5)
    before = datetime.now(UTC)
    with progress.reported(given.parsed(given.config(tmp_path)), store) as tell:
        tell(state)
        assert put.wait(60)
    (content,) = written
    told = contract.Progress.model_validate_json(content)
    assert (told.run_id, told.version, told.completed) == (given.RUN_ID, "m-v1", 1)
    assert told.at >= before
    assert json.loads(content)["bestParams"] == {"x": 1.0}


def test_a_store_in_the_way_is_no_trouble_for_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.001)
    tried = threading.Event()

    def refuse(_: bytes) -> None:
        tried.set()
        raise errors.TransientError("StoreUnavailable", "no")

    with progress.reported(given.parsed(given.config(tmp_path)), refuse) as tell:
        tell(contract_tuning.SearchState(total=1, completed=0, failed=0))
        assert tried.wait(60)
    assert "progress.json could not be written: StoreUnavailable" in capsys.readouterr().err
