"""An artifact store: reads small documents, counts and deletes what a version left.

Invariant: this adapter never writes a model and never reads one; it sees JSON of bounded size and object names.
"""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import obstore
from obstore import exceptions
from obstore.store import S3Store

from sklearn_operator.backends import errors, fencing, metering
from sklearn_operator.core import places

_DOCUMENT_LIMIT = 4 * 1024 * 1024
#: What one request can delete.
_AT_ONCE = 1000
#: Names that S3 has ever allowed; on some others the client panics instead of raising.
_BUCKET = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_HOST = re.compile("[A-Za-z0-9._:-]+")
_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}


class S3ArtifactStore:
    """One bucket and prefix of any S3-compatible service. URIs are ``s3://bucket/key``.

    ``opened_by``: whose keys these are, for whoever has to correct them.
    """

    def __init__(
        self,
        uri: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        opened_by: str = "the operator's store credentials",
        timeout: timedelta = timedelta(seconds=10),
        fence: fencing.Fence = fencing.unfenced,
        meter: metering.Meter = metering.unmetered,
    ) -> None:
        self._fence = fence
        self._opened_by = opened_by
        self._bucket = _split(uri)[0]
        self._meter = meter
        _check_endpoint(endpoint)
        seconds = f"{timeout.total_seconds():.0f} seconds"
        options: dict[str, Any] = {
            "endpoint": endpoint,
            "region": region or "us-east-1",
            "access_key_id": access_key_id,
            "secret_access_key": secret_access_key,
            "virtual_hosted_style_request": False if endpoint else None,
        }
        self._store = S3Store(
            self._bucket,
            client_options={"timeout": seconds, "connect_timeout": "5 seconds", "allow_http": True},
            # The reconciler retries; a second loop in here would only hide the trouble.
            retry_config={"max_retries": 1, "retry_timeout": timeout},
            **{name: value for name, value in options.items() if value is not None},
        )

    async def read(self, uri: str) -> bytes | None:
        """The object's bytes; None when there is none. Larger than 4 MiB is refused: documents are small."""
        with self._translated(uri), self._measured("read") as call:
            try:
                answer = await obstore.get_async(self._store, self._key(uri))
            except (exceptions.NotFoundError, FileNotFoundError):
                await self._bucket_exists()
                call.code = "404"
                return None
            if answer.meta["size"] > _DOCUMENT_LIMIT:
                raise errors.Rejected(f"store: {uri} is larger than {_DOCUMENT_LIMIT} bytes")
            return bytes(await answer.bytes_async())

    async def count(self, root: str) -> int:
        """How many objects lie under ``root`` and under ``root-a<n>``, the folders of later attempts."""
        with self._translated(root), self._measured("count"):
            return sum([1 async for _ in self._keys(root)])

    async def delete(self, root: str) -> int:
        """Deletes them; returns how many there were. What is gone already counts as deleted."""
        with self._translated(root), self._measured("delete"):
            keys = [key async for key in self._keys(root)]
            for start in range(0, len(keys), _AT_ONCE):
                self._fence()
                await obstore.delete_async(self._store, keys[start : start + _AT_ONCE])
            return len(keys)

    def _translated(self, what: str) -> _Translated:
        return _Translated(what, self._opened_by)

    def _measured(self, operation: str) -> AbstractContextManager[metering.Call]:
        return metering.measured(self._meter, "s3", operation, _code)

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
    """The same in a dictionary ``uri -> bytes``, for every bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def of(self, place: places.Place) -> MemoryArtifactStore:
        return self

    async def read(self, uri: str) -> bytes | None:
        found = self.objects.get(uri)
        if found is not None and len(found) > _DOCUMENT_LIMIT:
            raise errors.Rejected(f"store: {uri} is larger than {_DOCUMENT_LIMIT} bytes")
        return found

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
    if not _BUCKET.fullmatch(bucket):
        raise errors.Rejected(f"store: {bucket[:64]!r} in {uri[:256]!r} is no legal name of a bucket")
    return bucket, key


def _check_endpoint(endpoint: str | None) -> None:
    if endpoint is None:
        return
    try:
        parts = urllib.parse.urlsplit(endpoint)
        legal = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.hostname or "") and parts.port != 0
    except ValueError:
        legal = False
    if not legal:
        raise errors.Rejected(f"store: endpoint {endpoint!r} is not of the form http://host:port")


class _Translated:
    """Turns obstore's exceptions into ours. Its messages can carry request headers, so none of them is repeated."""

    def __init__(self, what: str, opened_by: str) -> None:
        self._what = what
        self._opened_by = opened_by

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (errors.BackendError, asyncio.CancelledError)):
            return
        if isinstance(error, (exceptions.BaseError, OSError, TimeoutError)):
            raise errors.Transient(f"store: {self._what}: {_explained(error, self._opened_by)}") from error
        if isinstance(error, (ValueError, TypeError)):
            raise errors.Rejected(f"store: {self._what!r} is no legal name of an object") from error
        # What panics in the client comes out under names of its bindings, partly not even as an Exception.
        if type(error).__module__.startswith("pyo3"):
            raise errors.Transient(f"store: {self._what}: the S3 client broke down") from error


def _code(error: BaseException) -> str:
    """The status where the client tells it, else a word."""
    if isinstance(error, errors.Rejected):
        return "refused"
    if isinstance(error, (exceptions.NotFoundError, FileNotFoundError)):
        return "404"
    if isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError)):
        return "403"
    status = re.search(r"status code: (\d{3})", str(error))
    if status:
        return status.group(1)
    return "timeout" if "kind: Timeout" in str(error) else metering.word(error)


def _explained(error: BaseException, opened_by: str) -> str:
    """What went wrong in words of ours: a listing fails with a GenericError whose text alone tells."""
    text = str(error)
    found = re.search(r"<Code>(\w{1,64})</Code>", text)
    code = found.group(1) if found else ""
    status = re.search(r"status code: (\d{3})", text)
    refused = isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError))
    if refused or code in _DENIED:
        return f"access denied ({code or 'no particulars'}); check {opened_by}"
    if code == "NoSuchBucket" or isinstance(error, (exceptions.NotFoundError, FileNotFoundError)):
        return "the bucket does not exist; create it, or correct the operator's store URI"
    if code or status:
        return f"the store answers {' '.join(filter(None, [status and status.group(1), code]))}"
    if "kind: Connect" in text:
        return "the store cannot be reached"
    if "kind: Timeout" in text or isinstance(error, TimeoutError):
        return "the store does not answer in time"
    return type(error).__name__
