"""What KServe's storage-initializer image does for S3: URI DEST [URI DEST ...] on the command line, a model in DEST.

It lists every key that starts with the path, as text: `s3://b/churn/v1` also finds `churn/v10/model.joblib`, and puts
it at `0/model.joblib`; only a path that ends with "/" means a folder. An exact key is that one object; empty objects
and folder markers are passed over; archives are not unpacked. Settings come from the environment that KServe's webhook
writes.

Invariant: exit 0 means that at least one object is complete in DEST; every other end is exit 1, its last line the
reason. It starts in tens of milliseconds: a model's start waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from os import environ
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore import exceptions
from obstore.store import S3Store

_NO = ("0", "false")
_RETRY = {"max_retries": 2}


class FetchError(Exception):
    """Why there is no model, in one line."""


def main(arguments: Sequence[str], environment: Mapping[str, str] = environ) -> int:
    if not arguments or len(arguments) % 2:
        print("Usage: storage_initializer src_uri_0 dest_path_0 ... src_uri_n dest_path_n")
        return 1
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    print(f"Initializing, args: (src_uri, dest_path): {pairs}", flush=True)
    try:
        for uri, destination in pairs:
            fetch(uri, Path(destination), environment)
    except FetchError as error:
        print(f"Storage initialization failed: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def fetch(uri: str, destination: Path, environment: Mapping[str, str]) -> list[Path]:
    """Download what the URI names; the files written."""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise FetchError(f"Cannot recognize storage type for {uri}: this initializer knows s3:// only.")
    bucket, path = parts.netloc, parts.path.lstrip("/")
    store = _store(bucket, environment)
    try:
        found = _listed(store, path)
        written = [_download(store, key, _target(key, path, destination)) for key in found]
    except (exceptions.BaseError, OSError) as error:
        raise FetchError(f"Failed to download from S3 storage {uri}: {_reason(error, bucket)}") from error
    if not written:
        raise FetchError(f"Failed to fetch model. No model found in {path}.")
    return written


def _store(bucket: str, environment: Mapping[str, str]) -> S3Store:
    endpoint = environment.get("AWS_ENDPOINT_URL")
    verify = environment.get("S3_VERIFY_SSL", "1").lower() not in _NO
    virtual = environment.get("S3_USER_VIRTUAL_BUCKET", "0").lower() not in _NO
    anonymous = environment.get("awsAnonymousCredential", "false").lower() == "true"
    config = {
        "bucket": bucket,
        "region": environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or "us-east-1",
        "access_key_id": environment.get("AWS_ACCESS_KEY_ID", ""),
        "secret_access_key": environment.get("AWS_SECRET_ACCESS_KEY", ""),
        "virtual_hosted_style_request": virtual,
        "skip_signature": anonymous or not environment.get("AWS_ACCESS_KEY_ID"),
        **({"endpoint": endpoint} if endpoint else {}),
    }
    options = {"allow_http": True, "allow_invalid_certificates": not verify, "timeout": "30s", "connect_timeout": "15s"}
    return S3Store(config=config, client_options=options, retry_config=_RETRY)  # type: ignore[arg-type]


def _listed(store: S3Store, path: str) -> list[str]:
    """Keys that start with the path. The library lists whole folders only, so the last name is compared here."""
    folder = path.rpartition("/")[0]
    found = []
    for batch in obstore.list(store, prefix=folder or None):
        for entry in batch:
            key = str(entry["path"])
            if key == path:
                return [key]
            if key.startswith(path) and entry["size"] > 0:
                found.append(key)
    return found


def _target(key: str, path: str, destination: Path) -> Path:
    name = key.rpartition("/")[2] if key == path else key.removeprefix(path).lstrip("/")
    target = destination / name
    if not target.resolve().is_relative_to(destination.resolve()):
        raise FetchError(f"The object {key} would be written outside of {destination}.")
    return target


def _download(store: S3Store, key: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        for chunk in obstore.get(store, key):
            stream.write(chunk)
    print(f"Downloaded object {key}", flush=True)
    return target


def _reason(error: Exception, bucket: str) -> str:
    text = " ".join(str(error).split())
    for code, meaning in {
        "NoSuchBucket": f"the bucket {bucket} does not exist",
        "InvalidAccessKeyId": "the access key is not known",
        "SignatureDoesNotMatch": "the secret access key is wrong",
        "AccessDenied": f"access to bucket {bucket} is denied",
    }.items():
        if code in text:
            return f"{meaning} ({code})"
    return text[:500]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
