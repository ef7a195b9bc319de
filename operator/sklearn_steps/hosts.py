"""Which http(s) addresses the operator's settings allow: asked by the operator, and by the task at each redirect.

Invariant: the standard library and nothing else is imported, so that the operator can afford this module. An address
that two programs could understand in two ways is allowed by nobody.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Collection

_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")


def named(uri: str) -> str | None:
    """The host of an http(s) address in lower case, None where there is none that anybody could mean."""
    try:
        parts = urllib.parse.urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    plain = parts.scheme in ("http", "https") and host and parts.username is None and parts.password is None
    return host if plain and host and _HOST.fullmatch(host) else None


def allowed(uri: str, hosts: Collection[str]) -> bool:
    """Whether the settings allow the address: its host with its port, or its host alone for the usual ports."""
    host = named(uri)
    if host is None:
        return False
    name = f"[{host}]" if ":" in host else host
    port = urllib.parse.urlsplit(uri).port
    return f"{name}:{port}" in hosts or (port in (None, 80, 443) and (name in hosts or host in hosts))


def listable(text: str) -> bool:
    """Whether this is how the settings name a host: ``host`` or ``host:port``."""
    return named(f"http://{text}/") is not None and "/" not in text and not any(mark in text for mark in "?#@")
