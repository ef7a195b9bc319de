"""Leadership by a ``coordination.k8s.io/v1`` Lease, so that of several replicas one acts and another is ready to.

The official client brings an election as well (``kubernetes.aio.leaderelection``); it measures by the wall clock, ends
with the first connection that breaks, does not give a Lease back and tells nobody when its time is over.

Invariant: ``fence`` lets nothing pass unless a renewal that was sent less than the deadline ago succeeded. The clock
also counts while the machine sleeps, where the system has such a clock.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sklearn_operator.backends import errors, fencing, kubernetes
from sklearn_operator.runtime import election

_log = logging.getLogger(__name__)
#: For giving the Lease back; after that the others wait until it runs out.
_FREEING = 3.0


class Lost(Exception):
    """Another process has the Lease: what this one knows is out of date, and only a new start helps."""


def clock() -> float:
    """Monotonic seconds that go on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def identity_of(name: str) -> str:
    """``name`` (else the host's) and something random: a process started anew is somebody else."""
    return f"{name or socket.gethostname()}_{uuid.uuid4().hex[:8]}"


class Leadership:
    """One process's part. Run ``campaign`` in a task, pass ``fence`` before every write, ``resign`` at the end."""

    def __init__(
        self,
        client: kubernetes.KubernetesClient,
        namespace: str,
        name: str,
        identity: str,
        terms: election.Terms,
        now: Callable[[], float] = clock,
    ) -> None:
        """``client``: one without a fence, used for nothing else: a full pool must not hold up a renewal."""
        self._client = client
        self._namespace, self._name = namespace, name
        self._identity = identity
        self._terms = terms
        self._now = now
        self._candidate = election.Candidate(identity, terms)
        self._trouble = self._told = ""
        self._seen: dict[str, Any] = {}
        #: Set when the Lease was won.
        self.won = asyncio.Event()

    @property
    def what(self) -> str:
        return f"Lease {self._namespace}/{self._name}"

    @property
    def holds(self) -> bool:
        return self._candidate.holds(self._now())

    @property
    def waiting(self) -> str:
        """Why this process does nothing; empty when it may act."""
        if self.holds:
            return ""
        return self._trouble or f"standing by: {self.what} is held by {self._candidate.holder or 'nobody'}"

    def fence(self) -> None:
        if not self.holds:
            raise fencing.Fenced(f"{self.what} is not held by this process (any more): nothing is written")

    async def campaign(self) -> None:
        """For ever: wins the Lease once it can be had and renews it; raises Lost when another one has it then."""
        candidate, holder = self._candidate, ""
        while True:
            request = candidate.next(self._now())
            answer = await self._send(request)
            candidate.answered(request, answer, self._now())
            if candidate.lost_to is not None:
                raise Lost(f"{self.what} was lost to {candidate.lost_to or 'nobody: it was deleted'}")
            if candidate.elected and not self.won.is_set():
                _log.info("%s is held by this process, %s", self.what, self._identity)
                self.won.set()
            elif not candidate.elected and candidate.holder != holder:
                holder = candidate.holder
                _log.info("standing by: %s is held by %s", self.what, holder or "nobody")
            await asyncio.sleep(candidate.pause(self._now()))

    async def resign(self) -> None:
        """Closes the fence for good and gives the Lease back, so that the next one need not wait."""
        if not self._candidate.resign():
            return
        try:
            async with asyncio.timeout(_FREEING):
                while (write := self._candidate.freeing(self._now())) is not None:
                    answer = await self._send(write)
                    self._candidate.answered(write, answer, self._now())
                    if not isinstance(answer, election.Failure):
                        _log.info("%s was given back", self.what)
                        return
                    look = election.Read()
                    self._candidate.answered(look, await self._send(look), self._now())
                    await asyncio.sleep(self._terms.poll / 10)
        except TimeoutError:
            _log.warning("%s could not be given back: the others wait until it runs out", self.what)

    async def _send(self, request: election.Read | election.Write) -> election.Record | election.Failure | None:
        try:
            async with asyncio.timeout(self._terms.renewal):
                if isinstance(request, election.Read):
                    found = await self._client.get(kubernetes.LEASES, self._namespace, self._name)
                else:
                    found = await self._write(request.record)
        except TimeoutError:
            return self._failed(f"{self.what}: no answer in {self._terms.renewal:.0f} s", election.Failure.UNCLEAR)
        except (errors.Conflict, errors.NotFound) as error:
            return self._failed(str(error), election.Failure.CONFLICT)
        except errors.BackendError as error:
            return self._failed(str(error), election.Failure.UNCLEAR)
        self._trouble, self._seen = "", found or {}
        return None if found is None else _record(found)

    async def _write(self, record: election.Record) -> dict[str, Any]:
        body = self._document(record)
        if not record.revision:
            return await self._client.create(kubernetes.LEASES, self._namespace, body)
        return await self._client.replace(kubernetes.LEASES, self._namespace, self._name, body)

    def _failed(self, text: str, failure: election.Failure) -> election.Failure:
        if failure is election.Failure.UNCLEAR:
            self._trouble = text
            if text != self._told:
                self._told = text
                _log.warning("%s", text)
        return failure

    def _document(self, record: election.Record) -> dict[str, Any]:
        """The object as it was seen, with what is ours to say: labels of other people stay."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata = {"name": self._name, "namespace": self._namespace}
        if record.revision:
            metadata = {**self._seen.get("metadata", {}), "resourceVersion": record.revision}
        spec = {
            "holderIdentity": record.holder,
            "leaseDurationSeconds": max(1, math.ceil(record.duration)),
            "acquireTime": record.acquired or now,
            "renewTime": now,
            "leaseTransitions": record.transitions,
        }
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {**(self._seen.get("spec") or {}), **spec},
        }


def _record(raw: dict[str, Any]) -> election.Record:
    spec = raw.get("spec") or {}
    return election.Record(
        revision=str(raw["metadata"]["resourceVersion"]),
        holder=str(spec.get("holderIdentity") or ""),
        duration=float(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        acquired=str(spec.get("acquireTime") or ""),
    )
