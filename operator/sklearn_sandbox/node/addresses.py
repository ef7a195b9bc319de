"""Pod addresses: what the API says (10.88.x.y) and where the process really listens (127.88.x.y).

Each sandbox of a machine has an x of its own, held by a socket for as long as its agent lives, so that two sandboxes
never meet on one loopback address. Invariant: two living pods never share an address.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping
from pathlib import Path

POD, REAL = "10.88.", "127.88."
#: The port that marks x as taken, on 127.88.x.1; no pod gets that address.
CLAIM_PORT = 65535
FIRST_HOST, LAST_HOST = 2, 254


def real(address: str) -> str:
    """Where something that calls itself 10.88.x.y is found; any other address is itself."""
    return REAL + address.removeprefix(POD) if address.startswith(POD) else address


def claim(home: Path) -> tuple[int, socket.socket]:
    """The x of this sandbox, the same at every start unless somebody else took it, and the socket that holds it."""
    first = int.from_bytes(hashlib.sha256(str(home).encode()).digest()[:2], "big")
    for step in range(254):
        subnet = 1 + (first + step) % 254
        holder = socket.socket()
        try:
            holder.bind((f"{REAL}{subnet}.1", CLAIM_PORT))
            holder.listen(1)  # two bound sockets could share an address, two listening ones cannot
        except OSError:
            holder.close()
            continue
        return subnet, holder
    raise OSError("all 254 address ranges 127.88.x.0/24 are taken by other sandboxes")


class Addresses:
    def __init__(self, subnet: int) -> None:
        self._prefix = f"{POD}{subnet}."
        self._owners: dict[str, str] = {}
        self._next = FIRST_HOST

    def take(self, uid: str, wish: str | None) -> str:
        """The pod's address: the one it has, the one it had (`wish`), or the one that was free for longest."""
        for address, owner in self._owners.items():
            if owner == uid:
                return address
        if wish is None or not wish.startswith(self._prefix) or wish in self._owners:
            wish = self._free()
        self._owners[wish] = uid
        return wish

    def release(self, uid: str) -> None:
        self._owners = {address: owner for address, owner in self._owners.items() if owner != uid}

    @property
    def owners(self) -> Mapping[str, str]:
        return self._owners

    def _free(self) -> str:
        for _ in range(FIRST_HOST, LAST_HOST + 1):
            address = f"{self._prefix}{self._next}"
            self._next = FIRST_HOST if self._next == LAST_HOST else self._next + 1
            if address not in self._owners:
                return address
        raise OSError("this node is full: it has 253 pods")
