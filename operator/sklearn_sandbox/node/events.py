"""Kubernetes Events about pods, as `kubectl describe` shows them.

Invariant: telling never delays or fails the work; a repeated event counts up instead of making another object.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import time
from collections.abc import Mapping
from typing import Any

from sklearn_sandbox.node import api, states

log = logging.getLogger(__name__)

COMPONENT = "kubelet"
#: The same event of the same pod is told at most this often.
QUIET_SECONDS = 10.0


class Recorder:
    def __init__(self, server: api.Api, node: str) -> None:
        self._api, self._node = server, node
        self._known: dict[tuple[str, str, str], tuple[str, int, float]] = {}
        self._queue: asyncio.Queue[tuple[Mapping[str, Any], str, str, str, str | None]] = asyncio.Queue(maxsize=1000)

    def normal(self, pod: Mapping[str, Any], reason: str, message: str, container: str | None = None) -> None:
        self._put((pod, "Normal", reason, message, container))

    def warning(self, pod: Mapping[str, Any], reason: str, message: str, container: str | None = None) -> None:
        self._put((pod, "Warning", reason, message, container))

    def forget(self, uid: str) -> None:
        self._known = {key: value for key, value in self._known.items() if key[0] != uid}

    async def run(self) -> None:
        while True:
            told = await self._queue.get()
            try:
                await self._tell(*told)
            except api.ApiError as error:  # an event is a courtesy: a namespace that ends refuses them, for one
                log.debug("event not written: %s", error)

    def _put(self, told: tuple[Mapping[str, Any], str, str, str, str | None]) -> None:
        try:
            self._queue.put_nowait(told)
        except asyncio.QueueFull:
            log.warning("too many events; dropped: %s %s", told[2], told[3])

    async def _tell(self, pod: Mapping[str, Any], kind: str, reason: str, message: str, container: str | None) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        now, key = states.stamp(dt.datetime.now(dt.UTC)), (metadata["uid"], reason, message)
        name, count, told = self._known.get(key, ("", 0, 0.0))
        if name:
            if time.monotonic() - told < QUIET_SECONDS:
                return
            self._known[key] = (name, count + 1, time.monotonic())
            try:
                await self._api.call("PATCH", f"{path}/{name}", {"count": count + 1, "lastTimestamp": now}, api.MERGE)
                return
            except api.NotFound:  # events live for an hour
                count = 0
        name = f"{metadata['name']}.{time.time_ns():x}"
        subject = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        }
        body = {
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "involvedObject": subject | ({"fieldPath": f"spec.containers{{{container}}}"} if container else {}),
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": COMPONENT, "host": self._node},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": count + 1,
        }
        self._known[key] = (name, count + 1, time.monotonic())
        await self._api.call("POST", path, body)
