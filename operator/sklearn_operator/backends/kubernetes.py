"""Kubernetes, by the official asynchronous client: a small vocabulary over plain JSON.

Invariant: every call states a timeout, nothing is retried here (a retried write is a decision, and decisions are made
in ``core``), and no exception of the client leaves this module.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
import orjson
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import config_exception

from sklearn_operator.backends import errors, fencing, metering, nesting

_TIMEOUT = 30.0
_PAGE = 250
_MERGE = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"
_APPLY = "application/apply-patch+yaml"
_DENIED = "denied the request"
#: What the API server says of a JSON patch that it could not apply, a failed ``test`` included.
_PATCH_FAILED = "the server rejected our request due to an error in our request"


@dataclass(frozen=True)
class Resource:
    """A kind by its REST path: ``Resource("apps/v1", "deployments")``."""

    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        parts = [root]
        if namespace is not None:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts.extend(part for part in (name, subresource) if part is not None)
        return "/".join(parts)


MODELS = Resource("sklearn-operator.io/v1alpha1", "sklearnmodels")
VERSIONS = Resource("sklearn-operator.io/v1alpha1", "sklearnmodelversions")
INFERENCE_SERVICES = Resource("serving.kserve.io/v1beta1", "inferenceservices")
DEPLOYMENTS = Resource("apps/v1", "deployments")
PODS = Resource("v1", "pods")
SECRETS = Resource("v1", "secrets")
EVENTS = Resource("events.k8s.io/v1", "events")
LEASES = Resource("coordination.k8s.io/v1", "leases")


@dataclass(frozen=True)
class Listing:
    """Objects of a kind, and the revision of the cluster that they show."""

    items: list[dict[str, Any]]
    revision: int


class KubernetesClient:
    """Reads and writes objects as plain JSON; see ``backends.errors`` for what it raises."""

    def __init__(
        self,
        api: ApiClient,
        field_manager: str,
        fence: fencing.Fence = fencing.unfenced,
        meter: metering.Meter = metering.unmetered,
    ) -> None:
        self._api = api
        self._manager = field_manager
        self._fence = fence
        self._meter = meter

    async def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
        """None when there is no such object."""
        try:
            return await self._call("GET", resource.path(namespace, name))
        except errors.NotFound:
            return None

    async def list_objects(
        self, resource: Resource, namespace: str | None, selector: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        return [item async for page in self.pages(resource, namespace, selector) for item in page.items]

    async def pages(
        self, resource: Resource, namespace: str | None, selector: Mapping[str, str] | None = None, size: int = _PAGE
    ) -> AsyncIterator[Listing]:
        """The same, a page at a time: ten thousand objects at once would take half a gigabyte. All show one revision.

        Raises Transient when the pages to come are not to be had any more: then it takes another listing.
        """
        query = [("labelSelector", ",".join(f"{key}={value}" for key, value in selector.items()))] if selector else []
        query.append(("limit", str(size)))
        further = ""
        while True:
            answer = await self._call("GET", resource.path(namespace), query=[*query, *_continued(further)])
            metadata = answer.get("metadata") or {}
            revision, further = str(metadata.get("resourceVersion") or ""), str(metadata.get("continue") or "")
            yield Listing(list(answer.get("items") or []), int(revision) if revision.isdecimal() else 0)
            if not further:
                return

    async def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Conflict when an object of that name exists."""
        return await self._call("POST", resource.path(namespace), body=body, query=self._managed())

    async def apply(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], *, revision: str | None
    ) -> dict[str, Any]:
        """Server-side apply under our own field manager.

        With the ``revision`` at which the object was seen to be ours, fields that others have set are ours to win; it
        raises Conflict when the object has changed since, and makes it anew when it is gone. Without, it is created;
        Conflict when another one has the name and says otherwise.
        """
        path = resource.path(namespace, body["metadata"]["name"])
        force = "false" if revision is None else "true"
        if revision is not None:
            body = {**body, "metadata": {**body["metadata"], "resourceVersion": revision}}
        return await self._call("PATCH", path, body=body, query=[*self._managed(), ("force", force)], kind=_APPLY)

    async def replace(self, resource: Resource, namespace: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces the whole object; Conflict when it has changed since ``metadata.resourceVersion``."""
        return await self._call("PUT", resource.path(namespace, name), body=body, query=self._managed())

    async def replace_status(
        self, resource: Resource, namespace: str, name: str, body: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Replaces ``status``. ``body`` carries apiVersion, kind, metadata with resourceVersion, and status."""
        path = resource.path(namespace, name, "status")
        return await self._call("PUT", path, body=body, query=self._managed())

    async def edit(
        self, resource: Resource, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """A JSON patch; with a ``test`` operation it is a compare-and-set. A failed test raises Conflict."""
        path = resource.path(namespace, name)
        return await self._call("PATCH", path, body=list(operations), query=self._managed(), kind=_JSON_PATCH)

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str | None = None) -> None:
        """Deletes, if it is there. ``uid`` protects a namesake made in between."""
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            await self._call("DELETE", resource.path(namespace, name), body=body)
        except errors.NotFound:
            return

    def _managed(self) -> list[tuple[str, str]]:
        return [("fieldManager", self._manager)]

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Sequence[tuple[str, str]] = (),
        kind: str = "application/json",
    ) -> dict[str, Any]:
        if method != "GET":
            self._fence()
        measured = metering.measured(self._meter, "kubernetes", operation(method, path, kind))
        with _translated(f"{method} {path}"), measured as call:
            request = await self._api.param_serialize(
                method,
                path,
                query_params=list(query),
                # Over a cluster's own network, packing a listing takes longer than sending it.
                header_params={"Accept": "application/json", "Content-Type": kind, "Accept-Encoding": "identity"},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(*request, _request_timeout=_TIMEOUT)
            content: bytes = await answer.read()  # type: ignore[no-untyped-call]
            status = int(answer.status)
            call.code = str(status)
            retry_after = (answer.response.headers or {}).get("Retry-After")
        if not 200 <= status <= 299:
            raise _refusal(method, path, status, content, retry_after, kind)
        with _translated(f"{method} {path}"):
            parsed = nesting.loads(content, wrapping=2)
        if not isinstance(parsed, dict):
            raise errors.Transient(f"kubernetes: {method} {path}: the answer is not an object")
        return parsed


def operation(method: str, path: str, kind: str) -> str:
    """``get sklearnmodels``, ``apply inferenceservices``, ``update sklearnmodels/status``: Kubernetes' own verbs."""
    parts = path.strip("/").split("/")[2 if path.startswith("/api/") else 3 :]
    parts = parts[2:] if parts[0] == "namespaces" and len(parts) > 2 else parts
    verb = {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}.get(method, "get")
    if kind == _APPLY:
        verb = "apply"
    elif verb == "get" and len(parts) == 1:
        verb = "list"
    return f"{verb} {'/'.join((parts[0], *parts[2:]))}"


def _continued(token: str) -> list[tuple[str, str]]:
    return [("continue", token)] if token else []


@asynccontextmanager
async def connect(
    kubeconfig: str | None,
    field_manager: str,
    fence: fencing.Fence = fencing.unfenced,
    meter: metering.Meter = metering.unmetered,
) -> AsyncIterator[KubernetesClient]:
    """A client from ``kubeconfig``, or from the pod's own service account."""
    configuration = Configuration()
    try:
        if kubeconfig:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, client_configuration=configuration
            )
        else:
            await _in_cluster(configuration)
        configuration.connection_pool_maxsize = 32
        configuration.trace_configs = [_fenced(fence)]
        client = ApiClient(configuration)
    except (config_exception.ConfigException, yaml.YAMLError, OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise errors.Rejected(f"kubernetes: no way to the cluster ({kubeconfig or 'in cluster'}): {why}") from error
    async with client as api:
        yield KubernetesClient(api, field_manager, fence, meter)


def _fenced(fence: fencing.Fence) -> aiohttp.TraceConfig:
    """Asks the fence once more when a write has got its connection, for which it may have waited long."""

    async def started(
        _: aiohttp.ClientSession, context: SimpleNamespace, told: aiohttp.TraceRequestStartParams
    ) -> None:
        context.method = told.method

    async def connected(_: aiohttp.ClientSession, context: SimpleNamespace, told: object) -> None:
        if context.method != "GET":
            fence()

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(started)
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


async def _in_cluster(configuration: Configuration) -> None:
    loaded = config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    if asyncio.iscoroutine(loaded):
        await loaded


class _translated:
    """Turns the client's exceptions into ours, once, here."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (errors.BackendError, asyncio.CancelledError)):
            return
        if isinstance(error, TimeoutError):
            raise errors.Ambiguous(f"kubernetes: {self._what}: no answer in {_TIMEOUT:.0f} s") from error
        if isinstance(error, (aiohttp.ClientError, OSError, ssl.SSLError)):
            raise errors.Transient(f"kubernetes: {self._what}: {type(error).__name__}") from error
        if isinstance(error, orjson.JSONDecodeError):
            raise errors.Transient(f"kubernetes: {self._what}: the answer is not JSON") from error
        if isinstance(error, config_exception.ConfigException):
            raise errors.Transient(f"kubernetes: {self._what}: the credentials cannot be renewed") from error


def _refusal(
    method: str, path: str, status: int, content: bytes, retry_after: str | None, kind: str
) -> errors.BackendError:
    try:
        message = str(orjson.loads(content).get("message") or "")
    except (orjson.JSONDecodeError, AttributeError):
        message = ""
    text = f"kubernetes: {method} {path}: {status} {message}".strip()
    if status == 404:
        return errors.NotFound(text)
    if status == 409:
        return errors.Conflict(text)
    if status == 422 and kind == _JSON_PATCH and message.startswith(_PATCH_FAILED):
        return errors.Conflict(text)
    # Admission webhooks say no with a 403, as missing rights do; only theirs is about the object.
    if status in (400, 405, 413, 415, 422) or (status == 403 and _DENIED in message):
        return errors.Rejected(text)
    delay = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return errors.Transient(text, retry_after=delay)
