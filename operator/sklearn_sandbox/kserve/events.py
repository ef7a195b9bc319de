"""Kubernetes events about an InferenceService; the same event again counts up the first one.

Invariant: an event that cannot be written is logged and forgotten: events are news, not state.
"""

from __future__ import annotations

import hashlib
import logging

from sklearn_sandbox.kserve import client
from sklearn_sandbox.kserve.names import Json

COMPONENT = "v1beta1Controllers"
log = logging.getLogger(__name__)


class Recorder:
    def __init__(self, api: client.Client) -> None:
        self._api = api
        self._counts: dict[str, int] = {}

    async def record(self, about: Json, kind: str, reason: str, message: str, now: str) -> None:
        """`kind` is Normal or Warning."""
        metadata = about["metadata"]
        said = "/".join([metadata["uid"], kind, reason, message])
        name = f"{metadata['name']}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"
        count = self._counts[name] = self._counts.get(name, 0) + 1
        event: Json = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1000],
            "source": {"component": COMPONENT},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": count,
        }
        try:
            if count == 1:
                await self._api.create(client.EVENTS, metadata["namespace"], event)
            else:
                news = {"count": count, "lastTimestamp": now}
                await self._api.merge(client.EVENTS, metadata["namespace"], name, news)
        except client.ApiError as error:
            log.warning("event %s about %s was not written: %s", reason, metadata["name"], error)
