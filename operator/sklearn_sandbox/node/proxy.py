"""Services: a loopback port for each, that leads to the pods behind it.

Where it listens is written on the Service as the annotation `sandbox.sklearn-operator.io/address` (its first port), and
stays the same for as long as the Service lives, also across restarts of the agent.

Invariant: an address that is no longer ready in any EndpointSlice gets no new connection. A pod's end waits for that
(`until_dropped`), so the SIGTERM that follows finds no connection on its way. A real cluster sends it at once and so
leaves a small race, which here would only make tests fail for no reason of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from typing import Any

from sklearn_sandbox import state
from sklearn_sandbox.node import addresses, api, endpoints, forwarding, ledger

log = logging.getLogger(__name__)

ANNOTATION = "sandbox.sklearn-operator.io/address"
#: A pod's SIGTERM waits so long for its endpoint to go: without a controller manager it never goes.
DROP_SECONDS = 2.0
RETRY_SECONDS = 2.0
Key = tuple[str, str]


class Proxy:
    def __init__(self, server: api.Api, kept: ledger.Ledger, reserved: Collection[int] = ()) -> None:
        """`reserved`: ports that other parts of the sandbox will want."""
        self._api, self._ledger, self._reserved = server, kept, reserved
        self._services: dict[Key, api.Json] = {}
        self._slices: dict[str, api.Json] = {}
        self._forwarders: dict[Key, dict[str, forwarding.Forwarder]] = {}
        self._work: asyncio.Queue[Key] = asyncio.Queue()
        #: Set, and replaced, whenever endpoints change.
        self._changed = asyncio.Event()

    def service_seen(self, service: api.Json) -> None:
        self._services[_key(service)] = service
        self._work.put_nowait(_key(service))

    def service_gone(self, service: api.Json) -> None:
        self._services.pop(_key(service), None)
        self._work.put_nowait(_key(service))

    def slice_seen(self, found: api.Json) -> None:
        self._slices[found["metadata"]["uid"]] = found
        self._update(found)

    def slice_gone(self, found: api.Json) -> None:
        self._slices.pop(found["metadata"]["uid"], None)
        self._update(found)

    async def run(self) -> None:
        while True:
            key = await self._work.get()
            try:
                await self._settle(key)
            except (api.ApiError, OSError) as error:
                log.warning("service %s/%s: %s; again in %g s", *key, error, RETRY_SECONDS)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._work.put_nowait, key)

    async def until_dropped(self, address: str) -> None:
        """Returns when no Service would send a new connection to this pod."""
        host = addresses.real(address)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DROP_SECONDS):
                while self._serves(host):
                    await self._changed.wait()

    def prune(self) -> None:
        """Forget the ports of Services that went while no agent ran."""
        self._ledger.retain({"/".join(key) for key in self._services})

    def close(self) -> None:
        for ports in self._forwarders.values():
            for one in ports.values():
                one.close()

    async def _settle(self, key: Key) -> None:
        """Make what listens equal to what the Service says."""
        service = self._services.get(key)
        wanted = _ports(service) if service is not None else {}
        have = self._forwarders.setdefault(key, {})
        for name in set(have) - set(wanted):
            have.pop(name).close()
            self._ledger.forget(_entry(key, name))
        for name in wanted:
            if name not in have:
                have[name] = await self._listen(_entry(key, name))
        if not have:
            del self._forwarders[key]
        self._aim(key)
        if service is not None and have:
            first = self._ledger.ports[_entry(key, next(iter(wanted)))]
            await self._annotate(service, f"{state.LOOPBACK}:{first}")

    async def _listen(self, entry: str) -> forwarding.Forwarder:
        forwarder = forwarding.Forwarder()
        if (known := self._ledger.ports.get(entry)) is not None:
            with contextlib.suppress(OSError):
                await forwarder.listen(known)
                return forwarder
        port = state.free_port({*self._ledger.ports.values(), *self._reserved})
        await forwarder.listen(port)
        self._ledger.keep(entry, port)
        return forwarder

    async def _annotate(self, service: api.Json, address: str) -> None:
        metadata = service["metadata"]
        if (metadata.get("annotations") or {}).get(ANNOTATION) == address:
            return
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
        body = {"metadata": {"uid": metadata["uid"], "annotations": {ANNOTATION: address}}}
        with contextlib.suppress(api.NotFound, api.Conflict):
            await self._api.call("PATCH", path, body, api.MERGE)

    def _update(self, found: Mapping[str, Any]) -> None:
        metadata = found["metadata"]
        name = (metadata.get("labels") or {}).get(endpoints.SERVICE_LABEL)
        if name is not None:
            self._aim((metadata["namespace"], name))

    def _aim(self, key: Key) -> None:
        mine = [one for one in self._slices.values() if _belongs(one, key)]
        for name, forwarder in self._forwarders.get(key, {}).items():
            forwarder.backends = endpoints.backends(mine, name)
        self._changed.set()
        self._changed = asyncio.Event()

    def _serves(self, host: str) -> bool:
        every = [one for ports in self._forwarders.values() for one in ports.values()]
        return any(backend.ready and backend.host == host for one in every for backend in one.backends)


def _key(service: Mapping[str, Any]) -> Key:
    return service["metadata"]["namespace"], service["metadata"]["name"]


def _entry(key: Key, port: str) -> str:
    return "/".join([*key, port])


def _belongs(found: Mapping[str, Any], key: Key) -> bool:
    metadata = found["metadata"]
    return (metadata["namespace"], (metadata.get("labels") or {}).get(endpoints.SERVICE_LABEL)) == key


def _ports(service: Mapping[str, Any]) -> dict[str, int]:
    """Name to number of its TCP ports, in the manifest's order. The API server itself has an address already."""
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or _key(service) == ("default", "kubernetes"):
        return {}
    return {
        one.get("name") or "": one["port"] for one in spec.get("ports") or [] if one.get("protocol", "TCP") == "TCP"
    }
