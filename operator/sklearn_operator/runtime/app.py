"""The composition root: builds everything from the settings, runs it, and takes it down in order.

Invariant: all dependencies enter through constructors here; no other module knows where anything comes from. Workers
start only after every kind was listed once, so that a restart never decides on half a picture, and only while this
process is the leader, where there is a Lease. One that stands by lists and watches like the leader: what it has to do
when its time comes is to begin.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import kopf

from sklearn_operator.backends import errors, fencing, kfp, kserve, kubernetes, stores
from sklearn_operator.core import naming, observed, parameters, pipeline
from sklearn_operator.runtime import cache as caching
from sklearn_operator.runtime import (
    contact,
    election,
    fleet,
    handlers,
    health,
    lease,
    listing,
    logs,
    resources,
    tracing,
    watches,
)
from sklearn_operator.runtime.executor import Executor
from sklearn_operator.runtime.ledger import Ledger
from sklearn_operator.runtime.metrics import Metrics
from sklearn_operator.runtime.observer import Observer
from sklearn_operator.runtime.reconciler import Reconciler
from sklearn_operator.runtime.runs import Runs
from sklearn_operator.runtime.settings import OperatorSettings
from sklearn_operator.runtime.workqueue import WorkQueue

_log = logging.getLogger(__name__)

#: Kubernetes kills after 30 s: the pass under way ends first, then kopf.
_LAST_ACTIONS = 15.0
_TRANSPORT_END = 10.0


async def run(settings: OperatorSettings, stop: asyncio.Event, claim_signals: Callable[[], None]) -> None:
    """Runs the operator until ``stop`` is set; raises when a part of it fails for good.

    kopf takes the process's signals for itself when it starts; ``claim_signals`` is called to take them back.
    """
    async with AsyncExitStack() as stack:
        kubeconfig = settings.kubeconfig or os.environ.get("KUBECONFIG") or None
        leader = await _leadership(settings, kubeconfig, stack)
        fence = leader.fence if leader is not None else fencing.unfenced
        metrics, cache, ledger = Metrics(), caching.Cache(), Ledger(_now())
        tracer = tracing.start(os.environ, metrics)
        stack.callback(tracer.close)
        client = await stack.enter_async_context(
            kubernetes.connect(kubeconfig, naming.FIELD_MANAGER, fence, metrics.called)
        )
        backend = await _pipelines(settings, fence, metrics, stack)
        reconciler = await _reconciler(settings, client, backend, fence, cache, metrics, tracer, ledger, stop, stack)
        queue = WorkQueue(
            _guarded(reconciler), workers=settings.workers, waited=metrics.waited, retried=metrics.retried
        )
        metrics.watch(
            depth=lambda: len(queue) if leader is None or leader.holds else 0,
            failing=lambda: queue.failing,
            longest=lambda: queue.longest,
            leading=lambda: leader is None or leader.holds,
            fleet=fleet.Fleet(cache, per_model=settings.metrics_per_model),
        )
        state = health.State(longest_pass=lambda: queue.longest)
        if leader is not None:
            state.standing_by = lambda: leader.waiting
        await stack.enter_async_context(health.serving(settings.health_host, settings.health_port, state, metrics))
        lister = listing.Lister(client, cache, settings.watched_namespaces(), metrics)
        await lister.prime(stop, state.note)
        if stop.is_set():
            return
        for kind in (caching.MODEL, caching.VERSION):
            for key in cache.keys(kind):
                queue.add(key)
        transport = _Transport(settings, kubeconfig, cache, queue, lister.revisions)

        async def lead() -> None:
            if leader is not None:
                await leader.won.wait()
            ledger.begin(_now())
            await tracer.resume(cache, _now())
            await queue.run()

        parts = {
            "workers": lead(),
            "resync": lister.resync(queue, settings.resync_period),
            "contact": contact.watch(backend, bool(settings.kfp_token_file), state.note),
        }
        await _work(parts, transport, leader, state, stop, claim_signals)


async def _leadership(
    settings: OperatorSettings, kubeconfig: str | None, stack: AsyncExitStack
) -> lease.Leadership | None:
    if not settings.lease_namespace:
        return None
    client = await stack.enter_async_context(kubernetes.connect(kubeconfig, naming.FIELD_MANAGER))
    identity, terms = lease.identity_of(settings.identity), election.Terms(settings.lease_duration)
    return lease.Leadership(client, settings.lease_namespace, settings.lease_name, identity, terms)


async def _pipelines(
    settings: OperatorSettings, fence: fencing.Fence, metrics: Metrics, stack: AsyncExitStack
) -> kfp.KfpBackend:
    return await stack.enter_async_context(
        kfp.connect(
            settings.kfp_url,
            token_file=settings.kfp_token_file or None,
            ca_file=settings.kfp_ca_file or None,
            ui_url=settings.kfp_ui_url or None,
            fence=fence,
            meter=metrics.called,
        )
    )


async def _reconciler(
    settings: OperatorSettings,
    client: kubernetes.KubernetesClient,
    backend: kfp.KfpBackend,
    fence: fencing.Fence,
    cache: caching.Cache,
    metrics: Metrics,
    tracer: tracing.Tracer,
    ledger: Ledger,
    stop: asyncio.Event,
    stack: AsyncExitStack,
) -> Reconciler:
    core = settings.for_core()
    catalogue = parameters.Catalogue.parse(resources.catalogue(), core.packages)
    pipelines = pipeline.BasePipelines.parse(resources.pipelines())
    http = await stack.enter_async_context(await kserve.probe_client())
    access = stores.Access(
        settings.store_endpoint or None,
        settings.store_region,
        settings.store_access_key_id or None,
        settings.store_secret_access_key.get_secret_value() or None,
    )
    opened = stores.Stores(access, settings.allowed_store_hosts(), client, fence, metrics.called)
    runs = Runs(backend, settings.kfp_poll_min * 0.8, time.monotonic)
    observer = Observer(
        client, cache, runs, opened, kserve.HttpProber(http, metrics.called), core, ledger, reached=settings.reached
    )
    executor = Executor(client, backend, opened, runs, core, catalogue, pipelines, ledger, _now)
    return Reconciler(observer, executor, core, catalogue, metrics, _now, stop.is_set, tracer)


def _now() -> datetime:
    return datetime.now(UTC)


def _guarded(reconciler: Reconciler) -> Callable[[observed.ModelKey], Awaitable[float | None]]:
    """The reconciler says itself what an outside system will not do; what is left are bugs, told in full once each."""
    told: dict[observed.ModelKey, str] = {}

    async def work(key: observed.ModelKey) -> float | None:
        try:
            delay = await reconciler.reconcile(key)
        except errors.BackendError:
            raise
        except Exception as bug:
            again = told.get(key) == repr(bug)
            told[key] = repr(bug)
            with logs.about(model=str(key)):
                _log.error("the pass broke off: %r", bug, exc_info=None if again else bug)
            raise
        told.pop(key, None)
        return delay

    return work


class _Transport:
    """kopf, with its own way to end: the workers' last actions come first."""

    def __init__(
        self,
        settings: OperatorSettings,
        kubeconfig: str | None,
        cache: caching.Cache,
        queue: WorkQueue[observed.ModelKey],
        listed: Mapping[str, int],
    ) -> None:
        self._namespaces = settings.watched_namespaces()
        kinds = listing.paths(self._namespaces)

        def known(path: str, raw: Mapping[str, Any]) -> bool:
            key = handlers.key_of(kinds[path], raw)
            return key is None or cache.holds(kinds[path], key, raw)

        self.watches = watches.Watches(list(kinds), known=known, listed=listed)
        self.started, self.stop = asyncio.Event(), asyncio.Event()
        self._registry = kopf.OperatorRegistry()
        handlers.register(self._registry, cache, queue)
        handlers.register_login(self._registry, kubeconfig, self.watches)

    async def run(self) -> None:
        operator = kopf.operator(
            registry=self._registry,
            settings=handlers.settings(cluster_wide=not self._namespaces),
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=self.stop,
            ready_flag=self.started,
        )
        try:
            await operator
        except Exception as error:  # whatever it is: without kopf nobody tells us anything
            raise watches.Blind(f"kopf has failed: {type(error).__name__}: {str(error)[:200]}") from error
        if not self.stop.is_set():
            raise watches.Blind("kopf has ended by itself")


async def _work(
    parts: Mapping[str, Coroutine[Any, Any, None]],
    transport: _Transport,
    leader: lease.Leadership | None,
    state: health.State,
    stop: asyncio.Event,
    claim_signals: Callable[[], None],
) -> None:
    async def claimed() -> None:
        await transport.started.wait()
        claim_signals()
        await stop.wait()

    # Whatever exists before kopf starts, kopf leaves alone when it ends.
    stopping = asyncio.create_task(claimed(), name="stop")
    working = {asyncio.create_task(part, name=name) for name, part in parts.items()}
    watching = asyncio.create_task(transport.run(), name="transport")
    working.add(asyncio.create_task(transport.watches.guard(), name="watch guard"))
    campaign = {asyncio.create_task(leader.campaign(), name="campaign")} if leader is not None else set()
    state.ready = True
    done: set[asyncio.Task[None]] = set()
    try:
        done, _ = await asyncio.wait({stopping, watching, *working, *campaign}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        state.ready = False
        stop.set()
        if done & campaign:
            # Somebody else acts. Nothing may be written any more: after the first call passes would be finished, so the
            # second breaks them off, before the connections that they use are closed.
            await _ended(working, 0.1)
            await _ended(working, 1.0)
        else:
            # The last actions are taken under the Lease; it is given back as soon as there are none.
            await _ended(working, _LAST_ACTIONS)
            await _ended(campaign, 1.0)
            if leader is not None:
                await leader.resign()
            transport.stop.set()
            await asyncio.wait({watching, stopping}, timeout=_TRANSPORT_END)
    for task in (*done, watching, *working, *campaign):
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def _ended(tasks: set[asyncio.Task[None]], seconds: float) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
