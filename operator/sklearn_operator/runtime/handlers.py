"""Wake-ups: every event of our kinds and of their children puts a key on the queue, and nothing else.

Invariant: only ``on.event`` is used. Any other kind of kopf handler writes annotations or finalizers onto the user's
objects; this one leaves no trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import kopf

from sklearn_operator.backends import objects
from sklearn_operator.core import naming, observed
from sklearn_operator.runtime import cache as caching
from sklearn_operator.runtime.watches import Watches
from sklearn_operator.runtime.workqueue import WorkQueue

_BEFORE_KNOCKING_AGAIN = 10.0
CHILDREN = f"{naming.LABEL_MANAGED_BY}={naming.FIELD_MANAGER}"


def register(registry: kopf.OperatorRegistry, cache: caching.Cache, queue: WorkQueue[observed.ModelKey]) -> None:
    """Attaches the four wake-ups."""

    def receive(kind: str, event: Mapping[str, Any]) -> None:
        raw = event["object"]
        key = key_of(kind, raw)
        if key is None:
            return
        if event["type"] == "DELETED":
            cache.drop(kind, key, raw)
            queue.add(key)
        elif cache.put(kind, key, raw):
            queue.add(key)

    @kopf.on.event(naming.GROUP, naming.VERSION, "sklearnmodels", registry=registry)
    async def model(event: Mapping[str, Any], **_: Any) -> None:
        receive(caching.MODEL, event)

    @kopf.on.event(naming.GROUP, naming.VERSION, "sklearnmodelversions", registry=registry)
    async def version(event: Mapping[str, Any], **_: Any) -> None:
        receive(caching.VERSION, event)

    @kopf.on.event("serving.kserve.io", "v1beta1", "inferenceservices", registry=registry)
    async def service(event: Mapping[str, Any], **_: Any) -> None:
        receive(caching.SERVICE, event)

    @kopf.on.event("apps", "v1", "deployments", registry=registry)
    async def deployment(event: Mapping[str, Any], **_: Any) -> None:
        receive(caching.DEPLOYMENT, event)


def register_login(registry: kopf.OperatorRegistry, kubeconfig: str | None, watches: Watches) -> None:
    """kopf finds the credentials as it always does, and uses them through our session."""

    find = kopf.login_with_kubeconfig if kubeconfig else kopf.login_with_service_account
    refused: kopf.ConnectionInfo | None = None

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.AiohttpSession | None:
        nonlocal refused
        found = find(**kwargs)
        if found is not None and found == refused:
            # Every session looks new to kopf: without a pause it would knock with the same token as fast as it can.
            await asyncio.sleep(_BEFORE_KNOCKING_AGAIN)
            found = find(**kwargs)
        if found is None:
            return None
        refused = found
        return kopf.AiohttpSession(
            server=found.server,
            default_namespace=found.default_namespace,
            expiration=found.expiration,
            aiohttp_session=watches.session(found),
        )


def key_of(kind: str, raw: Mapping[str, Any]) -> observed.ModelKey | None:
    """The model that an object belongs to; None for a stranger."""
    metadata = raw["metadata"]
    name = metadata["name"] if kind == caching.MODEL else objects.owner_model(raw)
    return observed.ModelKey(metadata["namespace"], name) if name else None


def settings(*, cluster_wide: bool) -> kopf.OperatorSettings:
    """kopf as a mere transport: bounded, patient with outages, silent on the objects."""
    chosen = kopf.OperatorSettings()
    # Looking for namespaces and CRDs takes rights on the whole cluster; without them kopf would ask for ever.
    chosen.scanning.disabled = not cluster_wide
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    # kopf strips the finalizer that it takes for its own from objects without a deletion handler: never ours.
    chosen.persistence.finalizer = f"{naming.GROUP}/unused-by-kopf"
    chosen.persistence.diffbase_storage = _NoDifferences()
    chosen.persistence.progress_storage = _NoProgress()
    chosen.queueing.worker_limit = 64
    # A worker that idles keeps its slot: with the default of 5 s a limit of 64 would pass 13 objects a second.
    chosen.queueing.idle_timeout = 0.05
    chosen.queueing.error_delays = (1, 2, 4, 8, 15, 30, 60)
    chosen.networking.request_timeout = 30.0
    chosen.networking.connect_timeout = 5.0
    chosen.networking.enforce_retry_after = True
    chosen.networking.error_backoffs = _Backoffs()
    # Of its first listing kopf uses nothing (``watches``), so it need not be a long one.
    chosen.watching.chunk_size = 500
    chosen.watching.server_timeout = 300
    chosen.watching.client_timeout = 330.0
    # kopf kills the process when it cannot end by itself; our own end, with a word in the log, comes long before.
    chosen.process.ultimate_exiting_timeout = 120.0
    chosen.watching.label_selectors["serving.kserve.io", "inferenceservices"] = CHILDREN
    chosen.watching.label_selectors["apps", "deployments"] = CHILDREN
    return chosen


class _NoDifferences(kopf.DiffBaseStorage):
    """kopf compares every event's object with the last handled one, for kinds of handlers that there are not here.

    Its copies for that were more than half of what a restart with many models costs.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Nothing of ours is carried on from one event to the next, so nothing is looked for on the objects."""

    def fetch(self, **_: Any) -> kopf.ProgressRecord | None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class _Backoffs:
    """An outage of the API server ends some time: kopf's own default gives up after a minute and may lose a watch."""

    def __iter__(self) -> Any:
        yield from (0.5, 1, 2, 4, 8)
        while True:
            yield 10
