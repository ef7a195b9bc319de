"""Processes, probes and forwarding, with real processes and sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from sklearn_sandbox import state
from sklearn_sandbox.node import endpoints, forwarding, hooks, ledger, probes, process


def start(tmp_path: Path, script: str) -> process.Process:
    handle = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return process.Process(["bash", "-c", script], "/bin/bash", {"PATH": os.defpath}, tmp_path, handle)
    finally:
        os.close(handle)


async def until(question: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not question():  # noqa: ASYNC110 - what is asked for is outside this loop
            await asyncio.sleep(0.01)


async def until_said(tmp_path: Path, text: str) -> None:
    await until(lambda: text in (tmp_path / "log").read_text())


async def test_an_exit_code_is_kept_and_no_zombie_stays(tmp_path: Path) -> None:
    started = start(tmp_path, "exit 3")
    assert await started.wait(20)
    assert started.exited.result() == 3
    assert not psutil.pid_exists(started.pid)


async def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    started = start(tmp_path, "sleep 1000 & echo child $!; exit 0")
    assert await started.wait(20)
    child = int((tmp_path / "log").read_text().split()[1])
    await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


async def test_sigterm_goes_to_the_first_process_and_a_kill_to_all(tmp_path: Path) -> None:
    started = start(tmp_path, "trap 'echo asked' TERM; echo up; while true; do sleep 0.05; done")
    await until_said(tmp_path, "up")
    started.terminate()
    await until_said(tmp_path, "asked")
    assert started.running
    started.kill()
    assert await started.wait(20)
    assert started.exited.result() == 137


def test_an_absolute_path_means_the_images_own_executable(tmp_path: Path) -> None:
    image = tmp_path / "bin"
    image.mkdir()
    (image / "python").write_text("#!/bin/sh\n")
    (image / "python").chmod(0o700)
    assert process.executable("/usr/local/bin/python", "", image, tmp_path) == str(image / "python")
    assert process.executable("python", f"{image}:/bin", image, tmp_path) == str(image / "python")
    assert process.executable("/bin/sh", "", image, tmp_path) == "/bin/sh"
    with pytest.raises(process.StartError, match=r"executable file not found in \$PATH"):
        process.executable("absent", str(image), image, tmp_path)


class Heard:
    def __init__(self) -> None:
        self.words: list[str] = []
        self.done = asyncio.Event()

    def started(self) -> None:
        self.words.append("started")

    def ready(self, is_ready: bool) -> None:
        self.words.append("ready" if is_ready else "unready")

    def unhealthy(self, kind: str, output: str) -> None:
        self.words.append(f"{kind}: {output}")

    def failed(self, kind: str, probe: Mapping[str, Any]) -> None:
        self.words.append(f"{kind} lost")
        self.done.set()


async def heard(container: Mapping[str, Any], results: list[bool]) -> list[str]:
    """What the listener hears until a probe is lost or the results are used up."""
    listener, left = Heard(), list(results)

    async def attempt(probe: Mapping[str, Any]) -> None:
        if not left:
            listener.done.set()
            await asyncio.Event().wait()
        if not left.pop(0):
            raise hooks.Failed("no")

    watching = asyncio.create_task(probes.watch(container, attempt, listener))
    async with asyncio.timeout(20):
        await listener.done.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return listener.words


PROBE = {"periodSeconds": 1, "failureThreshold": 2}


async def test_without_probes_a_container_is_ready_when_it_runs() -> None:
    listener = Heard()
    await probes.watch({}, lambda probe: asyncio.sleep(0), listener)
    assert listener.words == ["started", "ready"]


async def test_readiness_turns_at_its_thresholds() -> None:
    words = await heard({"readinessProbe": PROBE}, [True, False, False])
    assert words == ["started", "ready", "Readiness: no", "Readiness: no", "unready"]


async def test_a_lost_startup_probe_ends_the_watch() -> None:
    words = await heard({"startupProbe": PROBE, "readinessProbe": PROBE}, [False, False])
    assert words == ["Startup: no", "Startup: no", "Startup lost"]


@contextlib.asynccontextmanager
async def echo(host: str, word: bytes) -> AsyncIterator[int]:
    """A server that answers each chunk with its word and the chunk; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            writer.write(word + chunk)
        writer.close()

    server = await asyncio.start_server(answer, host, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def said(port: int) -> bytes:
    reader, writer = await asyncio.open_connection(state.LOOPBACK, port)
    writer.write(b"!")
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_connections_take_turns_and_pass_by_what_does_not_answer() -> None:
    forwarder, port = forwarding.Forwarder(), state.free_port(())
    await forwarder.listen(port)
    async with echo("127.88.0.2", b"a") as one, echo("127.88.0.3", b"b") as two:
        alive = [endpoints.Backend("127.88.0.2", one, True), endpoints.Backend("127.88.0.3", two, True)]
        forwarder.backends = alive
        assert sorted([await said(port) for _ in range(4)]) == [b"a!", b"a!", b"b!", b"b!"]
        forwarder.backends = [endpoints.Backend("127.88.0.4", 1, True), alive[1]]
        assert [await said(port) for _ in range(2)] == [b"b!", b"b!"]
        forwarder.backends = []
        with pytest.raises(ConnectionError):
            await said(port)
        await until(lambda: forwarder.connections == 0)
    forwarder.close()


async def test_much_data_passes_whole_and_a_connection_outlives_the_listener() -> None:
    forwarder, port = forwarding.Forwarder(), state.free_port(())
    await forwarder.listen(port)
    data = os.urandom(8 * 2**20)
    async with echo("127.88.0.2", b"") as one:
        forwarder.backends = [endpoints.Backend("127.88.0.2", one, True)]
        reader, writer = await asyncio.open_connection(state.LOOPBACK, port)
        writer.write(b"first")
        assert await reader.readexactly(5) == b"first"
        forwarder.close()
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        writer.close()
        await writer.wait_closed()
        await until(lambda: forwarder.connections == 0)


def test_ports_are_remembered_and_forgotten(tmp_path: Path) -> None:
    kept = ledger.Ledger(tmp_path / "node.json")
    kept.keep("default/web/http", 20001)
    kept.keep("default/old/http", 20002)
    again = ledger.Ledger(tmp_path / "node.json")
    again.retain({"default/web"})
    assert ledger.Ledger(tmp_path / "node.json").ports == {"default/web/http": 20001}
