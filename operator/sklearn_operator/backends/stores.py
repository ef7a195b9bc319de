"""Which store a place is: the operator's own, or one that a Secret of the namespace opens.

Invariant: credentials of a Secret open only what is named in the same namespace, at an endpoint that the operator's
settings allow, and are kept nowhere but in the clients that they made.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn_operator.backends import errors, fencing, kubernetes, metering, ports, s3
from sklearn_operator.core import places
from sklearn_steps import hosts

_CLIENTS = 64  # of other stores than the operator's own
_NEEDED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True)
class Access:
    """How a store is reached; without keys by what the environment says (workload identity)."""

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)


class Stores:
    """``allowed``: hosts of endpoints that Secrets may name besides the operator's own and AWS."""

    def __init__(
        self,
        own: Access,
        allowed: Collection[str],
        client: kubernetes.KubernetesClient,
        fence: fencing.Fence = fencing.unfenced,
        meter: metering.Meter = metering.unmetered,
    ) -> None:
        self._fence = fence
        self._own = own
        self._meter = meter
        self._allowed = allowed
        self._client = client
        self._clients: dict[tuple[str, str, Access], s3.S3ArtifactStore] = {}

    async def of(self, place: places.Place) -> ports.ArtifactStore:
        """Raises Transient where the Secret does not open anything: to mend it is enough."""
        opened_by = _secret(place) if place.secret else "the operator's store credentials"
        access = await self._opened(place, opened_by) if place.secret else self._own
        bucket = "/".join(place.uri.split("/")[:3])
        # Of two tenants with the same keys, neither is told the other's Secret.
        known = self._clients.pop((bucket, opened_by, access), None)
        store = known or s3.S3ArtifactStore(
            bucket,
            endpoint=access.endpoint,
            region=access.region,
            access_key_id=access.access_key_id,
            secret_access_key=access.secret_access_key,
            opened_by=opened_by,
            fence=self._fence,
            meter=self._meter,
        )
        self._clients[bucket, opened_by, access] = store
        if len(self._clients) > _CLIENTS:
            del self._clients[next(iter(self._clients))]
        return store

    async def _opened(self, place: places.Place, what: str) -> Access:
        raw = await self._client.get(kubernetes.SECRETS, place.namespace, str(place.secret))
        if raw is None:
            raise errors.Transient(f"store: {what} does not exist; create it with {' and '.join(_NEEDED)}")
        values = _decoded(raw.get("data") or {}, what)
        missing = [key for key in _NEEDED if not values.get(key)]
        if missing:
            raise errors.Transient(f"store: {what} has no {' and no '.join(missing)}; add what is missing")
        endpoint = values.get("AWS_ENDPOINT_URL") or None
        if endpoint not in (None, self._own.endpoint) and not hosts.allowed(str(endpoint), self._allowed):
            text = f"store: {what}: the operator's settings do not allow the host in its AWS_ENDPOINT_URL"
            raise errors.Transient(f"{text} (SKLEARN_OPERATOR_STORE_HOSTS)")
        return Access(endpoint, values.get("AWS_REGION") or None, *(values[key] for key in _NEEDED))


def _secret(place: places.Place) -> str:
    return f"Secret {place.namespace}/{place.secret} (artifacts.credentialsSecret)"


def _decoded(data: Mapping[str, Any], what: str) -> dict[str, str]:
    try:
        return {key: base64.b64decode(str(value)).decode().strip() for key, value in data.items() if "AWS_" in key}
    except (binascii.Error, UnicodeDecodeError) as error:
        raise errors.Transient(f"store: {what} holds something that is no text") from error
