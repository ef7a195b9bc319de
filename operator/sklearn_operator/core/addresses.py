"""Whether an address can mean what it seems to mean.

Invariant: what passes names one place below its bucket, claim or host: no way up, and nothing that cannot be seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from sklearn_operator import api
from sklearn_operator.api import Problem


def problems(path: str, uri: str) -> Iterator[Problem]:
    """Of the field at ``path``; the schema has seen to the scheme."""
    if not uri.isprintable():
        yield Problem(path, api.show(uri), "has characters that cannot be seen: remove them")
    elif {".", ".."} & set(uri.partition("://")[2].split("/")):
        yield Problem(path, api.show(uri), "leads elsewhere by '.' or '..': name the place itself")
