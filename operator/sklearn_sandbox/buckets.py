"""Making the store's bucket: the one S3 call that object-store libraries leave out.

Invariant: making a bucket that exists is a success, so `up` may repeat it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import http.client
from urllib.parse import urlsplit

from sklearn_sandbox import errors

ALREADY_THERE = 409


def ensure(endpoint: str, region: str, access_key: str, secret_key: str, bucket: str, now: dt.datetime) -> None:
    host = urlsplit(endpoint).netloc
    headers = signed_headers(host, region, access_key, secret_key, f"/{bucket}", now)
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("PUT", f"/{bucket}", headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if answer.status not in (200, ALREADY_THERE):
        raise errors.SandboxError(f"bucket {bucket} could not be made at {endpoint}: {answer.status} {text[:300]}")


def signed_headers(
    host: str,
    region: str,
    access_key: str,
    secret_key: str,
    path: str,
    now: dt.datetime,
    query: str = "",
    body: bytes = b"",
) -> dict[str, str]:
    """AWS Signature Version 4 of a PUT; ``query`` with its names in their order."""
    digest = hashlib.sha256(body).hexdigest()
    moment = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"PUT\n{path}\n{query}\n{lines}\n{names}\n{digest}"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "Authorization": f"AWS4-HMAC-SHA256 {credential}"}
