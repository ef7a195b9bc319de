"""The node agent's composition root: who is told what, and in which order everything begins and ends.

Restarts: an agent never takes over the processes of an earlier one. Whatever an agent that was killed left behind is
found by its environment and killed before the first pod is looked at; pods whose policy allows it then start again, one
restart later. On SIGTERM the agent stops its pods' processes itself.

Invariant: at no time do two processes stand for one container.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import shutil
import socket
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from sklearn_sandbox import images, pki, state
from sklearn_sandbox.node import (
    addresses,
    api,
    events,
    kubelet,
    ledger,
    lookup,
    pod,
    process,
    proxy,
    registration,
    surroundings,
    tasks,
    watching,
)

log = logging.getLogger(__name__)

BACKOFF_SECONDS = 10.0
#: How long processes may take to end when the agent itself is stopped; its own keeper waits twenty seconds.
SHUT_DOWN_SECONDS = 10.0


class Node:
    """The pods of this node by uid."""

    def __init__(self, around: surroundings.Surroundings) -> None:
        self._around = around
        self._pods: dict[str, pod.Pod] = {}
        self._burials = tasks.Tasks()

    def listed(self, found: Iterable[api.Json]) -> None:
        """Who has an address keeps it, before anybody new gets one."""
        for one in found:
            address = (one.get("status") or {}).get("podIP")
            if address and one["status"].get("phase") not in ("Succeeded", "Failed"):
                self._around.addresses.take(one["metadata"]["uid"], address)

    def seen(self, found: api.Json) -> None:
        uid = found["metadata"]["uid"]
        if uid in self._pods:
            self._pods[uid].observe(found)
        else:
            self._pods[uid] = pod.Pod(found, self._around)
            self._pods[uid].begin()

    def gone(self, found: api.Json) -> None:
        one = self._pods.pop(found["metadata"]["uid"], None)
        if one is not None:
            self._burials.start(one.bury(), f"burial of {one.name}")

    def find(self, namespace: str, name: str) -> pod.Pod | None:
        return next((one for one in self._pods.values() if one.name == (namespace, name)), None)

    def sweep(self) -> None:
        """Drop the folders of pods that went while no agent ran."""
        root = self._around.home / "pods"
        for folder in root.iterdir() if root.exists() else ():
            if folder.name not in self._pods:
                shutil.rmtree(folder, ignore_errors=True)

    async def shut_down(self) -> None:
        await asyncio.gather(*(one.shut_down(SHUT_DOWN_SECONDS) for one in self._pods.values()))
        await self._burials.stop()


async def run(home: Path, port: int, environ: Mapping[str, str], stop: asyncio.Event) -> None:
    """Until `stop` is set."""
    killed = await asyncio.to_thread(process.kill_orphans, home)
    if killed:
        log.warning("killed %d processes of pods that an earlier agent left behind", killed)
    subnet, holder = addresses.claim(home)
    connector = aiohttp.TCPConnector(force_close=True)
    with contextlib.closing(holder):
        async with api.connect(environ["KUBECONFIG"]) as server, aiohttp.ClientSession(connector=connector) as session:
            await _serve(home, port or _any_port(), environ, stop, server, session, subnet)


async def _serve(
    home: Path,
    port: int,
    environ: Mapping[str, str],
    stop: asyncio.Event,
    server: api.Api,
    session: aiohttp.ClientSession,
    subnet: int,
) -> None:
    has = registration.capacity()
    kept = ledger.Ledger(home / "node.json")
    told, forwarding = (
        events.Recorder(server, registration.NAME),
        proxy.Proxy(server, kept, _reserved(home)),
    )
    around = surroundings.Surroundings(
        home=home,
        api=server,
        lookup=lookup.Lookup(server),
        events=told,
        addresses=addresses.Addresses(subnet),
        images=images.catalogue(environ),
        http=session,
        capacity=has,
        backoff=float(environ.get("SANDBOX_BACKOFF_BASE", BACKOFF_SECONDS)),
        until_dropped=forwarding.until_dropped,
    )
    node, registered = Node(around), registration.Registration(server, has, port)
    web, background = kubelet.Kubelet(node.find), tasks.Tasks()
    authority = pki.Authority(home / "pki")
    await web.listen(port, pki.ensure_server(authority, "node", dt.datetime.now(dt.UTC)), authority.certificate)
    mine = [("fieldSelector", f"spec.nodeName={registration.NAME}")]
    slices = "/apis/discovery.k8s.io/v1/endpointslices"
    followers = {
        "services": watching.Follower(server, "/api/v1/services", forwarding.service_seen, forwarding.service_gone),
        "endpoints": watching.Follower(server, slices, forwarding.slice_seen, forwarding.slice_gone),
        "pods": watching.Follower(server, "/api/v1/pods", node.seen, node.gone, mine, node.listed),
    }
    for name, follower in followers.items():
        background.start(follower.run(), name)
    for name, work in {"events": told.run(), "proxy": forwarding.run()}.items():
        background.start(work, name)
    ends = (stop, background.failed)
    try:
        if await _either(watching.synced(followers.values()), ends):
            node.sweep()
            forwarding.prune()
            # Only now: what the last agent said about its pods is corrected before the node counts as ready again.
            background.start(registered.run(), "registration")
            log.info("node %s is up, pods at %s%d.0/24", registration.NAME, addresses.REAL, subnet)
            await _either(asyncio.Event().wait(), ends)
    finally:
        log.info("stopping")
        await background.stop()
        await asyncio.gather(_leave(registered), node.shut_down())
        forwarding.close()
        await web.close()
    if background.failed.is_set():
        raise RuntimeError("a part of the agent failed; its log says which")


async def _leave(registered: registration.Registration) -> None:
    """An API server that is gone, too, does not hold us up."""
    with contextlib.suppress(api.ApiError, TimeoutError):
        async with asyncio.timeout(pod.LAST_WORDS_SECONDS):
            await registered.leave()


async def _either(work: Coroutine[Any, Any, object], ends: Sequence[asyncio.Event]) -> bool:
    """Whether the work was done before one of the ends came."""
    tried = asyncio.ensure_future(work)
    over = [asyncio.ensure_future(end.wait()) for end in ends]
    await asyncio.wait([tried, *over], return_when=asyncio.FIRST_COMPLETED)
    done = tried.done() and not any(end.is_set() for end in ends)
    for one in [tried, *over]:
        one.cancel()
    return done


def _reserved(home: Path) -> set[int]:
    """Ports of components, and of routes whose gateway may just not be there."""
    return {*state.load(home).ports.values(), *ledger.Ledger(home / "gateway.json").ports.values()}


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
