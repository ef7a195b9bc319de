"""Executions of runs: what Argo, the kubelet and the persistence agent do on a cluster, on one machine.

An execution is recorded before its process gets a job, and its result is a file: a server that was killed finds every
execution again, living, finished, or lost.

Invariant: what an execution ends with is reported exactly once, and is always a final state.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sklearn_sandbox.kfp import children, cluster, spec
from sklearn_sandbox.kfp import store as stores

_log = logging.getLogger(__name__)
_LOOK_AGAIN = 0.5
_PATIENCE = 5.0
Report = Callable[[str, str], None]


class Executor:
    """``report(run_id, state)`` is told of every change of a run's state."""

    def __init__(
        self,
        store: stores.Store,
        folder: Path,
        processes: children.Children,
        kubernetes: cluster.Cluster,
        report: Report,
        *,
        spare: bool = True,
    ) -> None:
        self._store = store
        self._folder = folder
        self._children = processes
        self._cluster = kubernetes
        self._report = report
        self._spare = spare
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Takes up every execution that has not ended, and every ending that an earlier life did not finish."""
        for execution in list(self._store.all(stores.EXECUTIONS)):
            run = self._store.get(stores.RUNS, execution["run_id"])
            if run is None:
                self._later(self._erase(execution["id"], execution["run_id"], execution["number"]))
            elif not execution.get("state") and run["state"] == "CANCELING" and execution["number"] == 1:
                self._later(self._end(execution["id"]))
            elif not execution.get("state"):
                self._drive(execution["id"])
        self._refill()

    async def close(self) -> None:
        """Stops watching; the processes go on, but for those that are being ended."""
        if self._endings:
            await asyncio.wait(set(self._endings), timeout=_PATIENCE)
        tasks = [*self._tasks.values(), *self._endings]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._children.close()

    def start(self, run_id: str, namespace: str, document: str, parameters: dict[str, Any], account: str | None) -> int:
        """Begins another execution of the run and returns its number."""
        number = len(self.of(run_id)) + 1
        name = f"{run_id}/{number}"
        self._store.put(
            stores.EXECUTIONS,
            name,
            {
                "id": name,
                "run_id": run_id,
                "number": number,
                "namespace": namespace,
                "spec": document,
                "parameters": parameters,
                "service_account": account,
            },
        )
        self._drive(name)
        return number

    def of(self, run_id: str) -> list[stores.Document]:
        return [one for one in self._store.all(stores.EXECUTIONS) if one["run_id"] == run_id]

    def folder(self, run_id: str, number: int = 1) -> Path:
        return self._folder / "runs" / (run_id if number == 1 else f"{run_id}.{number}")

    def terminate(self, run_id: str) -> None:
        """Ends the first execution, the one the run row knows; it then reports FAILED, as a shut-down Workflow does."""
        for execution in self.of(run_id):
            if execution["number"] == 1 and not execution.get("state"):
                self._later(self._end(execution["id"]))

    def forget(self, run_id: str) -> None:
        """Ends everything of the run and removes its traces; later reports go nowhere."""
        for execution in self.of(run_id):
            self._later(self._erase(execution["id"], run_id, execution["number"]))

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    def _drive(self, name: str) -> None:
        task = asyncio.create_task(self._run(name), name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _run(self, name: str) -> None:
        execution = self._store.get(stores.EXECUTIONS, name) or {}
        _, platform = spec.parse(execution["spec"])
        try:
            async with asyncio.timeout(spec.run_deadline(platform)):
                child = await self._child(name, execution)
                await self._children.ended(child)
        except TimeoutError:
            await self._end(name)
            return
        self._finish(name, self._result(execution))

    async def _child(self, name: str, execution: stores.Document) -> children.Child:
        if "pid" in execution:
            self._report(execution["run_id"], "RUNNING")
            return children.Child(execution["pid"], execution["created"])
        environment, mounts = await self._surroundings(execution)
        pipeline, platform = spec.parse(execution["spec"])
        folder = self.folder(execution["run_id"], execution["number"])
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        child, process = self._children.start()
        self._store.put(stores.EXECUTIONS, name, {**execution, "pid": child.pid, "created": child.created})
        configured = spec.platform_executors(platform)
        job = {
            "folder": str(folder),
            # The server looks for earlier tasks in the run's own namespace alone.
            "cache": str(self._folder / "cache" / execution["namespace"]),
            "pipeline": spec.named(pipeline, execution["run_id"]),
            "parameters": execution["parameters"],
            "environment": environment,
            "mounts": mounts,
            "deadlines": {label: int(one.get("activeDeadlineSeconds") or 0) for label, one in configured.items()},
        }
        await asyncio.to_thread(children.hand_over, process, job)
        self._report(execution["run_id"], "RUNNING")
        return child

    async def _surroundings(self, execution: stores.Document) -> tuple[cluster.Environment, cluster.Mounts]:
        """Waits, as a pod does, until everything that the pods name is there."""
        pipeline, platform = spec.parse(execution["spec"])
        namespace, run_id = execution["namespace"], execution["run_id"]
        workflow = cluster.workflow_name(pipeline, run_id, execution["number"])
        shown: cluster.Trouble | None = None
        pod = ""
        try:
            while True:
                try:
                    values, trouble = await self._cluster.environment(namespace, pipeline, platform)
                    if trouble is None:
                        await self._cluster.admit(namespace, workflow, pipeline, platform)
                        return values, await self._cluster.mounts(namespace, platform)
                    if trouble != shown:
                        account = execution["service_account"]
                        manifest, status = cluster.waiting_pod(run_id, workflow, trouble, platform, account)
                        if pod and pod != manifest["metadata"]["name"]:
                            await self._cluster.remove(namespace, pod)
                        pod = manifest["metadata"]["name"]
                        self._report(run_id, "RUNNING")
                        await self._cluster.show(namespace, manifest, status)
                        shown = trouble
                except cluster.ClusterError as error:
                    _log.warning("run %s: %s", run_id, error)
                await asyncio.sleep(_LOOK_AGAIN)
        finally:
            if pod:
                self._later(self._remove_pod(namespace, pod))

    async def _remove_pod(self, namespace: str, pod: str) -> None:
        try:
            await self._cluster.remove(namespace, pod)
        except cluster.ClusterError as error:
            _log.warning("pod %s/%s is left behind: %s", namespace, pod, error)

    async def _end(self, name: str) -> None:
        await self._stop(name)
        self._finish(name, "FAILED")

    async def _erase(self, name: str, run_id: str, number: int) -> None:
        await self._stop(name)
        self._store.remove(stores.EXECUTIONS, name)
        await asyncio.to_thread(shutil.rmtree, self.folder(run_id, number), ignore_errors=True)

    async def _stop(self, name: str) -> None:
        task = self._tasks.get(name)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        execution = self._store.get(stores.EXECUTIONS, name)
        if execution is not None and "pid" in execution:
            child = children.Child(execution["pid"], execution["created"])
            await self._children.kill(child)
            await self._children.ended(child)

    def _finish(self, name: str, outcome: str) -> None:
        execution = self._store.get(stores.EXECUTIONS, name)
        if execution is None or execution.get("state"):
            return
        self._store.put(stores.EXECUTIONS, name, {**execution, "state": outcome})
        self._report(execution["run_id"], outcome)
        # Every task leaves its source in a temporary folder (kfp.dsl.component_factory).
        temporary = self.folder(execution["run_id"], execution["number"]) / "tmp"
        self._later(asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True))
        self._refill()

    def _result(self, execution: stores.Document) -> str:
        path = self.folder(execution["run_id"], execution["number"]) / "result.json"
        try:
            return str(json.loads(path.read_text())["state"])
        except FileNotFoundError:
            return "FAILED"

    def _refill(self) -> None:
        """The waiting process is made when nothing runs: a run needs the processors more."""
        if self._spare and not any(not one.get("state") for one in self._store.all(stores.EXECUTIONS)):
            self._children.keep_spare()
