"""Keys of a tenant's own to the sandbox's store, each for some prefixes alone, as a platform team would give them out.

Invariant: a policy names what its key opens; the administrator's key makes users and is given to nobody here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import json
import os
import urllib.parse
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sklearn_sandbox import buckets, services, state

_API = "/minio/admin/v3"


def give_out(sandbox: state.Sandbox, name: str, *prefixes: str) -> dict[str, str]:
    """A user with everything below those prefixes of the bucket and nothing else; what changes in a Secret of it."""
    secret = f"{name}-{os.urandom(12).hex()}"
    user = json.dumps({"secretKey": secret, "status": "enabled"}).encode()
    _call(sandbox, "add-user", {"accessKey": name}, _sealed(user, sandbox.secret_key))
    _call(sandbox, "add-canned-policy", {"name": name}, json.dumps(_policy(prefixes)).encode())
    _call(sandbox, "set-user-or-group-policy", {"policyName": name, "userOrGroup": name, "isGroup": "false"}, b"")
    return {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": secret}


def _policy(prefixes: tuple[str, ...]) -> dict[str, Any]:
    bucket = f"arn:aws:s3:::{services.BUCKET}"
    below = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    objects = [f"{bucket}/{prefix}*" for prefix in prefixes]
    rules = [
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket], "Condition": below},
        {"Effect": "Allow", "Action": ["s3:*Object"], "Resource": objects},
    ]
    return {"Version": "2012-10-17", "Statement": rules}


def _sealed(content: bytes, password: str) -> bytes:
    """As MinIO wants what is secret in its administration: PBKDF2, AES-GCM, in one last fragment."""
    salt, nonce = os.urandom(32), os.urandom(8)
    key = AESGCM(hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 8192, 32))
    tag = key.encrypt(nonce + bytes(4), b"", b"")
    return salt + b"\2" + nonce + key.encrypt(nonce + (1).to_bytes(4, "little"), content, b"\x80" + tag)


def _call(sandbox: state.Sandbox, verb: str, query: Mapping[str, str], body: bytes) -> None:
    host = urllib.parse.urlsplit(sandbox.store_endpoint).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    path, text = f"{_API}/{verb}", urllib.parse.urlencode(sorted(query.items()))
    try:
        keys = (sandbox.access_key, sandbox.secret_key)
        headers = buckets.signed_headers(host, services.REGION, *keys, path, dt.datetime.now(dt.UTC), text, body)
        connection.request("PUT", f"{path}?{text}", body, headers)
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    finally:
        connection.close()
    assert answer.status == 200, f"{verb}: {answer.status} {said}"
