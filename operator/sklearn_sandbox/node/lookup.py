"""Secrets, ConfigMaps and tokens that pods refer to, always as they are now.

Invariant: something that is missing is said in the kubelet's own words, for that is what people search for.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any

from sklearn_sandbox.node import api


class Missing(Exception):
    """A reference that leads nowhere; the pod waits until it does."""


class Lookup:
    def __init__(self, server: api.Api) -> None:
        self._api = server

    @property
    def server(self) -> str:
        return self._api.server

    async def secret(self, namespace: str, name: str, optional: bool = False) -> dict[str, bytes] | None:
        found = await self._object("secrets", "secret", namespace, name, optional)
        return (
            None if found is None else {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
        )

    async def config_map(self, namespace: str, name: str, optional: bool = False) -> dict[str, bytes] | None:
        found = await self._object("configmaps", "configmap", namespace, name, optional)
        if found is None:
            return None
        texts = {key: text.encode() for key, text in (found.get("data") or {}).items()}
        return texts | {key: base64.b64decode(text) for key, text in (found.get("binaryData") or {}).items()}

    async def token(self, pod: Mapping[str, Any], audience: str | None, seconds: int) -> tuple[bytes, dt.datetime]:
        """A token bound to the pod, and when it ends."""
        metadata = pod["metadata"]
        account = pod["spec"].get("serviceAccountName", "default")
        path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"audiences": [audience] if audience else [], "expirationSeconds": seconds, "boundObjectRef": bound}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            status = (await self._api.call("POST", path, body))["status"]
        except api.NotFound:
            raise Missing(f'failed to fetch token: serviceaccounts "{account}" not found') from None
        return str(status["token"]).encode(), dt.datetime.fromisoformat(status["expirationTimestamp"])

    async def _object(self, plural: str, word: str, namespace: str, name: str, optional: bool) -> api.Json | None:
        try:
            return await self._api.call("GET", f"/api/v1/namespaces/{namespace}/{plural}/{name}")
        except api.NotFound:
            if optional:
                return None
            raise Missing(f'{word} "{name}" not found') from None
