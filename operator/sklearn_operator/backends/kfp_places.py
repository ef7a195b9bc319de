"""Where runs live on the pipeline server: experiment, pipeline and pipeline version, by name.

All three are unique by name on the server, so creating one that exists meets a 409 and a look-up. A version is named by
the hash of its content: uploading the same pipeline twice meets itself.

Invariant: remembered ids are only a shortcut; ``forget`` costs three look-ups and never correctness.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Mapping
from typing import Any

import orjson

from sklearn_operator.backends import errors, kfp_http, ports

API = "/apis/v2beta1"
NAME = "sklearn-operator"
_PAGE = "200"  # the server clamps to this, silently
_UPLOAD_TIMEOUT = 30.0
# What upload_version answers, with 400, for an unknown pipeline and for a missing permission alike.
_UPLOAD_REFUSED = "Failed to create a pipeline version"


class Places:
    """Finds and makes the places, and remembers their ids."""

    def __init__(self, transport: kfp_http.Transport) -> None:
        self._http = transport
        self._server: ports.ServerInfo | None = None
        self._experiments: dict[str, str] = {}
        self._pipelines: dict[str, str] = {}
        self._versions: dict[tuple[str, str], str] = {}

    def forget(self, namespace: str) -> None:
        """After an answer that may come from stale ids."""
        self._experiments.pop(namespace, None)
        self._pipelines.pop(namespace, None)
        for key in [key for key in self._versions if key[0] == namespace]:
            del self._versions[key]

    async def server(self) -> ports.ServerInfo:
        answer = await self._http.get(f"{API}/healthz")
        if not answer.keys() & {"tag_name", "commit_sha", "multi_user"}:
            raise errors.Transient("kfp: /healthz is not answered by Kubeflow Pipelines; check its URL")
        self._server = ports.ServerInfo(bool(answer.get("multi_user")), str(answer.get("tag_name") or ""))
        return self._server

    async def rows(
        self, collection: str, scope: Mapping[str, str], predicate: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Everything in the collection that fulfils the predicate, over all pages."""
        # The server unescapes the filter once more than HTTP does (list_request_util.go), so it is escaped once more.
        encoded = urllib.parse.quote(orjson.dumps({"predicates": [predicate]}))
        params = {**scope, "filter": encoded, "page_size": _PAGE, "sort_by": "created_at asc"}
        key = "pipeline_versions" if collection.endswith("/versions") else collection
        found: list[dict[str, Any]] = []
        while True:
            answer = await self._http.get(f"{API}/{collection}", params)
            rows = answer.get(key) or []
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise errors.Transient(f"kfp: {key} is no list of objects")
            found.extend(rows)
            token = answer.get("next_page_token")
            if not token:
                return found
            params = {**params, "page_token": str(token)}

    async def experiment(self, namespace: str) -> str | None:
        """Id of the namespace's experiment, None where there is none yet."""
        known = self._experiments.get(namespace)
        if known is not None:
            return known
        name, scope = await self._scope(namespace)
        for row in await self.rows("experiments", scope, equals("display_name", name)):
            if row.get("display_name") == name:
                self._experiments[namespace] = _id(row, "experiment_id")
                return self._experiments[namespace]
        return None

    async def create_experiment(self, namespace: str) -> str:
        name, scope = await self._scope(namespace)
        description = f"Training runs of the SklearnModels in namespace {namespace}"
        body = {"display_name": name, "description": description, **scope}
        try:
            row = await self._http.post(f"{API}/experiments", body=body)
        except errors.Conflict:
            found = await self.experiment(namespace)
            if found is None:
                raise
            return found
        self._experiments[namespace] = _id(row, "experiment_id")
        return self._experiments[namespace]

    async def version(self, namespace: str, content: bytes) -> tuple[str, str]:
        """Ids of the pipeline and of its version that holds exactly this content."""
        name = hashlib.sha256(content).hexdigest()[:16]
        known = self._versions.get((namespace, name))
        if known is not None:
            return await self._pipeline(namespace), known
        pipeline = await self._pipeline(namespace)
        try:
            version = await self._get_or_upload(pipeline, name, content)
        except (errors.NotFound, errors.Rejected) as error:
            if not _perhaps_gone(error):
                raise
            self.forget(namespace)
            pipeline = await self._pipeline(namespace)
            try:
                version = await self._get_or_upload(pipeline, name, content)
            except errors.Rejected as second:
                if not _perhaps_gone(second):
                    raise
                raise errors.Transient(f"{second} (the operator may lack the permission to create it)") from second
        self._versions[(namespace, name)] = version
        return pipeline, version

    async def _scope(self, namespace: str) -> tuple[str, dict[str, str]]:
        """Name of the namespace's experiment, and how requests say the namespace."""
        server = self._server or await self.server()
        if server.multi_user:
            return NAME, {"namespace": namespace}
        return f"{NAME}-{namespace}", {}

    async def _pipeline(self, namespace: str) -> str:
        known = self._pipelines.get(namespace)
        if known is not None:
            return known
        _, scope = await self._scope(namespace)
        path = f"{API}/pipelines/names/{NAME}"
        try:
            row = await self._http.get(path, scope)
        except errors.NotFound:
            body = {"display_name": NAME, "description": "Trains scikit-learn models", **scope}
            try:
                row = await self._http.post(f"{API}/pipelines", body=body)
            except errors.Conflict:
                row = await self._http.get(path, scope)
        self._pipelines[namespace] = _id(row, "pipeline_id")
        return self._pipelines[namespace]

    async def _get_or_upload(self, pipeline: str, name: str, content: bytes) -> str:
        found = await self._find_version(pipeline, name)
        if found is not None:
            return found
        try:
            row = await self._http.post(
                f"{API}/pipelines/upload_version",
                params={"name": name, "pipelineid": pipeline},
                files={"uploadfile": ("pipeline.yaml", content, "application/octet-stream")},
                timeout=_UPLOAD_TIMEOUT,
            )
        except errors.Conflict:
            found = await self._find_version(pipeline, name)
            if found is None:
                raise
            return found
        return _id(row, "pipeline_version_id")

    async def _find_version(self, pipeline: str, name: str) -> str | None:
        for row in await self.rows(f"pipelines/{pipeline}/versions", {}, equals("display_name", name)):
            if row.get("display_name") == name:
                return _id(row, "pipeline_version_id")
        return None


def equals(key: str, value: str) -> dict[str, Any]:
    """A predicate of the list filter."""
    return {"key": key, "operation": "EQUALS", "string_value": value}


def _perhaps_gone(error: errors.BackendError) -> bool:
    return isinstance(error, errors.NotFound) or str(error).endswith(_UPLOAD_REFUSED)


def _id(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise errors.Transient(f"kfp: the answer has no {key}")
    return value
