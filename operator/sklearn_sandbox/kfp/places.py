"""Experiments, pipelines and pipeline versions.

Invariant: names are unique where the database has a unique index: (name, namespace) for experiments and pipelines,
(pipeline, name) for versions.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sklearn_sandbox.kfp import listing, problems, requests, spec, store
from sklearn_sandbox.kfp.store import Document, shown

_MAX_UPLOAD = 32 << 20
_EXPERIMENTS = listing.Listing(
    "experiments",
    "experiment_id",
    {
        "id": "experiment_id",
        "experiment_id": "experiment_id",
        "name": "display_name",
        "display_name": "display_name",
        "created_at": "created_at",
        "last_run_created_at": "last_run_created_at",
        "description": "description",
        "namespace": "namespace",
        "storage_state": "storage_state",
    },
)
_PIPELINE_FIELDS = {name: name for name in ("pipeline_id", "name", "display_name", "created_at", "description")}
_PIPELINES = listing.Listing("pipelines", "pipeline_id", {**_PIPELINE_FIELDS, "id": "pipeline_id"})
_VERSIONS = listing.Listing(
    "pipeline_versions",
    "pipeline_version_id",
    {
        "id": "pipeline_version_id",
        "pipeline_version_id": "pipeline_version_id",
        **{name: name for name in ("name", "display_name", "created_at", "description")},
    },
)
_NEW_EXPERIMENT = dict.fromkeys(("display_name", "description", "namespace", "experiment_id"), str)
_NEW_PIPELINE: dict[str, type] = {
    **dict.fromkeys(("display_name", "name", "description", "namespace", "pipeline_id"), str),
    "tags": dict,
}


class Places:
    """``multi_user``: whether namespaces mean anything."""

    def __init__(self, documents: store.Store, *, multi_user: bool) -> None:
        self._store = documents
        self._multi_user = multi_user

    def routes(self, prefix: str) -> list[web.RouteDef]:
        experiment, pipeline = f"{prefix}/experiments/{{id:[^/:]+}}", f"{prefix}/pipelines/{{id:[^/:]+}}"
        version = f"{pipeline}/versions/{{version}}"
        return [
            web.post(f"{prefix}/experiments", self.create_experiment),
            web.get(f"{prefix}/experiments", self.list_experiments),
            web.get(experiment, self.get_experiment),
            web.delete(experiment, self.delete_experiment),
            web.post(f"{experiment}:{{verb:archive|unarchive}}", self.archive_experiment),
            web.post(f"{prefix}/pipelines/upload", self.upload),
            web.post(f"{prefix}/pipelines/upload_version", self.upload_version),
            web.get(f"{prefix}/pipelines/names/{{name}}", self.get_pipeline_by_name),
            web.post(f"{prefix}/pipelines", self.create_pipeline),
            web.get(f"{prefix}/pipelines", self.list_pipelines),
            web.get(pipeline, self.get_pipeline),
            web.delete(pipeline, self.delete_pipeline),
            web.get(f"{pipeline}/versions", self.list_versions),
            web.get(version, self.get_version),
            web.delete(version, self.delete_version),
        ]

    def experiment(self, name: str, context: str) -> Document:
        found = self._store.get(store.EXPERIMENTS, name)
        if found is None:
            raise problems.not_found(context, "Experiment", name)
        return found

    def version_document(self, reference: Mapping[str, Any]) -> tuple[Document, str]:
        """The version a run names (the newest where it names none) and its pipeline documents."""
        pipeline, version = reference.get("pipeline_id", ""), reference.get("pipeline_version_id", "")
        candidates = [one for one in self._versions(pipeline) if not version or one["pipeline_version_id"] == version]
        if not candidates:
            # A wrong reference is wrapped into a 500 (resource_manager.go, CreateRun).
            context = (
                "Failed to create a new run: InternalServerError: Failed to create a run due to error fetching manifest"
            )
            raise problems.internal(
                f"{context}: ResourceNotFoundError: PipelineVersion {version or pipeline} not found"
            )
        newest = max(candidates, key=lambda one: one["_order"])
        return newest, newest["_content"]

    async def create_experiment(self, request: web.Request) -> web.Response:
        given = await requests.body(request, _NEW_EXPERIMENT)
        name, namespace = given.get("display_name", ""), self._namespace(given.get("namespace", ""))
        if not name:
            raise problems.internal("Failed to create experiment: Invalid input error: must have a non-empty name")
        if self._multi_user and not namespace:
            raise problems.invalid("Failed to create experiment", "Namespace cannot be empty")
        for one in self._store.all(store.EXPERIMENTS):
            if (one["display_name"], one["namespace"]) == (name, namespace):
                message = f"Failed to create a new experiment. The name {name} already exists"
                raise problems.exists("Failed to create experiment", message)
        document: Document = {
            "experiment_id": str(uuid.uuid4()),
            "display_name": name,
            "description": given.get("description", ""),
            "namespace": namespace,
            "created_at": requests.now(),
            "last_run_created_at": requests.EPOCH,
            "storage_state": "AVAILABLE",
        }
        self._store.put(store.EXPERIMENTS, document["experiment_id"], document)
        return web.json_response(shown(document))

    async def list_experiments(self, request: web.Request) -> web.Response:
        namespace = self._scope("Failed to list experiments", request)
        rows = (one for one in self._store.all(store.EXPERIMENTS) if one["namespace"] == namespace)
        return web.json_response(_EXPERIMENTS.page(rows, request.query))

    async def get_experiment(self, request: web.Request) -> web.Response:
        return web.json_response(shown(self.experiment(request.match_info["id"], "Failed to get experiment")))

    async def delete_experiment(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        self.experiment(name, "Failed to delete experiment")
        self._store.remove(store.EXPERIMENTS, name)
        return web.json_response(requests.EMPTY)

    async def archive_experiment(self, request: web.Request) -> web.Response:
        found = self.experiment(request.match_info["id"], "Failed to archive experiment")
        state = "ARCHIVED" if request.match_info["verb"] == "archive" else "AVAILABLE"
        self._store.put(store.EXPERIMENTS, found["experiment_id"], {**found, "storage_state": state})
        return web.json_response(requests.EMPTY)

    async def create_pipeline(self, request: web.Request) -> web.Response:
        given = await requests.body(request, _NEW_PIPELINE)
        name = given.get("name") or given.get("display_name")
        if not name:
            raise problems.invalid("Failed to create a pipeline due to server error", "name is required")
        return web.json_response(shown(self._new_pipeline(str(name), given)))

    async def list_pipelines(self, request: web.Request) -> web.Response:
        namespace = self._namespace(request.query.get("namespace", ""))
        rows = (one for one in self._store.all(store.PIPELINES) if one["namespace"] == namespace)
        return web.json_response(_PIPELINES.page(rows, request.query))

    async def get_pipeline(self, request: web.Request) -> web.Response:
        return web.json_response(shown(self._pipeline(request.match_info["id"])))

    async def get_pipeline_by_name(self, request: web.Request) -> web.Response:
        name, namespace = request.match_info["name"], self._namespace(request.query.get("namespace", ""))
        for one in self._store.all(store.PIPELINES):
            if (one["name"], one["namespace"]) == (name, namespace):
                return web.json_response(shown(one))
        raise problems.not_found("Failed to get a pipeline", "Namespace/Pipeline", f"{namespace}/{name}")

    async def delete_pipeline(self, request: web.Request) -> web.Response:
        found = self._pipeline(request.match_info["id"])
        versions = self._versions(found["pipeline_id"])
        if versions and request.query.get("cascade") != "true":
            message = "pipeline has existing versions; use cascade=true"
            raise problems.Problem(problems.FAILED_PRECONDITION, message)
        for version in versions:
            self._store.remove(store.VERSIONS, version["pipeline_version_id"])
        self._store.remove(store.PIPELINES, found["pipeline_id"])
        return web.json_response(requests.EMPTY)

    async def list_versions(self, request: web.Request) -> web.Response:
        pipeline = request.match_info["id"]
        self._pipeline(pipeline)
        return web.json_response(_VERSIONS.page(self._versions(pipeline), request.query))

    async def get_version(self, request: web.Request) -> web.Response:
        return web.json_response(shown(self._version(request)))

    async def delete_version(self, request: web.Request) -> web.Response:
        self._store.remove(store.VERSIONS, self._version(request)["pipeline_version_id"])
        return web.json_response(requests.EMPTY)

    async def upload(self, request: web.Request) -> web.Response:
        content = await self._uploaded(request, "Failed to read pipeline from file")
        pipeline, _ = _parsed(content)
        name = request.query.get("name") or request.query.get("display_name") or pipeline["pipelineInfo"]["name"]
        try:
            made = self._new_pipeline(name, request.query)
        except problems.Problem as problem:
            message = "Failed to create a pipeline and a pipeline version"
            raise problems.UploadProblem(problem.code, message) from problem
        self._new_version(made["pipeline_id"], name, content, request.query)
        return web.json_response(shown(made))

    async def upload_version(self, request: web.Request) -> web.Response:
        refused = "Failed to create a pipeline version"
        content = await self._uploaded(request, refused)
        pipeline = request.query.get("pipelineid", "")
        # An unknown pipeline is a 400 with this bare sentence, and so is a missing permission (uploadPipelineVersion).
        if self._store.get(store.PIPELINES, pipeline) is None:
            raise problems.UploadProblem(problems.INVALID_ARGUMENT, refused)
        parsed, _ = _parsed(content)
        name = request.query.get("name") or request.query.get("display_name") or parsed["pipelineInfo"]["name"]
        if any(one["name"] == name for one in self._versions(pipeline)):
            raise problems.UploadProblem(problems.ALREADY_EXISTS, refused)
        return web.json_response(shown(self._new_version(pipeline, name, content, request.query)))

    async def _uploaded(self, request: web.Request, refused: str) -> bytes:
        form = await request.post() if request.content_type == "multipart/form-data" else {}
        file = form.get("uploadfile")
        if not isinstance(file, web.FileField) or not file.filename.endswith((".yaml", ".yml", ".json")):
            raise problems.UploadProblem(problems.INVALID_ARGUMENT, refused)
        content = file.file.read()
        if len(content) > _MAX_UPLOAD:
            raise problems.UploadProblem(problems.INVALID_ARGUMENT, refused)
        return content

    def _new_pipeline(self, name: str, given: Mapping[str, Any]) -> Document:
        namespace = self._namespace(given.get("namespace", ""))
        for one in self._store.all(store.PIPELINES):
            if (one["name"], one["namespace"]) == (name, namespace):
                message = f"Failed to create a new pipeline. The name {name} already exist. Please specify a new name"
                raise problems.exists("Failed to create a pipeline due to server error", message)
        document: Document = {
            "pipeline_id": str(uuid.uuid4()),
            "name": name,
            "display_name": given.get("display_name") or name,
            "description": given.get("description", ""),
            "namespace": namespace,
            "created_at": requests.now(),
        }
        self._store.put(store.PIPELINES, document["pipeline_id"], document)
        return document

    def _new_version(self, pipeline: str, name: str, content: bytes, given: Mapping[str, str]) -> Document:
        parsed, platform = spec.parse(content)
        document: Document = {
            "pipeline_id": pipeline,
            "pipeline_version_id": str(uuid.uuid4()),
            "name": name,
            "display_name": given.get("display_name") or name,
            "description": given.get("description", ""),
            "created_at": requests.now(),
            "pipeline_spec": {"pipeline_spec": parsed, "platform_spec": platform} if platform else parsed,
            "_content": json.dumps(parsed) + ("\n---\n" + json.dumps(platform) if platform else ""),
            "_order": time.time(),
        }
        self._store.put(store.VERSIONS, document["pipeline_version_id"], document)
        return document

    def _pipeline(self, name: str) -> Document:
        found = self._store.get(store.PIPELINES, name)
        if found is None:
            raise problems.not_found("Failed to get a pipeline", "Pipeline", name)
        return found

    def _version(self, request: web.Request) -> Document:
        name = request.match_info["version"]
        found = self._store.get(store.VERSIONS, name)
        if found is None or found["pipeline_id"] != request.match_info["id"]:
            raise problems.not_found("Failed to get a pipeline version", "PipelineVersion", name)
        return found

    def _versions(self, pipeline: str) -> list[Document]:
        return [one for one in self._store.all(store.VERSIONS) if one["pipeline_id"] == pipeline]

    def _namespace(self, given: str) -> str:
        return given if self._multi_user else ""

    def _scope(self, context: str, request: web.Request) -> str:
        namespace = self._namespace(request.query.get("namespace", ""))
        if self._multi_user and not namespace:
            raise problems.invalid(context, "An experiment cannot have an empty namespace in multi-user mode")
        return namespace


def _parsed(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        return spec.parse(content)
    except problems.Problem as problem:
        raise problems.UploadProblem(problem.code, problem.external) from problem
