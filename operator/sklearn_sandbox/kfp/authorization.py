"""Who asks, and whether they may: the multi-user server's own way (resource_manager.go IsAuthorized, auth/).

The bearer token goes to the API server in a TokenReview for one audience; what it is wanted for goes there in a
SubjectAccessReview with the user's name alone, without groups. Both are answered by the real kube-apiserver.

Invariant: an object that does not exist is not authorized for; the handler says that there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from sklearn_sandbox.kfp import cluster, problems, store

AUDIENCE = "pipelines.kubeflow.org"
_VERBS = {"GET": "get", "DELETE": "delete"}
_PATH = re.compile(r"/apis/v2beta1/(experiments|pipelines|runs)(?:/([^/:]+))?(/[^:]*)?(?::(\w+))?$")
_IDENTITY = "Failed to check authorization. User identity is empty in the request header"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Authorization:
    def __init__(self, documents: store.Store, kubernetes: cluster.Cluster) -> None:
        self._store = documents
        self._kubernetes = kubernetes

    def middleware(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            wanted = await self._wanted(request)
            if wanted is not None:
                await self._check(request, wanted)
            return await handler(request)

        return guard

    async def _wanted(self, request: web.Request) -> dict[str, str] | None:
        """The attributes of the request; None where nothing is asked for that belongs to anybody."""
        found = _PATH.match(request.path)
        if found is None:
            return None
        resource, name, rest, action = found.groups()
        if name == "upload_version":
            namespace, verb = self._namespace(store.PIPELINES, request.query.get("pipelineid", "")), "create"
        elif name == "names" or name is None:
            verb = "create" if request.method == "POST" else "get" if name else "list"
            namespace = await self._given(request, resource)
        else:
            namespace = self._namespace(resource, name)
            verb = action or ("list" if rest == "/versions" else _VERBS[request.method])
        if namespace is None:
            return None
        return {
            "group": "pipelines.kubeflow.org",
            "version": "v1beta1",
            "resource": resource,
            "verb": verb,
            "namespace": namespace,
        }

    async def _given(self, request: web.Request, resource: str) -> str | None:
        said: Mapping[str, Any] = request.query
        if request.method == "POST":
            said = json.loads(await request.read() or b"{}")
        if resource == "runs" and said.get("experiment_id"):
            return self._namespace(store.EXPERIMENTS, said["experiment_id"])
        return said.get("namespace") or None

    def _namespace(self, kind: str, name: str) -> str | None:
        found = self._store.get(kind, name) or {}
        return found.get("_namespace") or found.get("namespace")

    async def _check(self, request: web.Request, wanted: dict[str, str]) -> None:
        user = await self._user(request)
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": wanted},
        }
        status = await self._kubernetes.review("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
        if not status.get("allowed"):
            reason = status.get("reason", "")
            message = f"User '{user}' is not authorized with reason: {reason} (request: {wanted})"
            if request.path.endswith("/upload_version"):
                raise problems.UploadProblem(problems.INVALID_ARGUMENT, "Failed to create a pipeline version")
            raise problems.Problem(problems.PERMISSION_DENIED, f"PermissionDenied: {message}: Unauthorized access")

    async def _user(self, request: web.Request) -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        status = {}
        if token:
            status = await self._kubernetes.review("/apis/authentication.k8s.io/v1/tokenreviews", body)
        if not status.get("authenticated") or AUDIENCE not in status.get("audiences", []):
            raise problems.Problem(problems.UNAUTHENTICATED, _IDENTITY)
        return str(status["user"]["username"])
