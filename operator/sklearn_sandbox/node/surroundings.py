"""What all pods of the node share. Invariant: made once, by the composition root, and never changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sklearn_sandbox import images
from sklearn_sandbox.node import addresses, api, events, lookup


@dataclass(frozen=True)
class Surroundings:
    home: Path
    api: api.Api
    lookup: lookup.Lookup
    events: events.Recorder
    addresses: addresses.Addresses
    images: Mapping[str, images.Image]
    #: For probes: a connection for each request, as the kubelet's.
    http: aiohttp.ClientSession
    #: What the node has, by resource name.
    capacity: Mapping[str, str]
    #: Seconds before the second restart of a container; doubled for each further one.
    backoff: float
    #: Waits until no Service sends new connections to the address any more, or until it has waited long enough.
    until_dropped: Callable[[str], Awaitable[None]]

    def pod_folder(self, uid: str) -> Path:
        return self.home / "pods" / uid
