"""What the API is told about one pod.

Invariant: a status is written only when it differs from the one written last, and never onto a namesake of the pod.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sklearn_sandbox.node import api, states

READINESS = ("Ready", "ContainersReady")


def path(pod: Mapping[str, Any]) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


class Report:
    def __init__(self, server: api.Api) -> None:
        self._api = server
        self._said: dict[str, Any] | None = None
        self._version = 0

    def compare(self, pod: api.Json) -> None:
        """The node controller takes readiness away when this node seemed lost; then it has to be said again."""
        newer = int(pod["metadata"]["resourceVersion"]) > self._version
        if self._said is not None and newer and _readiness(pod.get("status") or {}) != _readiness(self._said):
            self._said = None

    async def tell(self, picture: states.Picture) -> None:
        """Raises api.ApiError; then it is not said."""
        pod = picture.pod
        shown = (pod.get("status") or {}).get("conditions") or []
        known = {one["type"]: one for one in [*shown, *(self._said or {}).get("conditions", [])]}
        wanted = states.status(picture, {"conditions": list(known.values())}, dt.datetime.now(dt.UTC))
        if wanted == self._said:
            return
        # A merge would add to the addresses of an earlier life, which may be others.
        merged = wanted | {"podIPs": [{"$patch": "replace"}, *wanted["podIPs"]]}
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": merged}
        answer = await self._api.call("PATCH", path(pod) + "/status", body, api.STRATEGIC)
        self._said, self._version = wanted, int(answer["metadata"]["resourceVersion"])


def _readiness(status: Mapping[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status.get("conditions") or [] if one["type"] in READINESS}
