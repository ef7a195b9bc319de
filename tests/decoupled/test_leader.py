"""Two replicas and their Lease on a real API server: handed over, taken over, and a zombie that does nothing any more.

The Lease lasts 9 s here and not 15, to save time; everything else follows from the duration (``election.Terms``), the
longest hand-over after a crash, too. Each replica reaches the API server through a proxy of its own, as the operator's
service account: whatever one of them writes is seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from decoupled import operators
from faults import proxy as faults
from sklearn_operator.runtime import election, settings
from sklearn_sandbox import embedded
from waiting import wait_for

SYSTEM, NAME = "sklearn-operator-system", "sklearn-operator"
TERMS = election.Terms(9.0)
#: What is left for calls, in seconds, of the 20 that a hand-over after a crash may take by the default terms.
MARGIN = 3.0
#: From then on somebody leads; a model's first pass is as fast as ever.
WORKED = 20.0


@dataclass
class Replica:
    """One of them, and everything that it says to the API server."""

    name: str
    operator: operators.Operator
    proxy: faults.Proxy

    def writes(self) -> list[str]:
        """All but those of the Lease."""
        return [write.label for write in self.proxy.writes if "/leases" not in write.label]

    def leads(self) -> bool:
        return self.operator.ended() is None and self.operator.metric("sklearn_operator_leader") == 1

    def start(self) -> None:
        self.operator.start()
        wait_for(f"{self.name} ready", self.operator.ready)


@dataclass
class Pair:
    cluster: embedded.Cluster
    models: operators.Models
    first: Replica
    second: Replica

    def holder(self) -> str:
        """Name of the replica that holds the Lease; empty when it is free."""
        found = self.cluster.kubectl("get", "lease", NAME, "-n", SYSTEM, "-o", "json", check=False).stdout
        spec: dict[str, Any] = json.loads(found)["spec"] if found else {}
        return str(spec.get("holderIdentity") or "").partition("_")[0]

    def taken_over(self, name: str) -> None:
        """No later after a crash, or what looks like one, than the terms of the Lease say."""
        wait_for(f"the Lease with {name}", lambda: self.holder() == name, longest(TERMS))

    def works(self, name: str, seconds: float = WORKED) -> None:
        """Somebody does what a new model asks for."""
        self.models.apply(name, {"gamma": 0.001})
        self.made(name, seconds)

    def made(self, name: str, seconds: float = WORKED) -> None:
        wait_for(f"{name}-v1", lambda: f"{name}-v1" in self.models.kubectl("get", "skmv", "-o", "name"), seconds)


def longest(terms: election.Terms) -> float:
    """From a crash until the Lease is somebody else's: its last renewal is seen a look late, its end as well."""
    return terms.duration + 2 * terms.poll + MARGIN


@pytest_asyncio.fixture
async def pair(cluster: embedded.Cluster, tmp_path: Path) -> AsyncIterator[Pair]:
    namespace = f"leader-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", namespace)
    async with contextlib.AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(_replica(cluster, tmp_path / name, name, namespace)) for name in ("a", "b")
        ]
        yield Pair(cluster, operators.Models(cluster, namespace), first, second)
    cluster.kubectl("delete", "skm", "--all", "-n", namespace, "--wait=false")


@contextlib.asynccontextmanager
async def _replica(cluster: embedded.Cluster, folder: Path, name: str, namespace: str) -> AsyncIterator[Replica]:
    await asyncio.to_thread(folder.mkdir)
    authority = cluster.sandbox.authority
    identity = authority.pair("operator")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(str(identity.certificate), str(identity.key))
    async with faults.running({"kubernetes": (cluster.server, context)}) as proxy:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(proxy.kubeconfig())
        changes = {"LEASE_NAMESPACE": SYSTEM, "LEASE_DURATION": str(TERMS.duration), "IDENTITY": name}
        operator = operators.Operator(kubeconfig, folder, namespace, **changes)
        try:
            yield Replica(name, operator, proxy)
        finally:
            if operator.process is not None:
                await asyncio.to_thread(operator.stop)
            print(f"--- {name}\n{operator.text()[-10_000:]}")


def test_the_default_terms_keep_to_twenty_seconds() -> None:
    assert settings.OperatorSettings().lease_duration == election.Terms().duration
    assert longest(election.Terms()) <= 20.0


async def test_one_acts_and_the_other_takes_over_whatever_happens_to_it(pair: Pair) -> None:
    first, second = pair.first, pair.second
    await asyncio.to_thread(_one_leads, pair)
    await asyncio.to_thread(_handed_over, pair)
    await _paused(pair)
    await asyncio.to_thread(_killed, pair)
    for replica in (first, second):
        assert "Traceback" not in replica.operator.text()


def _one_leads(pair: Pair) -> None:
    """Both are ready, one acts."""
    pair.first.start()
    wait_for("the first one leading", pair.first.leads)
    pair.second.start()
    pair.works("one")
    assert (pair.holder(), pair.second.leads()) == ("a", False)
    assert pair.first.writes() and not pair.second.writes()


def _handed_over(pair: Pair) -> None:
    """A clean stop, as a rolling upgrade makes it, with a model that comes at that very moment."""
    pair.models.apply("two", {"gamma": 0.001})
    assert pair.first.operator.stop() == 0
    assert "was given back" in pair.first.operator.text()
    pair.made("two")
    wait_for("the second one leading", pair.second.leads)
    assert pair.holder() == "b"
    pair.first.start()


async def _paused(pair: Pair) -> None:
    """The leader falls asleep in the middle of a pass, with the answers to its questions on their way to it.

    When it wakes up, the other one has long done what it was about to do.
    """
    zombie = pair.second
    gate = zombie.proxy.gate = faults.Gate("kubernetes")
    await asyncio.to_thread(pair.models.apply, "three", {"gamma": 0.001})
    asked = "/sklearnmodels/three"
    await asyncio.to_thread(wait_for, "its pass", lambda: any(asked in path for path in zombie.proxy.reads), 30)
    zombie.operator.signal(signal.SIGSTOP)
    gate.opened.set()
    await asyncio.to_thread(pair.taken_over, "a")
    await asyncio.to_thread(pair.made, "three")
    before = zombie.writes()
    zombie.operator.signal(signal.SIGCONT)
    await asyncio.to_thread(wait_for, "the end of the zombie", lambda: zombie.operator.ended() is not None, 30)
    assert zombie.operator.ended() == 1
    assert "was lost to a_" in zombie.operator.text().splitlines()[-1]
    assert zombie.writes() == before
    assert await asyncio.to_thread(pair.holder) == "a"
    await asyncio.to_thread(zombie.start)


def _killed(pair: Pair) -> None:
    pair.first.operator.signal(signal.SIGKILL)
    pair.taken_over("b")
    pair.works("four")
