"""Is a component ready? Small synchronous questions over loopback, each answered within two seconds.

Invariant: a check never raises for a component that is not there yet; it says False.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any

from sklearn_sandbox import pki, state

TIMEOUT = 2.0


def http_ok(port: int, path: str) -> bool:
    return _status(http.client.HTTPConnection(state.LOOPBACK, port, timeout=TIMEOUT), path) == 200


def https_ok(port: int, path: str, authority: Path, pair: pki.Pair | None = None) -> bool:
    return _status(_secure(port, authority, pair), path) == 200


def any_ok(port: int, path: str) -> bool:
    """With or without TLS, whatever the certificate: the question is only whether our own process is there."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secure = http.client.HTTPSConnection(state.LOOPBACK, port, timeout=TIMEOUT, context=context)
    return http_ok(port, path) or _status(secure, path) == 200


def https_json(port: int, path: str, authority: Path, pair: pki.Pair) -> dict[str, Any] | None:
    """The JSON object at a path, None unless the answer is 200."""
    connection = _secure(port, authority, pair)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        found = json.loads(body) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return found if isinstance(found, dict) else None


def _secure(port: int, authority: Path, pair: pki.Pair | None) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(authority))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return http.client.HTTPSConnection(state.LOOPBACK, port, timeout=TIMEOUT, context=context)


def _status(connection: http.client.HTTPConnection, path: str) -> int:
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
