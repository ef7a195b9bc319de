"""A small vocabulary of the Kubernetes API over plain JSON, on the official asynchronous client.

Invariant: every refusal of the server leaves here as ApiError with its HTTP status; nothing is retried here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from sklearn_sandbox.kserve.names import Json

MANAGER = "kserve-controller"
TIMEOUT = 30.0
#: The server ends a watch after this long, and we start the next one from where it ended.
WATCH_SECONDS = 290
_WATCH = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=WATCH_SECONDS + 30.0)


class ApiError(Exception):
    """What the server refused, with its HTTP status; 0 where there was no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Resource:
    api_version: str
    plural: str

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        root = "/apis" if "/" in self.api_version else "/api"
        scope = [f"namespaces/{namespace}"] if namespace else []
        return "/".join([root, self.api_version, *scope, self.plural, *filter(None, [name, subresource])])


SERVICES = Resource("serving.kserve.io/v1beta1", "inferenceservices")
RUNTIMES = Resource("serving.kserve.io/v1alpha1", "servingruntimes")
CLUSTER_RUNTIMES = Resource("serving.kserve.io/v1alpha1", "clusterservingruntimes")
DEPLOYMENTS = Resource("apps/v1", "deployments")
ROUTES = Resource("gateway.networking.k8s.io/v1", "httproutes")
KNATIVE_SERVICES = Resource("serving.knative.dev/v1", "services")
REVISIONS = Resource("serving.knative.dev/v1", "revisions")
AUTOSCALERS = Resource("autoscaling/v2", "horizontalpodautoscalers")
CORE_SERVICES = Resource("v1", "services")
PODS = Resource("v1", "pods")
SECRETS = Resource("v1", "secrets")
ACCOUNTS = Resource("v1", "serviceaccounts")
EVENTS = Resource("v1", "events")
MUTATING = Resource("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations")
VALIDATING = Resource("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations")


class Client:
    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Json | None:
        try:
            return await self.call("GET", resource.path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, resource: Resource, selector: str | None = None) -> Json:
        query = [("labelSelector", selector)] if selector else []
        return await self.call("GET", resource.path(), query=query)

    async def create(self, resource: Resource, namespace: str | None, body: Json) -> Json:
        return await self.call("POST", resource.path(namespace), body=body, query=[("fieldManager", MANAGER)])

    async def apply(self, resource: Resource, namespace: str | None, body: Json) -> Json:
        """Server-side apply by force: what KServe makes, it owns."""
        path, query = resource.path(namespace, body["metadata"]["name"]), [("fieldManager", MANAGER), ("force", "true")]
        return await self.call("PATCH", path, body=body, query=query, kind="application/apply-patch+yaml")

    async def merge(self, resource: Resource, namespace: str | None, name: str, body: Json) -> Json:
        query = [("fieldManager", MANAGER)]
        path = resource.path(namespace, name)
        return await self.call("PATCH", path, body=body, query=query, kind="application/merge-patch+json")

    async def replace_status(self, resource: Resource, namespace: str, name: str, body: Json) -> Json:
        query = [("fieldManager", MANAGER)]
        return await self.call("PUT", resource.path(namespace, name, "status"), body=body, query=query)

    async def delete(self, resource: Resource, namespace: str | None, name: str) -> None:
        """In the background, if it is there."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            await self.call("DELETE", resource.path(namespace, name), body=body)
        except ApiError as error:
            if error.status != 404:
                raise

    async def watch(self, resource: Resource, version: str, selector: str | None = None) -> AsyncIterator[Json]:
        """Events after `version`; ends when the server ends it."""
        query = [("watch", "true"), ("resourceVersion", version), ("allowWatchBookmarks", "true")]
        query += [("timeoutSeconds", str(WATCH_SECONDS)), *([("labelSelector", selector)] if selector else [])]
        response = await self._send("GET", resource.path(), None, query, "application/json", _WATCH)
        try:
            if response.status != 200:
                raise _refused("GET", resource.path(), response.status, await response.read())
            buffer = b""
            async for chunk in response.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"watch of {resource.plural} broke: {type(error).__name__}") from error
        finally:
            response.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Sequence[tuple[str, str]] = (),
        kind: str | None = None,
    ) -> Json:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        response = await self._send(method, path, body, query, kind or "application/json", timeout)
        try:
            content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"{method} {path}: {type(error).__name__}") from error
        if not 200 <= response.status < 300:
            raise _refused(method, path, response.status, content)
        answer: Json = json.loads(content)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        body: Any,
        query: Sequence[tuple[str, str]],
        kind: str,
        timeout: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": kind}
        request = await self._api.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            send: Any = self._api.rest_client.request  # untyped
            answer = await send(*request, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"{method} {path}: {type(error).__name__}") from error
        response: aiohttp.ClientResponse = answer.response
        return response


@asynccontextmanager
async def connect(kubeconfig: str) -> AsyncIterator[Client]:
    configuration = Configuration()
    load: Any = config.load_kube_config  # untyped
    await load(config_file=kubeconfig, client_configuration=configuration)
    configuration.connection_pool_maxsize = 32
    async with ApiClient(configuration) as api:
        yield Client(api)


def _refused(method: str, path: str, status: int, content: bytes) -> ApiError:
    try:
        message = json.loads(content).get("message") or ""
    except (ValueError, AttributeError):
        message = content[:200].decode(errors="replace")
    return ApiError(status, str(message) or f"{method} {path}: {status}")


def key_of(thing: Mapping[str, Any]) -> tuple[str, str]:
    metadata = thing["metadata"]
    return str(metadata.get("namespace") or ""), str(metadata["name"])


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until the stop."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
