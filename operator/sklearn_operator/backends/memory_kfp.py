"""The pipeline server in memory: the shipped twin of ``backends.kfp``, for tests and dry runs.

Nothing executes: whoever holds it moves runs on with ``move``, and asks for trouble with ``fail_next``.

Invariant: what a caller can see through ``ports.PipelineBackend`` is what the real server would show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sklearn_operator.backends import errors, ports
from sklearn_operator.core.observed import Run, RunState


class MemoryKfp:
    """See ``ports.PipelineBackend``. ``posts`` counts the POSTs of each run: two of them would be two executions."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._runs: dict[str, tuple[str, Run]] = {}
        self._faults: list[tuple[str, errors.BackendError, bool]] = []
        self.posts: Counter[str] = Counter()
        self.parameters: dict[str, Mapping[str, Any]] = {}

    def move(self, run_id: str, state: RunState) -> None:
        """What the cluster would do to the run."""
        namespace, run = self._runs[run_id]
        finished = self._clock().replace(microsecond=0) if state.terminal else None
        self._runs[run_id] = (namespace, replace(run, state=state, finished_at=finished))

    def fail_next(self, operation: str, error: errors.BackendError, *, executed: bool = False) -> None:
        """The next call of ``operation`` raises; ``executed``: only after it did its work."""
        self._faults.append((operation, error, executed))

    async def find_run(self, *, namespace: str, run_id: str, display_name: str) -> Run | None:
        self._trouble("find_run", executed=False)
        if run_id in self._runs:
            return self._runs[run_id][1]
        for where, run in self._runs.values():
            if where == namespace and run.name == display_name:
                return run
        return None

    async def list_runs(self, *, namespace: str, run_ids: Collection[str]) -> dict[str, Run]:
        self._trouble("list_runs", executed=False)
        return {run_id: self._runs[run_id][1] for run_id in run_ids if run_id in self._runs}

    async def submit(
        self,
        *,
        namespace: str,
        run_id: str,
        display_name: str,
        description: str,
        pipeline: Mapping[str, Any],
        platform: Mapping[str, Any] | None,
        parameters: Mapping[str, Any],
        service_account: str | None,
    ) -> Run:
        _check(pipeline, parameters)
        if run_id in self._runs:
            return self._runs[run_id][1]
        self._trouble("submit", executed=False)
        run = Run(run_id, display_name, RunState.PENDING, created_at=self._clock().replace(microsecond=0))
        self._runs[run_id] = (namespace, run)
        self.posts[run_id] += 1
        self.parameters[run_id] = dict(parameters)
        self._trouble("submit", executed=True)
        return run

    async def terminate(self, run_id: str) -> None:
        self._trouble("terminate", executed=False)
        if run_id in self._runs and not self._runs[run_id][1].state.terminal:
            self.move(run_id, RunState.CANCELING)
        self._trouble("terminate", executed=True)

    async def delete(self, run_id: str) -> None:
        self._trouble("delete", executed=False)
        self._runs.pop(run_id, None)
        self._trouble("delete", executed=True)

    async def healthy(self) -> ports.ServerInfo:
        self._trouble("healthy", executed=False)
        return ports.ServerInfo(multi_user=True, tag="memory")

    def _trouble(self, operation: str, *, executed: bool) -> None:
        for fault in self._faults:
            if fault[0] == operation and fault[2] == executed:
                self._faults.remove(fault)
                raise fault[1]


def _check(pipeline: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    if pipeline.get("schemaVersion") != "2.1.0" or not pipeline.get("root"):
        raise errors.Rejected("kfp: invalid v2 pipeline spec")
    declared = (pipeline["root"].get("inputDefinitions") or {}).get("parameters") or {}
    for name, parameter in declared.items():
        if name not in parameters and not parameter.get("isOptional") and "defaultValue" not in parameter:
            raise errors.Rejected(f"kfp: parameter {name} is not optional, yet has no value")
    for name in parameters:
        if name not in declared:
            raise errors.Rejected(f"kfp: parameter {name} is not required by the pipeline")
