"""The default artifact store: reads small documents, counts and deletes what a version left.

Invariant: this adapter never writes a model and never reads one; it sees JSON of bounded size and object names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import S3Store

from sklearn_operator.backends import errors

_DOCUMENT_LIMIT = 4 * 1024 * 1024


class S3ArtifactStore:
    """One bucket and prefix of any S3-compatible service. URIs are ``s3://bucket/key``."""

    def __init__(
        self,
        uri: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._bucket = _split(uri)[0]
        seconds = f"{timeout.total_seconds():.0f} seconds"
        options: dict[str, Any] = {
            "endpoint": endpoint,
            "region": region or "us-east-1",
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
        }
        self._store = S3Store(
            self._bucket,
            virtual_hosted_style_request=False if endpoint else None,
            client_options={"timeout": seconds, "connect_timeout": "5 seconds", "allow_http": True},
            # The reconciler retries; a second loop in here would only hide the trouble.
            retry_config={"max_retries": 1, "retry_timeout": timeout},
            **{name: value for name, value in options.items() if value is not None},
        )

    async def read(self, uri: str) -> bytes | None:
        """The object's bytes; None when there is none. Larger than 4 MiB is refused: documents are small."""
        with _translated(uri):
            try:
                answer = await obstore.get_async(self._store, self._key(uri))
            except (exceptions.NotFoundError, FileNotFoundError):
                await self._bucket_exists()
                return None
            if answer.meta["size"] > _DOCUMENT_LIMIT:
                raise errors.Rejected(f"store: {uri} is larger than {_DOCUMENT_LIMIT} bytes")
            return bytes(await answer.bytes_async())

    async def count(self, root: str) -> int:
        """How many objects lie under ``root`` and under ``root-a<n>``, the folders of later attempts."""
        with _translated(root):
            return sum([1 async for _ in self._keys(root)])

    async def delete(self, root: str) -> int:
        """Deletes them; returns how many there were. What is gone already counts as deleted."""
        with _translated(root):
            keys = [key async for key in self._keys(root)]
            if keys:
                await obstore.delete_async(self._store, keys)
            return len(keys)

    async def _keys(self, root: str) -> AsyncIterator[str]:
        key = self._key(root).rstrip("/")
        parent = key.rpartition("/")[0]
        listing = await obstore.list_with_delimiter_async(self._store, parent or None)
        for folder in listing["common_prefixes"]:
            if folder == key or folder.startswith(f"{key}-a"):
                async for batch in obstore.list(self._store, f"{folder}/"):
                    for entry in batch:
                        yield entry["path"]

    async def _bucket_exists(self) -> None:
        """An absent bucket answers like an absent object; only the latter is an answer."""
        await obstore.list_with_delimiter_async(self._store, "sklearn-operator-probe")

    def _key(self, uri: str) -> str:
        bucket, key = _split(uri)
        if bucket != self._bucket:
            raise errors.Rejected(f"store: {uri} is not in bucket {self._bucket}")
        return key


class MemoryArtifactStore:
    """The same in a dictionary ``uri -> bytes``."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def read(self, uri: str) -> bytes | None:
        return self.objects.get(uri)

    async def count(self, root: str) -> int:
        return len(self._under(root))

    async def delete(self, root: str) -> int:
        uris = self._under(root)
        for uri in uris:
            del self.objects[uri]
        return len(uris)

    def _under(self, root: str) -> list[str]:
        stem = root.rstrip("/")
        return [uri for uri in self.objects if uri.startswith((f"{stem}/", f"{stem}-a"))]


def _split(uri: str) -> tuple[str, str]:
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise errors.Rejected(f"store: {uri!r} is not of the form s3://bucket/prefix")
    return bucket, key


class _translated:
    """Turns obstore's exceptions into ours. Its messages can carry request headers, so none of them is repeated."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (errors.BackendError, asyncio.CancelledError)):
            return
        if isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError)):
            raise errors.Transient(
                f"store: {self._what}: access denied; check the operator's store credentials"
            ) from error
        # A listing of a missing bucket is a GenericError whose text alone tells.
        if isinstance(error, (exceptions.NotFoundError, FileNotFoundError)) or "NoSuchBucket" in str(error):
            raise errors.Transient(f"store: {self._what}: the bucket does not exist") from error
        if isinstance(error, (exceptions.BaseError, OSError, TimeoutError)):
            raise errors.Transient(f"store: {self._what}: {type(error).__name__}") from error
