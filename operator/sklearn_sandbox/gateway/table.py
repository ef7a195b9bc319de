"""What routes, Services and endpoints say, as far as a request has to know it.

Invariant: no waiting and no I/O; whoever waits for a change is woken by every one of them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn_sandbox.knative import names
from sklearn_sandbox.node import api, endpoints, proxy

Key = tuple[str, str]
#: Where a route says nothing about it.
TIMEOUT_SECONDS = 60.0
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True)
class Backend:
    """`address` is None where no connection would find anybody."""

    name: str
    weight: int
    address: str | None
    #: Namespace and name of the Deployment to wake then, if it is one that may sleep.
    scales: Key | None = None


class Table:
    def __init__(self) -> None:
        self.routes: dict[Key, api.Json] = {}
        self._services: dict[Key, api.Json] = {}
        #: Slices by the Service they belong to, then by their uid.
        self._slices: dict[Key, dict[str, api.Json]] = {}
        self._changed = asyncio.Event()

    async def until_changed(self) -> None:
        await self._changed.wait()

    def route_seen(self, route: api.Json) -> None:
        self.routes[key_of(route)] = route
        self._wake()

    def route_gone(self, route: api.Json) -> None:
        self.routes.pop(key_of(route), None)
        self._wake()

    def service_seen(self, service: api.Json) -> None:
        self._services[key_of(service)] = service
        self._wake()

    def service_gone(self, service: api.Json) -> None:
        self._services.pop(key_of(service), None)
        self._wake()

    def slice_seen(self, found: api.Json) -> None:
        self._slices.setdefault(_service_of(found), {})[found["metadata"]["uid"]] = found
        self._wake()

    def slice_gone(self, found: api.Json) -> None:
        key = _service_of(found)
        mine = self._slices.get(key, {})
        mine.pop(found["metadata"]["uid"], None)
        if not mine:
            self._slices.pop(key, None)
        self._wake()

    def backends(self, key: Key) -> list[Backend]:
        """Of the one rule; none where the route is gone."""
        found = _rule(self.routes.get(key)).get("backendRefs") or []
        return [self._backend(one, (one.get("namespace") or key[0], one["name"])) for one in found]

    def sleepers(self) -> dict[Key, bool]:
        """The Deployments that may go to zero, and whether pods of theirs take requests now."""
        named = {_scales(service): key for key, service in self._services.items()}
        return {scales: self._address(key) is not None for scales, key in named.items() if scales is not None}

    def seconds(self, key: Key) -> float | None:
        """The time that a request may take; None: as long as it likes."""
        said = (_rule(self.routes.get(key)).get("timeouts") or {}).get("request")
        if said is None:
            return TIMEOUT_SECONDS
        return sum(float(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)(ms|h|m|s)", said)) or None

    def _backend(self, reference: Mapping[str, Any], key: Key) -> Backend:
        scales = _scales(self._services.get(key) or {})
        return Backend(reference["name"], reference.get("weight", 1), self._address(key), scales)

    def _address(self, key: Key) -> str | None:
        return _notes(self._services.get(key) or {}).get(proxy.ANNOTATION) if self._answered(key) else None

    def _answered(self, key: Key) -> bool:
        """As kube-proxy sees it: an endpoint that is ready, or at least one that ends but still serves."""
        every = [one for found in self._slices.get(key, {}).values() for one in found.get("endpoints") or []]
        said = [one.get("conditions") or {} for one in every]
        return any(one.get("ready", True) or (one.get("terminating") and one.get("serving")) for one in said)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def key_of(thing: Mapping[str, Any]) -> Key:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def _notes(thing: Mapping[str, Any]) -> Mapping[str, str]:
    return thing.get("metadata", {}).get("annotations") or {}


def _scales(service: Mapping[str, Any]) -> Key | None:
    name = _notes(service).get(names.SCALES)
    return (service["metadata"]["namespace"], name) if name else None


def _service_of(found: Mapping[str, Any]) -> Key:
    metadata = found["metadata"]
    return metadata["namespace"], (metadata.get("labels") or {}).get(endpoints.SERVICE_LABEL, "")


def _rule(route: Mapping[str, Any] | None) -> Mapping[str, Any]:
    rules = (route or {}).get("spec", {}).get("rules") or [{}]
    first: Mapping[str, Any] = rules[0]
    return first
