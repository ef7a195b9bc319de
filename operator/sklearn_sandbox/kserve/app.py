"""Everything put together: port, webhooks, stores, workers.

Invariant: the webhooks answer before they are registered; they stay registered when this process ends, as KServe's do:
until it is back, InferenceServices and their pods are refused.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from sklearn_sandbox import pki
from sklearn_sandbox.knative import reconciler as knative
from sklearn_sandbox.kserve import (
    admission,
    children,
    client,
    faults,
    reconciler,
    runtimes,
    server,
    settings,
    stores,
    workload,
    workqueue,
)

WORKERS = 4
Work = Callable[[tuple[str, str]], Awaitable[None]]
log = logging.getLogger(__name__)


async def run(state: Path, port: int, kubeconfig: str, chosen: settings.Settings) -> None:
    """Until SIGTERM or SIGINT."""
    stopping, registered = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    now = _now()
    authority = pki.ensure_authority(state / "pki", now)
    pair = pki.ensure_server(authority, "kserve-webhooks", now)
    queue, knative_queue, misbehaviour = workqueue.WorkQueue(), workqueue.WorkQueue(), faults.Faults()
    async with client.connect(kubeconfig) as api:
        known = stores.Stores(api, queue.add, knative_queue.add)
        writer = children.Children(api, known)
        workers: list[tuple[Work, workqueue.WorkQueue]] = [
            (reconciler.Reconciler(api, known, misbehaviour, queue.add_later, _now, chosen, writer).reconcile, queue),
            (knative.Reconciler(api, known, writer, _now).reconcile, knative_queue),
        ]
        app = server.application(api, misbehaviour, lambda: known.synced and registered.is_set())
        async with server.serving(app, port, pair):
            work = asyncio.create_task(_work(api, known, workers, port, authority, registered, stopping))
            stop = asyncio.create_task(stopping.wait())
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if work.done():
                work.result()
            work.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def _work(
    api: client.Client,
    known: stores.Stores,
    workers: list[tuple[Work, workqueue.WorkQueue]],
    port: int,
    authority: pki.Authority,
    registered: asyncio.Event,
    stopping: asyncio.Event,
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(known.run(stopping))
        await _register(api, port, authority, stopping)
        registered.set()
        log.info("webhooks are registered at port %d", port)
        for work, queue in workers * WORKERS:
            group.create_task(_worker(work, queue))


async def _register(api: client.Client, port: int, authority: pki.Authority, stopping: asyncio.Event) -> None:
    bundle = base64.b64encode(authority.certificate.read_bytes()).decode()
    mutating, validating = admission.configurations(lambda path: f"https://{server.HOST}:{port}{path}", bundle)
    for resource, body in ((client.MUTATING, mutating), (client.VALIDATING, validating)):
        while True:
            try:
                await api.apply(resource, None, body)
                break
            except client.ApiError as error:
                log.warning("webhooks are not registered yet: %s", error)
                await client.pause(stopping, 0.5)


async def _worker(work: Work, queue: workqueue.WorkQueue) -> None:
    while True:
        key = await queue.take()
        failed = True
        try:
            await work(key)
            failed = False
        except client.ApiError as error:
            log.log(logging.DEBUG if error.status == 409 else logging.WARNING, "%s/%s: %s", *key, error)
        except (runtimes.InvalidSpec, workload.Unsupported) as error:
            log.info("%s/%s: %s", *key, error)
        except Exception:
            # A spec that surprises us must not take the other InferenceServices along; it is tried again later.
            log.exception("%s/%s: a fault of this stand-in", *key)
        finally:
            queue.done(key, failed=failed)
