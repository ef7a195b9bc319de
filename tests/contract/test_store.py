"""The artifact store's contract, against MinIO itself and against the memory twin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import obstore
import pytest
import pytest_asyncio
from obstore.store import S3Store

from sklearn_operator.backends import errors, ports, s3
from sklearn_sandbox import embedded, services

Put = Callable[[str, bytes], Awaitable[None]]
ROOT = "s3://models/p/default/digits/v1-0a1b2c3d"


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    with embedded.cluster(tmp_path_factory.mktemp("minio"), only=("minio",)) as running:
        yield running


def real(minio: embedded.Cluster, **changes: str) -> s3.S3ArtifactStore:
    sandbox = minio.sandbox
    options = {
        "endpoint": sandbox.store_endpoint,
        "region": services.REGION,
        "access_key_id": sandbox.access_key,
        "secret_access_key": sandbox.secret_key,
    }
    return s3.S3ArtifactStore(changes.pop("uri", "s3://models/p"), **(options | changes))


@pytest_asyncio.fixture(params=["memory", "minio"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[tuple[ports.ArtifactStore, Put]]:
    if request.param == "memory":
        twin = s3.MemoryArtifactStore()

        async def remember(uri: str, content: bytes) -> None:
            twin.objects[uri] = content

        yield twin, remember
        return
    minio: embedded.Cluster = request.getfixturevalue("minio")
    sandbox = minio.sandbox
    writer = S3Store(
        services.BUCKET,
        endpoint=sandbox.store_endpoint,
        region=services.REGION,
        access_key_id=sandbox.access_key,
        secret_access_key=sandbox.secret_key,
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )

    async def put(uri: str, content: bytes) -> None:
        await obstore.put_async(writer, uri.removeprefix("s3://models/"), content)

    adapter = real(minio)
    yield adapter, put
    await adapter.delete(ROOT)


async def test_what_was_put_is_read(store: tuple[ports.ArtifactStore, Put]) -> None:
    adapter, put = store
    await put(f"{ROOT}/result.json", b"{}")
    assert await adapter.read(f"{ROOT}/result.json") == b"{}"


async def test_what_is_too_large_for_a_document_is_refused(store: tuple[ports.ArtifactStore, Put]) -> None:
    adapter, put = store
    await put(f"{ROOT}/result.json", b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(errors.Rejected, match="larger than"):
        await adapter.read(f"{ROOT}/result.json")


async def test_an_absent_object_is_none(store: tuple[ports.ArtifactStore, Put]) -> None:
    adapter, _ = store
    assert await adapter.read(f"{ROOT}/nothing.json") is None


async def test_a_version_is_counted_and_deleted_with_all_its_attempts_and_nothing_else(
    store: tuple[ports.ArtifactStore, Put],
) -> None:
    adapter, put = store
    neighbours = [f"{ROOT}0/model.joblib", "s3://models/p/default/digits/v10-0a1b2c3d/model.joblib"]
    for uri in [f"{ROOT}/a", f"{ROOT}/deep/b", f"{ROOT}-a2/c", *neighbours]:
        await put(uri, b"x")
    assert await adapter.count(ROOT) == 3
    assert await adapter.delete(ROOT) == 3
    assert await adapter.count(ROOT) == 0
    assert await adapter.delete(ROOT) == 0
    for uri in neighbours:
        assert await adapter.read(uri) == b"x"


async def test_a_missing_bucket_is_not_an_absent_object(minio: embedded.Cluster) -> None:
    adapter = real(minio, uri="s3://nowhere")
    with pytest.raises(errors.Transient, match="bucket"):
        await adapter.read("s3://nowhere/a")


async def test_wrong_credentials_are_told_without_them(minio: embedded.Cluster) -> None:
    adapter = real(minio, secret_access_key="not-the-secret")
    with pytest.raises(errors.Transient, match="credentials") as caught:
        await adapter.read(f"{ROOT}/a")
    assert "not-the-secret" not in str(caught.value)


async def test_an_unreachable_store_is_transient(tmp_path: Path) -> None:
    adapter = s3.S3ArtifactStore("s3://models", endpoint="http://127.0.0.1:9", access_key_id="a", secret_access_key="b")
    with pytest.raises(errors.Transient):
        await adapter.count("s3://models/x/v1-aa")
