"""Reading requests as grpc-gateway does: unknown fields are an error, and everything has a type.

Invariant: nothing of a request reaches the store unchecked.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sklearn_sandbox.kfp import problems


async def body(request: web.Request, fields: Mapping[str, type]) -> dict[str, Any]:
    """The JSON object of the request, which may have these fields only."""
    try:
        parsed = json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise problems.Problem(problems.INVALID_ARGUMENT, f"invalid character: {error}") from error
    if not isinstance(parsed, dict):
        raise problems.Problem(problems.INVALID_ARGUMENT, "proto: syntax error: unexpected token")
    parsed = snake(parsed)
    check(parsed, fields)
    return {name: value for name, value in parsed.items() if value is not None}


def snake(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """protojson takes a field by its own name and by its lowerCamelCase one."""
    return {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name): value for name, value in parsed.items()}


def check(parsed: Mapping[str, Any], fields: Mapping[str, type]) -> None:
    for name, value in parsed.items():
        if name not in fields:
            raise problems.Problem(problems.INVALID_ARGUMENT, f'proto: (line 1:2): unknown field "{name}"')
        if value is not None and not isinstance(value, fields[name]):
            raise problems.Problem(problems.INVALID_ARGUMENT, f"proto: (line 1:2): invalid value for field {name}")


def now() -> str:
    """The server keeps whole seconds."""
    return stamp(time.time())


def stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


EPOCH = stamp(0)
EMPTY: dict[str, Any] = {}
