"""Faults on request, and a log of every request: how tests find out what the operator does when things go wrong.

Actions: ``500 401 403 429 garbage timeout reset_before`` do not execute the request, ``reset_after timeout_after
500_after garbage_after`` execute it and spoil the answer.

Invariant: nothing happens unless asked for at POST /sandbox/faults.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sklearn_sandbox.kfp import problems, requests

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOGGED = 10_000
_CODES = {
    "401": problems.UNAUTHENTICATED,
    "403": problems.PERMISSION_DENIED,
    "429": problems.RESOURCE_EXHAUSTED,
    "500": problems.INTERNAL,
}
_ACTIONS = {*_CODES, "garbage", "timeout", "reset_before", "reset_after", "timeout_after", "500_after", "garbage_after"}
_FIELDS: dict[str, type] = {
    "method": str,
    "path_regex": str,
    "times": int,
    "action": str,
    "delay": (int, float),  # type: ignore[dict-item]
}


@dataclass
class Fault:
    method: str
    path: re.Pattern[str]
    action: str
    times: int
    delay: float


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._log: deque[dict[str, Any]] = deque(maxlen=_LOGGED)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/sandbox/faults", self.add),
            web.delete("/sandbox/faults", self.clear),
            web.get("/sandbox/log", self.log),
            web.delete("/sandbox/log", self.forget),
        ]

    async def add(self, request: web.Request) -> web.Response:
        given = await requests.body(request, _FIELDS)
        action = given.get("action", "500")
        if action not in _ACTIONS:
            raise problems.invalid("Failed to add a fault", f"action is one of {', '.join(sorted(_ACTIONS))}")
        pattern = re.compile(given.get("path_regex", ".*"))
        delay = float(given.get("delay", 0.0))
        self._faults.append(Fault(given.get("method", "*"), pattern, action, given.get("times", 1), delay))
        return web.json_response(requests.EMPTY)

    async def clear(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.json_response(requests.EMPTY)

    async def log(self, request: web.Request) -> web.Response:
        return web.json_response({"requests": list(self._log)})

    async def forget(self, request: web.Request) -> web.Response:
        self._log.clear()
        return web.json_response(requests.EMPTY)

    def middleware(self) -> Any:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.startswith("/sandbox/"):
                return await handler(request)
            entry = {"method": request.method, "path": request.path, "time": time.time()}
            self._log.append(entry)
            fault = self._matching(request)
            response = await (handler(request) if fault is None else _spoilt(fault, request, handler))
            entry["status"] = response.status
            return response

        return guard

    def _matching(self, request: web.Request) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and fault.method in ("*", request.method) and fault.path.search(request.path):
                fault.times -= 1
                return fault
        return None


async def _spoilt(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    if fault.action.endswith("_after"):
        await handler(request)
    action = fault.action.removesuffix("_after").removesuffix("_before")
    if action == "timeout":
        await asyncio.sleep(fault.delay or 3600.0)
    elif fault.delay:
        await asyncio.sleep(fault.delay)
    if action in _CODES:
        problem = problems.Problem(_CODES[action], f"a {action} was asked for at /sandbox/faults")
        headers = {"Retry-After": "1"} if action == "429" else None
        return web.json_response(problem.body(), status=problem.status, headers=headers)
    if action == "garbage":
        return web.Response(text="<html>this is not JSON</html>", content_type="text/html")
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
