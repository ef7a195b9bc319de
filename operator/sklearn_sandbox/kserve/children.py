"""Writing Service, Deployment and autoscaler, all three at once: none waits for another. The route is written alone.

Invariant: a child that is as it should be is not written. What counts as a difference is what KServe compares: the spec
of Deployment, autoscaler and route, the Service's ports and selector. Replicas belong to the autoscaler.
"""

from __future__ import annotations

import asyncio
import hashlib
import json

from sklearn_sandbox.kserve import client, names
from sklearn_sandbox.kserve.names import Json
from sklearn_sandbox.kserve.store import Store
from sklearn_sandbox.kserve.stores import Stores
from sklearn_sandbox.kserve.workload import Workload

Key = tuple[str, str]


class Children:
    def __init__(self, api: client.Client, stores: Stores) -> None:
        self._api, self._stores = api, stores
        #: What was applied last: (resource, namespace, name) -> digest of the manifest, generation it gave.
        self._applied: dict[tuple[str, str, str], tuple[str, int]] = {}

    async def ensure(self, service: Json, wanted: Workload) -> Json | None:
        """The Deployment as it now is; None where the InferenceService is stopped and its children are gone."""
        if names.stopped(service):
            for resource in (client.CORE_SERVICES, client.DEPLOYMENTS, client.AUTOSCALERS):
                await self._delete(resource, service, wanted.name)
            return None
        deployment, *others = await asyncio.gather(
            self._apply(client.DEPLOYMENTS, self._stores.deployments, wanted.deployment),
            self._service(wanted.service),
            self._autoscaler(service, wanted),
            return_exceptions=True,
        )
        for outcome in (deployment, *others):
            if isinstance(outcome, BaseException):
                raise outcome
        return deployment if isinstance(deployment, dict) else None

    async def route(self, service: Json, wanted: Json) -> Json | None:
        """The HTTPRoute as it now is; None where the InferenceService is stopped and it is gone."""
        if names.stopped(service):
            await self._delete(client.ROUTES, service, service["metadata"]["name"])
            return None
        return await self._apply(client.ROUTES, self._stores.routes, wanted)

    async def knative_service(self, service: Json, wanted: Json) -> Json | None:
        """The Knative Service as it now is; None where the InferenceService is stopped and it is gone."""
        if names.stopped(service):
            await self._delete(client.KNATIVE_SERVICES, service, wanted["metadata"]["name"])
            return None
        return await self._apply(client.KNATIVE_SERVICES, self._stores.knative_services, wanted)

    async def apply_route(self, wanted: Json) -> Json:
        return await self._apply(client.ROUTES, self._stores.routes, wanted)

    async def apply_deployment(self, wanted: Json) -> Json:
        return await self._apply(client.DEPLOYMENTS, self._stores.deployments, wanted)

    async def apply_service(self, wanted: Json) -> Json:
        return await self._apply(client.CORE_SERVICES, self._stores.core_services, wanted)

    async def remove_orphans(self, service: Json, expected: set[str]) -> None:
        """Predictors that the spec no longer names. Their autoscalers stay, as with KServe, until the owner goes."""
        namespace = service["metadata"]["namespace"]
        for resource, known in (
            (client.DEPLOYMENTS, self._stores.deployments),
            (client.CORE_SERVICES, self._stores.core_services),
        ):
            for item in list(known.all(namespace)):
                labels = names.labels_of(item)
                ours = labels.get(names.ISVC_LABEL) == service["metadata"]["name"]
                if ours and labels.get("component") == "predictor" and item["metadata"]["name"] not in expected:
                    await self._api.delete(resource, namespace, item["metadata"]["name"])

    def forget(self, key: Key) -> None:
        namespace, name = key
        for found in [item for item in self._applied if item[1] == namespace and f"{item[2]}-".startswith(f"{name}-")]:
            del self._applied[found]

    async def _service(self, wanted: Json) -> None:
        key = client.key_of(wanted)
        live = self._stores.core_services.get(key)
        if live is None or not _same_service(wanted["spec"], live["spec"]):
            self._stores.core_services.learn(await self._api.apply(client.CORE_SERVICES, key[0], wanted))

    async def _autoscaler(self, service: Json, wanted: Workload) -> None:
        if wanted.autoscaler is None:
            await self._delete(client.AUTOSCALERS, service, wanted.name)
        else:
            await self._apply(client.AUTOSCALERS, self._stores.autoscalers, wanted.autoscaler)

    async def _apply(self, resource: client.Resource, known: Store, wanted: Json) -> Json:
        """Without what is empty: it is not stored, and so the same again would be a write."""
        wanted = {**wanted, "metadata": {name: said for name, said in wanted["metadata"].items() if said}}
        key = client.key_of(wanted)
        live, place = known.get(key), (resource.plural, *key)
        digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
        if live is not None and self._applied.get(place) == (digest, _generation(live)):
            return live
        written = await self._api.apply(resource, key[0], wanted)
        known.learn(written)
        self._applied[place] = (digest, _generation(written))
        return written

    async def _delete(self, resource: client.Resource, service: Json, name: str) -> None:
        """Only what it controls, and only if it is there."""
        known = {
            client.DEPLOYMENTS: self._stores.deployments,
            client.CORE_SERVICES: self._stores.core_services,
            client.AUTOSCALERS: self._stores.autoscalers,
            client.ROUTES: self._stores.routes,
            client.KNATIVE_SERVICES: self._stores.knative_services,
        }[resource]
        namespace = service["metadata"]["namespace"]
        live = known.get((namespace, name))
        owners = (live or {}).get("metadata", {}).get("ownerReferences") or []
        if any(owner.get("uid") == service["metadata"]["uid"] for owner in owners):
            await self._api.delete(resource, namespace, name)


def _generation(live: Json) -> int:
    """Autoscalers and Services have none, then the version of the object has to do; they change seldom."""
    metadata = live["metadata"]
    return int(metadata.get("generation") or metadata["resourceVersion"])


def _same_service(wanted: Json, live: Json) -> bool:
    fields = ("name", "port", "targetPort", "protocol", "appProtocol")
    shown = [{key: port[key] for key in fields if key in port} for port in live.get("ports") or []]
    return bool(shown == wanted["ports"] and live.get("selector") == wanted["selector"])
