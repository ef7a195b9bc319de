"""Processes that run trials at the same time, forked off the task with the data in their memory.

Forking costs milliseconds where fresh processes would import scikit-learn and copy the data, and a process, unlike a
thread, can be ended in the middle of a fit. Nothing is fitted in the task itself before or while it has workers: a
fork in the midst of a parallel region would hang. Invariant: every worker is gone when the pool is closed, and one
that dies is an answer, not an end.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from sklearn_steps import threads

Job = TypeVar("Job")
Answer = TypeVar("Answer")
_PARTING_SECONDS = 5.0


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    busy: int | None = None
    since: float = 0.0


@dataclass(frozen=True)
class Died:
    """Instead of an answer: how the worker's process ended."""

    reason: str
    seconds: float


class Pool(Generic[Job, Answer]):
    """``work`` runs in the workers, each of which may use ``cores`` threads."""

    def __init__(self, work: Callable[[Job], Answer], count: int, cores: int) -> None:
        self._work = work
        self._cores = cores
        self._workers: list[_Worker] = []
        for _ in range(count):
            self._start()

    def __enter__(self) -> Pool[Job, Answer]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.terminate()  # and not kill: one that has a process of its own takes that along
        for worker in self._workers:
            worker.process.join(_PARTING_SECONDS)
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    @property
    def idle(self) -> bool:
        return any(worker.busy is None for worker in self._workers)

    def submit(self, place: int, job: Job) -> None:
        """Give an idle worker a job; its answer comes back with ``place``."""
        worker = next(worker for worker in self._workers if worker.busy is None)
        worker.busy, worker.since = place, time.monotonic()
        with contextlib.suppress(BrokenPipeError):  # it died while idle; waiting for it will tell
            worker.pipe.send(job)

    def wait(self, seconds: float) -> Iterator[tuple[int, Answer | Died]]:
        """What comes back first, within so many seconds; nothing if nothing does."""
        busy = {worker.pipe: worker for worker in self._workers if worker.busy is not None}
        for ready in wait(list(busy), max(0.0, seconds)):
            worker = busy[ready]  # type: ignore[index]
            place, worker.busy = worker.busy or 0, None
            try:
                yield place, worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                yield place, self._bury(worker)

    def _bury(self, worker: _Worker) -> Died:
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        died = Died(_ending(worker.process.exitcode or 0), time.monotonic() - worker.since)
        self._start()
        return died

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        inherited = [*(worker.pipe for worker in self._workers), ours]
        process = context.Process(target=_serve, args=(theirs, inherited, self._work, self._cores), daemon=True)
        with warnings.catch_warnings():
            # Python warns of other threads that hold locks; ours wait for the network, and the child touches neither.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))


def _serve(pipe: Connection, inherited: list[Connection], work: Callable[[Job], Answer], cores: int) -> None:
    """The life of a worker: it ends with the task, whose end of the pipe nobody else may keep open."""
    for other in inherited:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    with threads.limited(cores), contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(work(pipe.recv()))


def _ending(code: int) -> str:
    if code >= 0:
        return f"the process of the trial ended with code {code}"
    name = signal.Signals(-code).name if -code in {item.value for item in signal.Signals} else str(-code)
    advice = (
        "; it may have run out of memory: raise training.resources.limits.memory" if -code == signal.SIGKILL else ""
    )
    return f"the process of the trial was ended by {name}{advice}"
