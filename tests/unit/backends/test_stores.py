"""Whose credentials open a place, and what is said while they do not."""

from __future__ import annotations

import asyncio
import base64
from typing import Any, cast

import pytest

from sklearn_operator.backends import errors, kubernetes, memory_kubernetes, s3, stores
from sklearn_operator.core import places

KEYS = {"AWS_ACCESS_KEY_ID": "team", "AWS_SECRET_ACCESS_KEY": "hush-hush"}
OWN = stores.Access("http://minio:9000", "us-east-1", "operator", "quiet")


class Cluster(memory_kubernetes.MemoryKubernetes):
    def hold(self, values: dict[str, str] | None, raw: dict[str, str] | None = None) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in (values or {}).items()} | (raw or {})
        self.objects["secrets", "team-a", "mine"] = {"metadata": {"name": "mine"}, "data": data}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def opened(cluster: Cluster) -> stores.Stores:
    return stores.Stores(OWN, {"s3.example.org"}, cast(kubernetes.KubernetesClient, cluster))


def place(uri: str = "s3://team/models", secret: str | None = "mine") -> places.Place:
    return places.Place("team-a", uri, secret)


async def test_without_a_secret_it_is_the_operators_own_and_made_once(opened: stores.Stores) -> None:
    first = await opened.of(place("s3://models", None))
    assert await opened.of(place("s3://models/other/prefix", None)) is first
    assert await opened.of(place("s3://another", None)) is not first


async def test_changed_keys_open_it_anew(opened: stores.Stores, cluster: Cluster) -> None:
    cluster.hold(KEYS)
    first = await opened.of(place())
    assert await opened.of(place("s3://team/elsewhere")) is first
    cluster.hold(KEYS | {"AWS_SECRET_ACCESS_KEY": "another"})
    assert await opened.of(place()) is not first


@pytest.mark.parametrize("endpoint", ["http://minio:9000", "https://s3.example.org", ""])
async def test_endpoints_that_are_allowed(opened: stores.Stores, cluster: Cluster, endpoint: str) -> None:
    cluster.hold(KEYS | {"AWS_ENDPOINT_URL": endpoint})
    assert isinstance(await opened.of(place()), s3.S3ArtifactStore)


@pytest.mark.parametrize(
    "values, raw, says",
    [
        (None, {}, "has no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY; add what is missing"),
        ({"AWS_ACCESS_KEY_ID": "team"}, {}, "has no AWS_SECRET_ACCESS_KEY; add what is missing"),
        (KEYS, {"AWS_REGION": "/w=="}, "holds something that is no text"),
        (KEYS | {"AWS_ENDPOINT_URL": "http://169.254.169.254"}, {}, "the operator's settings do not allow the host"),
        (KEYS | {"AWS_ENDPOINT_URL": "file:///etc"}, {}, "the operator's settings do not allow the host"),
        (KEYS | {"AWS_ENDPOINT_URL": "http://minio:9000@evil"}, {}, "the operator's settings do not allow the host"),
    ],
)
async def test_what_does_not_open_it_is_said_and_may_be_mended(
    opened: stores.Stores, cluster: Cluster, values: Any, raw: dict[str, str], says: str
) -> None:
    cluster.hold(values, raw)
    with pytest.raises(errors.Transient, match=says) as refusal:
        await opened.of(place())
    assert "Secret team-a/mine" in str(refusal.value)
    assert "hush" not in str(refusal.value)


async def test_a_secret_that_is_not_there_is_named(opened: stores.Stores) -> None:
    with pytest.raises(errors.Transient, match="does not exist; create it with AWS_ACCESS_KEY_ID and"):
        await opened.of(place())


async def test_clients_do_not_pile_up(opened: stores.Stores) -> None:
    for number in range(200):
        await opened.of(place(f"s3://bucket-{number}", None))
    assert len(opened._clients) <= 64


def test_keys_are_not_shown() -> None:
    assert "quiet" not in repr(OWN)


async def test_whose_keys_are_refused_is_told_and_never_another_tenants(cluster: Cluster) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        own = stores.Access(endpoint, "eu", "own", "quiet")
        opened = stores.Stores(own, (), cast(kubernetes.KubernetesClient, cluster))
        cluster.hold(KEYS | {"AWS_ENDPOINT_URL": endpoint})
        cluster.objects["secrets", "team-b", "theirs"] = cluster.objects["secrets", "team-a", "mine"]
        for namespace, secret, told in (
            ("team-a", "mine", "check Secret team-a/mine "),
            ("team-b", "theirs", "check Secret team-b/theirs "),
            ("team-b", None, "check the operator's store credentials"),
        ):
            store = await opened.of(places.Place(namespace, "s3://team", secret))
            with pytest.raises(errors.Transient, match=told):
                await store.read("s3://team/result.json")
