"""Everything the controller looks at, and which InferenceService a change of it concerns.

Invariant: the same changes wake KServe's controller: its own kind, the Deployments, Services and routes it owns, the
specs of runtimes in use, and of pods the states of their init containers, nothing else of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from sklearn_sandbox.knative import names as knative
from sklearn_sandbox.kserve import client, names, store
from sklearn_sandbox.kserve.names import Json

Key = tuple[str, str]


class Stores:
    def __init__(
        self, api: client.Client, wake: Callable[[Key], None], wake_knative: Callable[[Key], None] = lambda key: None
    ) -> None:
        """Called with InferenceServices and with Knative Services to look at."""
        self._wake, self._wake_knative = wake, wake_knative
        ours = names.ISVC_LABEL
        self.services = store.Store(api, client.SERVICES, self._service)
        self.deployments = store.Store(api, client.DEPLOYMENTS, self._owned, ours)
        self.core_services = store.Store(api, client.CORE_SERVICES, self._owned, ours)
        self.autoscalers = store.Store(api, client.AUTOSCALERS, lambda old, new: None, ours)
        self.routes = store.Store(api, client.ROUTES, self._owned)
        self.knative_services = store.Store(api, client.KNATIVE_SERVICES, self._knative_service)
        self.revisions = store.Store(api, client.REVISIONS, self._owned)
        self.pods = store.Store(api, client.PODS, self._pod, ours)
        self.namespaced = store.Store(api, client.RUNTIMES, self._runtime("servingRuntimeName"))
        self.cluster = store.Store(api, client.CLUSTER_RUNTIMES, self._runtime("clusterServingRuntimeName"))

    @property
    def every(self) -> list[store.Store]:
        """InferenceServices last: by the time they come, the rest is known."""
        return [
            self.cluster, self.namespaced, self.pods, self.autoscalers, self.core_services, self.deployments,
            self.routes, self.revisions, self.knative_services, self.services,
        ]  # fmt: skip

    async def run(self, stopping: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for one in self.every[:-1]:
                group.create_task(one.run(stopping))
            for one in self.every[:-1]:
                await one.synced.wait()
            group.create_task(self.services.run(stopping))

    @property
    def synced(self) -> bool:
        return all(one.synced.is_set() for one in self.every)

    def runtimes(self, namespace: str) -> tuple[Iterator[Json], Iterator[Json]]:
        return self.namespaced.all(namespace), self.cluster.all()

    def pods_of(self, service: Json, predictor_name: str) -> list[Json]:
        label, namespace = names.app_label(predictor_name), service["metadata"]["namespace"]
        return [pod for pod in self.pods.all(namespace) if names.labels_of(pod).get("app") == label]

    def pods_of_revision(self, service: Json, revision: str | None) -> list[Json]:
        namespace = service["metadata"]["namespace"]
        return [pod for pod in self.pods.all(namespace) if names.labels_of(pod).get(knative.REVISION) == revision]

    def _service(self, old: Json | None, new: Json | None) -> None:
        thing: Any = new or old
        self._wake(client.key_of(thing))

    def _knative_service(self, old: Json | None, new: Json | None) -> None:
        thing: Any = new or old
        self._wake_knative(client.key_of(thing))
        self._owned(old, new)

    def _owned(self, old: Json | None, new: Json | None) -> None:
        thing: Any = new or old
        self._of_knative(thing)
        for owner in thing["metadata"].get("ownerReferences") or []:
            if owner["kind"] == "InferenceService" and owner.get("controller"):
                self._wake((thing["metadata"]["namespace"], owner["name"]))

    def _of_knative(self, thing: Json) -> None:
        if name := names.labels_of(thing).get(knative.SERVICE):
            self._wake_knative((thing["metadata"]["namespace"], name))

    def _pod(self, old: Json | None, new: Json | None) -> None:
        self._of_knative(new or old or {})
        if old is None or new is None:
            return
        field = "initContainerStatuses"
        if (old.get("status") or {}).get(field) != (new.get("status") or {}).get(field):
            self._wake((new["metadata"]["namespace"], names.labels_of(new)[names.ISVC_LABEL]))

    def _runtime(self, field: str) -> store.Changed:
        """A new runtime wakes nobody: who waits for it tries again by itself."""

        def changed(old: Json | None, new: Json | None) -> None:
            if old is None or new is None or old["spec"] == new["spec"]:
                return
            name, namespace = new["metadata"]["name"], new["metadata"].get("namespace")
            for service in self.services.all(namespace):
                if (service.get("status") or {}).get(field) == name:
                    self._wake(client.key_of(service))

        return changed
