"""The composition root: builds everything from the settings, runs it, and takes it down in order.

Invariant: all dependencies enter through constructors here; no other module knows where anything comes from. Workers
start only after every kind was listed once, so that a restart never decides on half a picture.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import kopf

from sklearn_operator.backends import errors, kfp, kserve, kubernetes, s3
from sklearn_operator.core import naming, observed, parameters, pipeline
from sklearn_operator.runtime import cache as caching
from sklearn_operator.runtime import handlers, health, resources
from sklearn_operator.runtime.executor import Executor
from sklearn_operator.runtime.metrics import Metrics
from sklearn_operator.runtime.observer import Ledger, Observer
from sklearn_operator.runtime.reconciler import Reconciler
from sklearn_operator.runtime.runs import Runs
from sklearn_operator.runtime.settings import OperatorSettings
from sklearn_operator.runtime.workqueue import WorkQueue

_log = logging.getLogger(__name__)

_LISTED = (
    (caching.MODEL, kubernetes.MODELS, None),
    (caching.VERSION, kubernetes.VERSIONS, None),
    (caching.SERVICE, kubernetes.INFERENCE_SERVICES, {naming.LABEL_MANAGED_BY: naming.FIELD_MANAGER}),
    (caching.DEPLOYMENT, kubernetes.DEPLOYMENTS, {naming.LABEL_MANAGED_BY: naming.FIELD_MANAGER}),
)


async def run(settings: OperatorSettings, stop: asyncio.Event) -> None:
    """Runs the operator until ``stop`` is set."""
    async with AsyncExitStack() as stack:
        kubeconfig = settings.kubeconfig or os.environ.get("KUBECONFIG") or None
        client = await stack.enter_async_context(kubernetes.connect(kubeconfig, naming.FIELD_MANAGER))
        metrics, cache = Metrics(), caching.Cache()
        reconciler = await _reconciler(settings, client, cache, metrics, stack)
        queue = WorkQueue(_guarded(reconciler), workers=settings.workers)
        metrics.watch(lambda: len(queue), lambda: sum(1 for _ in cache.keys(caching.MODEL)))
        state = _State()
        await stack.enter_async_context(
            health.serving(settings.health_host, settings.health_port, lambda: state.ready, metrics)
        )
        await _prime(client, cache, settings.watched_namespaces(), stop)
        await _work(settings, kubeconfig, cache, queue, state, stop)


class _State:
    ready = False


async def _reconciler(
    settings: OperatorSettings,
    client: kubernetes.KubernetesClient,
    cache: caching.Cache,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> Reconciler:
    core = settings.for_core()
    catalogue = parameters.Catalogue.parse(resources.catalogue())
    pipelines = pipeline.BasePipelines.parse(resources.pipelines())
    backend = await stack.enter_async_context(
        kfp.connect(settings.kfp_url, token_file=settings.kfp_token_file or None, ca_file=settings.kfp_ca_file or None)
    )
    http = await stack.enter_async_context(await kserve.probe_client())
    store = s3.S3ArtifactStore(
        settings.store_uri,
        endpoint=settings.store_endpoint or None,
        region=settings.store_region,
        access_key_id=settings.store_access_key_id or None,
        secret_access_key=settings.store_secret_access_key.get_secret_value() or None,
    )
    ledger = Ledger()
    runs = Runs(backend, settings.kfp_poll_min * 0.8, time.monotonic)
    observer = Observer(client, cache, runs, store, kserve.HttpProber(http), core, ledger)
    executor = Executor(client, backend, store, runs, core, catalogue, pipelines, ledger, _now)
    return Reconciler(observer, executor, core, catalogue, metrics, _now)


def _now() -> datetime:
    return datetime.now(UTC)


def _guarded(reconciler: Reconciler) -> Callable[[observed.ModelKey], Awaitable[float | None]]:
    async def work(key: observed.ModelKey) -> float | None:
        try:
            return await reconciler.reconcile(key)
        except errors.BackendError:
            raise
        except Exception:
            _log.exception("%s: the pass broke off", key)
            raise

    return work


async def _prime(
    client: kubernetes.KubernetesClient, cache: caching.Cache, namespaces: Sequence[str], stop: asyncio.Event
) -> None:
    """Lists every kind once; waits, and says so, while that is not possible."""
    for kind, resource, selector in _LISTED:
        for namespace in namespaces or (None,):
            delay = 0.5
            while not stop.is_set():
                try:
                    listed = await client.list_objects(resource, namespace, selector)
                    break
                except errors.BackendError as error:
                    _log.error("cannot list %s yet: %s", resource.plural, error)
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, 10.0)
            else:
                return
            for raw in listed:
                key = handlers.key_of(kind, raw)
                if key is not None:
                    cache.put(kind, key, raw)


async def _work(
    settings: OperatorSettings,
    kubeconfig: str | None,
    cache: caching.Cache,
    queue: WorkQueue[observed.ModelKey],
    state: _State,
    stop: asyncio.Event,
) -> None:
    registry = kopf.OperatorRegistry()
    handlers.register(registry, cache, queue)
    _register_login(registry, kubeconfig)
    for kind in (caching.MODEL, caching.VERSION):
        for key in cache.keys(kind):
            queue.add(key)
    workers = asyncio.create_task(queue.run(), name="workers")
    resync = asyncio.create_task(_resync(cache, queue, settings.resync_period), name="resync")
    namespaces = settings.watched_namespaces()
    transport = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=handlers.settings(),
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
        ),
        name="transport",
    )
    state.ready = True
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({workers, resync, transport, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        state.ready = False
        stop.set()
        resync.cancel()
        workers.cancel()
        await asyncio.wait({workers, transport, stopping}, timeout=20)
    for task in (workers, transport):
        if task.done() and not task.cancelled() and task.exception() is not None:
            raise task.exception() or RuntimeError("unreachable")


def _register_login(registry: kopf.OperatorRegistry, kubeconfig: str | None) -> None:
    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        if kubeconfig:
            return kopf.login_with_kubeconfig(**kwargs)
        return kopf.login_with_service_account(**kwargs)


async def _resync(cache: caching.Cache, queue: WorkQueue[observed.ModelKey], period: float) -> None:
    """Looks at everything once per period, spread over it: what no event told is found here."""
    while True:
        await asyncio.sleep(period)
        for key in cache.keys(caching.MODEL):
            queue.add_after(key, random.uniform(0, period / 4))
