"""Runs: created, listed, terminated, archived, deleted.

Invariant: as on the real server, the execution starts before the run is stored. So the second POST of a run id answers
500 and leaves a second execution behind.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from aiohttp import web

from sklearn_sandbox.kfp import listing, places, problems, requests, spec, store
from sklearn_sandbox.kfp.executor import Executor
from sklearn_sandbox.kfp.store import Document, shown

_CREATE = "Failed to create a new run"
_FIELDS = {
    name: name for name in ("run_id", "display_name", "created_at", "finished_at", "scheduled_at", "description")
}
_RUNS = listing.Listing(
    "runs",
    "run_id",
    {
        **_FIELDS,
        **{name: name for name in ("description", "storage_state", "state", "experiment_id")},
        "id": "run_id",
        "name": "display_name",
        "status": "state",
        "namespace": "_namespace",
    },
)
_TEXTS = ("run_id", "display_name", "description", "experiment_id", "recurring_run_id", "service_account")
_IGNORED = ("state", "storage_state", "created_at", "scheduled_at", "finished_at", "pipeline_version_id")
_NEW_RUN: dict[str, type] = {
    **dict.fromkeys((*_TEXTS, *_IGNORED), str),
    "pipeline_spec": dict,
    "pipeline_version_reference": dict,
    "runtime_config": dict,
}
_RUNNABLE = ("PENDING", "RUNNING", "PAUSED")
FINAL = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")


class Runs:
    """``namespace``: where runs execute in standalone mode."""

    def __init__(self, documents: store.Store, where: places.Places, *, multi_user: bool, namespace: str) -> None:
        self._store = documents
        self._places = where
        self._multi_user = multi_user
        self._namespace = namespace
        self._executor: Executor | None = None

    def attach(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def executor(self) -> Executor:
        if self._executor is None:
            raise RuntimeError("the executor is not attached yet")
        return self._executor

    def routes(self, prefix: str) -> list[web.RouteDef]:
        run = f"{prefix}/runs/{{id:[^/:]+}}"
        return [
            web.post(f"{prefix}/runs", self.create),
            web.get(f"{prefix}/runs", self.index),
            web.get(run, self.get),
            web.delete(run, self.delete),
            web.post(f"{run}:terminate", self.terminate),
            web.post(f"{run}:{{verb:archive|unarchive}}", self.archive),
            web.get("/apis/v1alpha1/runs/{id}/nodes/{node}/log", self.log),
        ]

    def report(self, run_id: str, state: str) -> None:
        """What the persistence agent does: writes an execution's state into the run row, whoever of two it is."""
        run = self._store.get(store.RUNS, run_id)
        if run is None or run["state"] == state or (run["state"] == "CANCELING" and state not in FINAL):
            return
        changed = {**run, "state": state, "state_history": [*run["state_history"], _entry(state)]}
        if state in FINAL:
            changed["finished_at"] = requests.now()
        self._store.put(store.RUNS, run_id, changed)

    async def create(self, request: web.Request) -> web.Response:
        given = await requests.body(request, _NEW_RUN)
        if not given.get("display_name"):
            context = "Failed to create a run due to conversion error: InternalServerError"
            raise problems.internal(f"{context}: Invalid input error: Run name cannot be empty")
        experiment = self._experiment(given.get("experiment_id", ""))
        run_id = given.get("run_id") or str(uuid.uuid4())
        source, content = self._source(given)
        config = requests.snake(given.get("runtime_config") or {})
        requests.check(config, {"parameters": dict, "pipeline_root": str})
        parameters = config.get("parameters") or {}
        pipeline, _ = spec.parse(content)
        spec.check_parameters(pipeline, parameters)
        namespace = experiment["namespace"] if self._multi_user else self._namespace
        expanded = spec.expand_macros(parameters, run_id, time.time())
        self.executor.start(run_id, namespace, content, expanded, given.get("service_account"))
        if self._store.get(store.RUNS, run_id) is not None:
            raise problems.internal(
                f"{_CREATE}: Failed to create a run: InternalServerError: Failed to store run {given['display_name']} "
                f"to table: Error 1062 (23000): Duplicate entry '{run_id}' for key 'run_details.PRIMARY'"
            )
        created = requests.now()
        document: Document = {
            "run_id": run_id,
            "experiment_id": experiment["experiment_id"],
            "display_name": given["display_name"],
            "description": given.get("description", ""),
            "service_account": given.get("service_account") or "default-editor",
            "storage_state": "AVAILABLE",
            "runtime_config": config,
            **source,
            "state": "PENDING",
            "state_history": [_entry("PENDING")],
            "created_at": created,
            "scheduled_at": created,
            "finished_at": requests.EPOCH,
            "_namespace": namespace,
        }
        self._store.put(store.RUNS, run_id, document)
        self._store.put(store.EXPERIMENTS, experiment["experiment_id"], {**experiment, "last_run_created_at": created})
        return web.json_response(shown(document))

    async def index(self, request: web.Request) -> web.Response:
        experiment, namespace = request.query.get("experiment_id"), request.query.get("namespace", "")
        if experiment:
            self._places.experiment(experiment, "Failed to list runs due to error fetching namespace for experiment")
        elif self._multi_user and not namespace:
            raise problems.invalid("Failed to list runs", "A run cannot have an empty namespace in multi-user mode")
        rows = [
            run
            for run in self._store.all(store.RUNS)
            if (experiment and run["experiment_id"] == experiment)
            or (not experiment and (not self._multi_user or run["_namespace"] == namespace))
        ]
        return web.json_response(_RUNS.page(rows, request.query))

    async def get(self, request: web.Request) -> web.Response:
        run = self._run(request, "Failed to get a run")
        tasks = self._tasks(run)
        return web.json_response(shown({**run, "run_details": {"task_details": tasks}} if tasks else run))

    async def terminate(self, request: web.Request) -> web.Response:
        run = self._run(request, "Failed to terminate a run")
        if run["state"] not in _RUNNABLE:
            message = f"Failed to terminate a run {run['run_id']}. Row not found"
            raise problems.invalid("Failed to terminate a run", message)
        self._store.put(store.RUNS, run["run_id"], {**run, "state": "CANCELING"})
        self.executor.terminate(run["run_id"])
        return web.json_response(requests.EMPTY)

    async def archive(self, request: web.Request) -> web.Response:
        run = self._run(request, "Failed to archive a run")
        state = "ARCHIVED" if request.match_info["verb"] == "archive" else "AVAILABLE"
        self._store.put(store.RUNS, run["run_id"], {**run, "storage_state": state})
        return web.json_response(requests.EMPTY)

    async def delete(self, request: web.Request) -> web.Response:
        run = self._run(request, "Failed to delete a run")
        self._store.remove(store.RUNS, run["run_id"])
        self.executor.forget(run["run_id"])
        return web.json_response(requests.EMPTY)

    async def log(self, request: web.Request) -> web.StreamResponse:
        run = self._run(request, "Failed to read the run log")
        path = self.executor.folder(run["run_id"]) / "run.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return web.Response(text=text)

    def _run(self, request: web.Request, context: str) -> Document:
        name = request.match_info["id"]
        found = self._store.get(store.RUNS, name)
        if found is None:
            raise problems.not_found(context, "Run", name)
        return found

    def _experiment(self, name: str) -> Document:
        if name:
            return self._places.experiment(name, f"{_CREATE}: Failed to fetch namespace for experiment")
        if self._multi_user:
            raise problems.invalid(_CREATE, "Experiment id can not be empty in multi-user mode")
        for one in self._store.all(store.EXPERIMENTS):
            if one["display_name"] == "Default":
                return one
        raise problems.not_found(_CREATE, "Experiment", "Default")

    def _source(self, given: Document) -> tuple[Document, str]:
        """What the run row keeps of its pipeline, and the documents to execute."""
        inline = given.get("pipeline_spec")
        if inline:
            platform = inline.get("platform_spec")
            pipeline = inline.get("pipeline_spec", inline)
            content = json.dumps(pipeline) + ("\n---\n" + json.dumps(platform) if platform else "")
            return {"pipeline_spec": inline}, content
        reference = requests.snake(given.get("pipeline_version_reference") or {})
        requests.check(reference, {"pipeline_id": str, "pipeline_version_id": str})
        version, content = self._places.version_document(reference)
        kept = {name: version[name] for name in ("pipeline_id", "pipeline_version_id")}
        return {"pipeline_version_reference": kept}, content

    def _tasks(self, run: Document) -> list[dict[str, Any]]:
        """State and times of tasks; like the real server's they have no outputs, no pod name and no error."""
        path = self.executor.folder(run["run_id"]) / "tasks.json"
        if not path.exists():
            return []
        return [
            {
                "run_id": run["run_id"],
                "task_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run['run_id']}/{name}")),
                "display_name": name,
                "create_time": run["created_at"],
                "start_time": requests.stamp(task["started_at"]),
                "end_time": requests.stamp(task.get("finished_at", 0)),
                "state": task["state"],
            }
            for name, task in json.loads(path.read_text()).items()
        ]


def _entry(state: str) -> dict[str, str]:
    return {"update_time": requests.now(), "state": state}
