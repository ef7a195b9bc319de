"""The election with a clock and a Lease object: what is written there, given back, lost and told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

import waiting
from sklearn_operator.backends import errors, fencing, kubernetes, memory_kubernetes
from sklearn_operator.runtime import election, lease

TERMS = election.Terms(3.0)
PLACE = ("leases", "system", "operator")


class Cluster(memory_kubernetes.MemoryKubernetes):
    """One that some of its users cannot reach, on a clock that stands still unless the test turns it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.refused: errors.BackendError | None = None

    async def get(self, resource: Any, namespace: str | None, name: str) -> dict[str, Any] | None:
        if self.refused is not None:
            raise self.refused
        return await super().get(resource, namespace, name)

    async def replace(self, resource: Any, namespace: str, name: str, body: Any) -> dict[str, Any]:
        if self.refused is not None:
            raise self.refused
        return await super().replace(resource, namespace, name, body)


@asynccontextmanager
async def campaigning(cluster: Cluster, name: str) -> AsyncIterator[tuple[lease.Leadership, asyncio.Task[None]]]:
    client = cast(kubernetes.KubernetesClient, cluster)
    one = lease.Leadership(client, "system", "operator", lease.identity_of(name), TERMS, lambda: cluster.seconds)
    task = asyncio.create_task(one.campaign())
    yield one, task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, lease.Lost):
        await task


async def won(one: lease.Leadership) -> None:
    async with asyncio.timeout(30):
        await one.won.wait()


def holder(cluster: Cluster) -> str:
    return str(cluster.objects[PLACE]["spec"]["holderIdentity"])


async def test_the_first_one_leads_until_it_gives_the_lease_back() -> None:
    cluster = Cluster()
    async with campaigning(cluster, "a") as (first, task), campaigning(cluster, "b") as (second, _):
        await won(first)
        first.fence()
        with pytest.raises(fencing.Fenced):
            second.fence()
        await waiting.until("b standing by", lambda: _is("held by a_" in second.waiting))
        assert holder(cluster).startswith("a_")
        task.cancel()
        await first.resign()
        with pytest.raises(fencing.Fenced):
            first.fence()
        await won(second)
        second.fence()
        assert holder(cluster).startswith("b_")
        assert cluster.objects[PLACE]["spec"]["leaseTransitions"] >= 1


async def test_what_others_put_on_the_lease_stays() -> None:
    cluster = Cluster()
    async with campaigning(cluster, "a") as (first, _):
        await won(first)
        await waiting.until("a label taken along", lambda: _labelled(cluster))
        spec = cluster.objects[PLACE]["spec"]
        assert spec["leaseDurationSeconds"] == 3
        assert spec["renewTime"] > spec["acquireTime"]


async def _labelled(cluster: Cluster) -> bool:
    """Labels the Lease; true once a renewal has come after that."""
    before = cluster.objects[PLACE]
    if "labels" not in before["metadata"]:
        await cluster.edit(
            kubernetes.LEASES, "system", "operator", [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
        )
        return False
    return before["metadata"]["labels"] == {"a": "b"} and before["spec"]["renewTime"] > before["spec"]["acquireTime"]


async def test_an_outage_closes_the_fence_and_its_end_opens_it() -> None:
    cluster = Cluster()
    async with campaigning(cluster, "a") as (first, task):
        await won(first)
        cluster.refused = errors.Transient("kubernetes: the API server is away")
        cluster.seconds += TERMS.deadline
        await waiting.until("what is in the way", lambda: _is("the API server is away" in first.waiting))
        with pytest.raises(fencing.Fenced, match="Lease system/operator"):
            first.fence()
        cluster.refused = None
        await waiting.until("the fence open", lambda: _is(first.holds))
        assert not task.done()


async def test_whoever_was_replaced_meanwhile_ends_with_a_word() -> None:
    cluster, away = Cluster(), Cluster()
    away.objects = cluster.objects
    away._versions = cluster._versions
    async with campaigning(away, "a") as (first, task):
        await won(first)
        away.refused = errors.Transient("only a cannot reach it")
        async with campaigning(cluster, "b") as (second, _):
            await waiting.until("b standing by", lambda: _is("held by a_" in second.waiting))
            away.seconds = cluster.seconds = TERMS.duration
            await won(second)
            assert not first.holds
            away.refused = None
            with pytest.raises(lease.Lost, match="Lease system/operator was lost to b_"):
                async with asyncio.timeout(30):
                    await asyncio.shield(task)
            assert second.holds
        with pytest.raises(fencing.Fenced):
            first.fence()


async def _is(value: bool) -> bool:
    return value
