"""Which pods a connection to a Service may go to.

Invariant: pure. A pod that is not ready gets nothing; one that is ending gets something only when there is nobody else,
as with kube-proxy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn_sandbox.node import addresses

SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True)
class Backend:
    host: str
    port: int
    ready: bool


def backends(slices: Iterable[Mapping[str, Any]], port_name: str) -> list[Backend]:
    """All that may be used, ordered by address so that taking turns is fair; the same address only once."""
    ready: dict[tuple[str, int], Backend] = {}
    ending: dict[tuple[str, int], Backend] = {}
    for one in slices:
        port = next((port["port"] for port in one.get("ports") or [] if (port.get("name") or "") == port_name), None)
        if port is None:
            continue
        for endpoint in one.get("endpoints") or []:
            conditions = endpoint.get("conditions") or {}
            for address in endpoint["addresses"][:1]:
                host = addresses.real(address)
                if conditions.get("ready", True):
                    ready[host, port] = Backend(host, port, True)
                elif conditions.get("terminating") and conditions.get("serving"):
                    ending[host, port] = Backend(host, port, False)
    return [found for _, found in sorted((ready or ending).items())]
