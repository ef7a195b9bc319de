"""One sandbox on disk: its folder, its ports and its secrets.

Invariant: sandbox.json holds only what cannot be computed again; it is private, and it is replaced in one step. A port
once chosen is kept for as long as nobody else took it while the sandbox was down.
"""

from __future__ import annotations

import json
import random
import secrets
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sklearn_sandbox import files, pki

MARKER = "SKLEARN_SANDBOX"
LOOPBACK = "127.0.0.1"
# Below the ranges from which systems take ports for outgoing connections, so that nobody takes ours by chance.
PORT_RANGE = range(20000, 30000)


@dataclass
class Sandbox:
    home: Path
    ports: dict[str, int] = field(default_factory=dict)
    #: The components that were asked for: what `status` judges.
    wanted: set[str] = field(default_factory=set)
    access_key: str = ""
    secret_key: str = ""

    @property
    def file(self) -> Path:
        return self.home / "sandbox.json"

    @property
    def authority(self) -> pki.Authority:
        return pki.Authority(self.home / "pki")

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.ports['kube-apiserver']}"

    @property
    def store_endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['minio']}"

    @property
    def kfp_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['kfp']}"

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def kubeconfig_of(self, name: str) -> Path:
        return self.home / f"{name}.kubeconfig"

    def save(self) -> None:
        store = {"accessKey": self.access_key, "secretKey": self.secret_key}
        document = {"ports": self.ports, "wanted": sorted(self.wanted), "store": store}
        files.write(self.file, json.dumps(document, indent=2) + "\n", private=True)


def load(home: Path) -> Sandbox:
    """What is on disk; an empty sandbox where there is none yet."""
    sandbox = Sandbox(home)
    if sandbox.file.exists():
        document = json.loads(sandbox.file.read_text())
        sandbox.ports = {name: int(port) for name, port in document["ports"].items()}
        sandbox.wanted = set(document.get("wanted", ()))
        sandbox.access_key = document["store"]["accessKey"]
        sandbox.secret_key = document["store"]["secretKey"]
    return sandbox


def prepare(home: Path, names: Iterable[str], in_use: Collection[str]) -> Sandbox:
    """The sandbox with a port for every name. Ports named in `in_use` are ours and stay, whoever listens there."""
    files.make_private(home)
    sandbox = load(home)
    taken = {port for name, port in sandbox.ports.items() if name in in_use}
    for name in names:
        port = sandbox.ports.get(name)
        if name not in in_use and (port is None or port in taken or not is_free(port)):
            port = free_port(taken)
            sandbox.ports[name] = port
        taken.add(sandbox.ports[name])
    sandbox.access_key = sandbox.access_key or "sandbox-" + secrets.token_hex(6)
    sandbox.secret_key = sandbox.secret_key or secrets.token_urlsafe(24)
    sandbox.save()
    return sandbox


def free_port(taken: Collection[int]) -> int:
    chance = random.SystemRandom()
    for _ in range(1000):
        port = chance.choice(PORT_RANGE)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free loopback port found between {PORT_RANGE.start} and {PORT_RANGE.stop}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
