"""The actions that probes and lifecycle hooks share: httpGet, tcpSocket, exec, sleep.

Invariant: an action ends within its time limit and says in one line why it failed; it raises nothing else.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from sklearn_sandbox.node import addresses, process

OUTPUT_LIMIT = 10 * 1024


class Failed(Exception):
    """Its text is what the event shows."""


@dataclass(frozen=True)
class Target:
    """The container an action is done to."""

    ip: str
    ports: Sequence[Mapping[str, Any]]
    #: Starts a command in the container, its output going to the file descriptor.
    start: Callable[[Sequence[str], int], process.Process]

    def port(self, wanted: int | str) -> int:
        if isinstance(wanted, int) or wanted.isdecimal():
            return int(wanted)
        for one in self.ports:
            if one.get("name") == wanted:
                return int(one["containerPort"])
        raise Failed(f'couldn\'t find port: "{wanted}"')

    def host(self, given: str | None) -> str:
        return addresses.real(given or self.ip)


async def perform(action: Mapping[str, Any], target: Target, session: aiohttp.ClientSession, seconds: float) -> None:
    """Raises Failed."""
    try:
        async with asyncio.timeout(seconds):
            if wanted := action.get("httpGet"):
                await _http(wanted, target, session)
            elif wanted := action.get("tcpSocket"):
                await _tcp(wanted, target)
            elif wanted := action.get("exec"):
                await _exec(wanted, target)
            elif wanted := action.get("sleep"):
                await asyncio.sleep(wanted["seconds"])
            else:
                raise Failed("this sandbox knows the actions httpGet, tcpSocket, exec and sleep")
    except TimeoutError:
        raise Failed(f"no result after {seconds:g} s: context deadline exceeded") from None


async def _http(wanted: Mapping[str, Any], target: Target, session: aiohttp.ClientSession) -> None:
    scheme = str(wanted.get("scheme", "HTTP")).lower()
    path = str(wanted.get("path") or "/")
    shown = f"{wanted.get('host') or target.ip}:{target.port(wanted['port'])}/{path.removeprefix('/')}"
    url = f"{scheme}://{target.host(wanted.get('host'))}:{target.port(wanted['port'])}/{path.removeprefix('/')}"
    headers = {"User-Agent": "kube-probe/sandbox", "Accept": "*/*"}
    headers |= {entry["name"]: entry["value"] for entry in wanted.get("httpHeaders") or []}
    try:
        async with session.get(url, headers=headers, ssl=False) as answer:
            if not 200 <= answer.status < 400:
                raise Failed(f"HTTP probe failed with statuscode: {answer.status}")
    except (aiohttp.ClientError, OSError) as error:
        refused = isinstance(error, aiohttp.ClientConnectorError)
        why = "connect: connection refused" if refused else str(error) or type(error).__name__
        raise Failed(f'Get "{scheme}://{shown}": {why}') from error


async def _tcp(wanted: Mapping[str, Any], target: Target) -> None:
    host, port = target.host(wanted.get("host")), target.port(wanted["port"])
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise Failed(f"dial tcp {wanted.get('host') or target.ip}:{port}: {error.strerror or error}") from error
    writer.close()


async def _exec(wanted: Mapping[str, Any], target: Target) -> None:
    with tempfile.TemporaryFile() as output:
        try:
            started = target.start(wanted["command"], output.fileno())
        except process.StartError as error:
            raise Failed(str(error)) from error
        try:
            await started.wait()
        finally:
            started.kill()
        output.seek(0)
        if started.exited.result() != 0:
            raise Failed(
                output.read(OUTPUT_LIMIT).decode(errors="replace").strip() or f"exit status {started.exited.result()}"
            )
