"""From one leader to the next: after a clean stop, and after a crash.

Nothing but the API server runs beside the two replicas. What counts is not who holds the Lease but when a model that
comes at the moment of the signal is acted on.

Invariant: the Lease has its default duration; a replica that was ended is started again before the next round.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench import figures
from bench import place as places
from sklearn_sandbox import objects, paths, services, state

STOP_GOAL, CRASH_GOAL = 2.0, 20.0


@dataclass
class Replica:
    place: places.Place
    name: str
    port: int = field(default_factory=lambda: _free_port())
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = services.operator_env(self.place.sandbox) | {
            "SKLEARN_OPERATOR_HEALTH_PORT": str(self.port),
            "SKLEARN_OPERATOR_LEASE_NAMESPACE": objects.SYSTEM_NAMESPACE,
            "SKLEARN_OPERATOR_IDENTITY": self.name,
            state.MARKER: str(self.place.sandbox.home),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SKLEARN_OPERATOR_")}
        log = self.place.sandbox.home / "logs" / f"bench-{self.name}.log"
        with log.open("ab") as sink:
            command = [str(paths.operator_bin() / "sklearn-operator"), "run"]
            self.process = subprocess.Popen(command, env=inherited | settings, stdout=sink, stderr=sink)
        places.wait_for(f"{self.name} ready ({log})", lambda: self._get("readyz").is_success)

    def leads(self) -> bool:
        return "\nsklearn_operator_leader 1.0" in self._get("metrics").text

    def end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self) -> None:
        if self.process is not None:
            self.process.wait(60)

    def _get(self, page: str) -> httpx.Response:
        try:
            return httpx.get(f"http://{state.LOOPBACK}:{self.port}/{page}", timeout=5.0, trust_env=False)
        except httpx.TransportError:
            return httpx.Response(503)


def measure(place: places.Place, runs: int, say: Callable[[str], None]) -> Iterator[figures.Figure]:
    """``runs`` clean stops and as many crashes."""
    replicas = [Replica(place, name) for name in ("first", "second")]
    try:
        for replica in replicas:
            replica.start()
        stops = [_ended(place, replicas, signal.SIGTERM, f"stop-{number}") for number in range(runs)]
        say(f"  clean stops: {', '.join(f'{one:.2f} s' for one in stops)}")
        crashes = [_ended(place, replicas, signal.SIGKILL, f"crash-{number}") for number in range(runs)]
        say(f"  crashes: {', '.join(f'{one:.2f} s' for one in crashes)}")
    finally:
        for replica in replicas:
            replica.end(signal.SIGTERM)
            replica.wait()
    part = "from leader to leader"
    yield figures.Figure(part, "clean stop to the next action", "s", tuple(stops), STOP_GOAL)
    yield figures.Figure(part, "crash to the next action", "s", tuple(crashes), CRASH_GOAL)


def _ended(place: places.Place, replicas: list[Replica], number: signal.Signals, name: str) -> float:
    leader = places.wait_for("a leader", lambda: next((one for one in replicas if one.leads()), None))
    place.quiet()
    began = time.monotonic()
    leader.end(number)
    place.create(places.MODELS, _model(name))
    places.wait_for(f"{name}-v1", lambda: place.get(f"{places.VERSIONS}/{name}-v1"))
    passed = time.monotonic() - began
    leader.wait()
    leader.start()
    return passed


def _model(name: str) -> dict[str, Any]:
    estimator = {"class": "sklearn.svm.SVC", "params": {"gamma": 0.001}}
    return {
        "apiVersion": "sklearn-operator.io/v1alpha1",
        "kind": "SklearnModel",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"data": {"source": {"builtin": "digits"}}, "model": {"estimator": estimator}},
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((state.LOOPBACK, 0))
        return int(listener.getsockname()[1])
