"""Objects in S3 (or below a local folder), by URI, with errors that name the field and say what to do.

Invariant: nothing of an obstore message is repeated but the service's own error code: those messages can carry request
headers. A bucket name is checked before it reaches obstore, which panics on characters that no URL can have.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn_steps import contract, errors

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CHUNK = 8 << 20
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AllAccessDisabled"}
)


@dataclass(frozen=True)
class Credentials:
    """One Secret as it arrives in the environment; ``secret`` is the prefix it came with, for messages."""

    prefix: str
    values: Mapping[str, str]

    @classmethod
    def store(cls, env: Mapping[str, str] = os.environ) -> Credentials:
        return cls(contract.STORE_ENV_PREFIX, _values(contract.STORE_ENV_PREFIX, env))

    @classmethod
    def data(cls, env: Mapping[str, str] = os.environ) -> Credentials:
        """``data.credentialsSecret`` as a whole if it is there, else the store's: never a mixture of the two."""
        values = _values(contract.DATA_ENV_PREFIX, env)
        return cls(contract.DATA_ENV_PREFIX, values) if values else cls.store(env)

    @property
    def origin(self) -> str:
        if not self.prefix:
            return "owner and mode of the file, which the task's user must be able to read"
        own = self.prefix == contract.DATA_ENV_PREFIX
        return "the Secret of data.credentialsSecret" if own else "the namespace's store Secret"

    @property
    def endpoint(self) -> str:
        return self.values.get("AWS_ENDPOINT_URL") or "AWS S3"


def _values(prefix: str, env: Mapping[str, str]) -> dict[str, str]:
    return {key: env[prefix + key] for key in contract.AWS_KEYS if env.get(prefix + key)}


class Location:
    """An object or a folder, and how to reach it. ``field`` is where the manifest names it."""

    def __init__(self, uri: str, credentials: Credentials, field: str, store: ObjectStore | None = None) -> None:
        self.uri = uri
        self.field = field
        self._credentials = credentials
        scheme, _, rest = uri.partition("://")
        self._bucket, _, self.key = rest.partition("/") if scheme in ("s3", "pvc") else ("", "", rest.lstrip("/"))
        if store is not None:
            self._store: Any = store
        elif scheme == "s3":
            self._store = self._s3()
        elif scheme == "file":
            self._store = folder("/")
        else:
            raise errors.UserError("UnsupportedUri", f"{field} {uri}: only s3://bucket/key is read here")

    def _s3(self) -> Any:
        if not _BUCKET.fullmatch(self._bucket):
            raise errors.UserError(
                "InvalidUri",
                f"{self.field} {self.uri}: {errors.shown(self._bucket)} cannot be a bucket name; that has "
                "3 to 63 lower-case letters, digits, dots and hyphens",
            )
        from obstore.store import S3Store

        values = self._credentials.values
        missing = [key for key in contract.AWS_REQUIRED_KEYS if key not in values]
        if missing and "AWS_WEB_IDENTITY_TOKEN_FILE" not in os.environ:
            text = f"{self.field} {self.uri}: {self._credentials.origin} has no {' and no '.join(missing)}"
            raise errors.UserError("CredentialsMissing", text)
        endpoint = values.get("AWS_ENDPOINT_URL")
        options: dict[str, Any] = {
            "endpoint": endpoint,
            "region": values.get("AWS_REGION") or "us-east-1",
            "access_key_id": values.get("AWS_ACCESS_KEY_ID"),
            "secret_access_key": values.get("AWS_SECRET_ACCESS_KEY"),
            "virtual_hosted_style_request": False if endpoint else None,
        }
        return S3Store(
            self._bucket,
            # The timeout is for the whole answer, and a data set may take its time.
            client_options={"allow_http": True, "connect_timeout": "5 seconds", "timeout": "15 minutes"},
            retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
            **{name: value for name, value in options.items() if value is not None},
        )

    def read(self) -> bytes:
        """The object; a UserError if there is none."""
        import obstore

        with self._translated("read"):
            return bytes(obstore.get(self._store, self.key).bytes())

    def fetch(self, path: Path, limit: int) -> str:
        """Write the object to a file, and its sha256; a UserError if there is none or it is larger than ``limit``."""
        import obstore

        digest = hashlib.sha256()
        with self._translated("read"):
            found = obstore.get(self._store, self.key)
            self.check_size(int(found.meta["size"]), limit)
            with path.open("wb") as file:
                for chunk in found.stream(min_chunk_size=_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
        return digest.hexdigest()

    def check_size(self, size: int, limit: int) -> None:
        """Before anything is written: a full disk is everybody's trouble on the node."""
        if size > limit:
            text = (
                f"{self.field} {self.uri}: {size / 2**20:,.1f} MiB, but the task has room for {limit / 2**20:,.1f} MiB"
            )
            raise errors.UserError("DataTooLarge", f"{text} of files; use fewer or smaller ones")

    def children(self) -> list[tuple[str, int]]:
        """Name below this folder and size of everything in it, sorted by name."""
        import obstore

        found: list[tuple[str, int]] = []
        with self._translated("read"):
            for batch in obstore.list(self._store, self.key.rstrip("/") or None):
                found += [(str(entry["path"]), int(entry["size"])) for entry in batch]
        start = self.key if self._bucket else self.key.lstrip("/")
        names = [(path.removeprefix(start), size) for path, size in found if path.startswith(start)]
        return sorted(names, key=lambda item: item[0].encode())

    def child(self, name: str) -> Location:
        """One object of this folder."""
        return Location(self.uri + name, self._credentials, self.field, self._store)

    def read_child(self, name: str) -> bytes | None:
        """A document of this folder, None if there is none."""
        import obstore

        with self._translated("read"):
            try:
                return bytes(obstore.get(self._store, self.key + name).bytes())
            except FileNotFoundError as exc:
                if _code(exc) == "NoSuchBucket":
                    raise
                return None

    def put_child(self, name: str, content: bytes | Path) -> str | None:
        """Write or replace one file of this folder; the tag that tells these bytes from others'."""
        import obstore

        with self._translated("write"):
            return obstore.put(self._store, self.key + name, content)["e_tag"]

    def tag(self, name: str) -> str | None:
        """The tag of what is in the file now."""
        import obstore

        with self._translated("read"):
            return obstore.head(self._store, self.key + name)["e_tag"]

    def create_child(self, name: str, content: bytes) -> bool:
        """Write one file of this folder unless it is there already; False if it is."""
        import obstore
        from obstore import exceptions

        with self._translated("write"):
            try:
                obstore.put(self._store, self.key + name, content, mode="create")
            except exceptions.AlreadyExistsError:
                return False
            return True

    @contextlib.contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        from obstore import exceptions

        try:
            yield
        except FileNotFoundError as exc:
            raise self._absent(exc) from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError) as exc:
            raise self._denied(verb, exc) from None
        except (exceptions.BaseError, OSError) as exc:
            raise self._other(verb, exc) from None

    def _absent(self, error: BaseException) -> errors.StepError:
        where = f"{self.field} {self.uri}"
        if _code(error) == "NoSuchBucket":
            text = f"{where}: the bucket {self._bucket} does not exist at {self._credentials.endpoint}"
            return errors.UserError("BucketMissing", text)
        advice = errors.nearest(self.uri, self._siblings())
        text = f"{where}: there is no such object; {advice}check the key and its case"
        return errors.UserError("ObjectMissing", text)

    def _siblings(self) -> list[str]:
        """What lies beside the missing object; only for advice, so trouble here is no trouble."""
        import obstore
        from obstore import exceptions

        head = self.uri[: len(self.uri) - len(self.key)]
        folder = self.key.rpartition("/")[0]
        with contextlib.suppress(exceptions.BaseError, OSError):
            found = obstore.list_with_delimiter(self._store, folder or None)
            return [head + entry["path"] for entry in found["objects"][:1000]]
        return []

    def _denied(self, verb: str, error: BaseException) -> errors.StepError:
        code = _code(error)
        meant = {
            "InvalidAccessKeyId": "the access key id is unknown there",
            "SignatureDoesNotMatch": "the secret access key is wrong",
        }.get(code, f"the key may not {verb} this")
        text = f"{self.field} {self.uri}: access denied at {self._credentials.endpoint}: {meant}"
        return errors.UserError("AccessDenied", f"{text} ({code or 'no code given'}); check {self._credentials.origin}")

    def _other(self, verb: str, error: BaseException) -> errors.StepError:
        code = _code(error)
        if code == "NoSuchBucket":
            return self._absent(error)
        if code in _DENIED:
            return self._denied(verb, error)
        status = _STATUS.search(str(error))
        what = code or (f"HTTP {status[1]}" if status else type(error).__name__)
        text = f"{self.field} {self.uri}: cannot {verb} at {self._credentials.endpoint}: {what}"
        if status and status[1].startswith("4") and status[1] not in ("408", "409", "429"):
            return errors.UserError("StoreRefused", text)
        if not self._credentials.values.get("AWS_ENDPOINT_URL"):
            text = f"{text}; for another store than AWS S3 put AWS_ENDPOINT_URL into {self._credentials.origin}"
        return errors.TransientError("StoreUnavailable", text)


def _code(error: BaseException) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""


def folder(path: str | Path) -> Any:
    """A store of the files below a local folder."""
    from obstore.store import LocalStore

    return LocalStore(path)
