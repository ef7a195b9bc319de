"""The processes that execute runs: one per run, in a session of its own, in the trainer environment.

One more is kept waiting, with kfp imported, so that a run starts without the half second this takes.

Invariant: a child inherits nothing but what is listed here; it outlives the server, which finds it again by process id
and start time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sklearn_sandbox import processes, state

_KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "LD_LIBRARY_PATH", "PYTHONPYCACHEPREFIX", state.MARKER)
#: How an image would be configured to reach the index of packages.
_OF_PIP = ("PIP_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_POLL = 0.05
_GRACE = 3.0


@dataclass(frozen=True)
class Child:
    pid: int
    created: float


class Children:
    def __init__(self, trainer_python: Path, folder: Path) -> None:
        self._python = trainer_python
        self._folder = folder
        self._spare: subprocess.Popen[bytes] | None = None
        # Kept so that Python does not complain about processes it thinks forgotten.
        self._started: dict[int, subprocess.Popen[bytes]] = {}

    def keep_spare(self) -> None:
        """Starts the waiting process unless there is one."""
        if self._spare is None or self._spare.poll() is not None:
            self._spare = self._open()

    def start(self) -> tuple[Child, subprocess.Popen[bytes]]:
        """A process that waits for its job."""
        process, self._spare = self._spare, None
        if process is None or process.poll() is not None:
            process = self._open()
        self._started[process.pid] = process
        return Child(process.pid, psutil.Process(process.pid).create_time()), process

    def close(self) -> None:
        """Ends the waiting process only; those with a job go on."""
        if self._spare is not None:
            _hang_up(self._spare)
            self._spare.wait()

    async def ended(self, child: Child) -> None:
        """Returns once the process is gone."""
        if not alive(child):
            return
        if hasattr(os, "pidfd_open"):
            await _watched(child.pid)
        else:
            while alive(child):  # noqa: ASYNC110 - nothing else tells of the end of a process that is not our child
                await asyncio.sleep(_POLL)
        process = self._started.pop(child.pid, None)
        if process is not None:
            process.wait()

    async def kill(self, child: Child) -> None:
        """SIGTERM to everything in the child's session, SIGKILL after a grace period."""
        if not alive(child):
            return
        members = await asyncio.to_thread(processes.members, child.pid)
        for member in members:
            _signal(member, signal.SIGTERM)
        if not await asyncio.to_thread(processes.wait_gone, list(members), _GRACE):
            await asyncio.to_thread(processes.kill, members)

    def _open(self) -> subprocess.Popen[bytes]:
        home = self._folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= {name: value for name, value in os.environ.items() if name.upper().startswith(_OF_PIP)}
        environment["PATH"] = f"{self._python.parent}:{os.environ.get('PATH', os.defpath)}"
        environment["HOME"] = str(home)
        environment["PYTHONUNBUFFERED"] = "1"
        with (self._folder / "children.log").open("ab") as log:
            return subprocess.Popen(
                [str(self._python), "-m", "sklearn_sandbox.kfp_local"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._folder,
                start_new_session=True,
            )


def hand_over(process: subprocess.Popen[bytes], job: dict[str, Any]) -> None:
    """Writes the job to the child's standard input and closes it; a job cut short is no job."""
    if process.stdin is None:
        raise ValueError("the process has a job already")
    try:
        process.stdin.write(json.dumps(job).encode())
    except BrokenPipeError:
        return  # it died; there will be no result
    finally:
        _hang_up(process)


def alive(child: Child) -> bool:
    try:
        found = psutil.Process(child.pid)
        return abs(found.create_time() - child.created) < processes.SAME_START and (
            found.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    try:
        if process.stdin is not None:
            process.stdin.close()
    except BrokenPipeError:
        return


def _signal(member: psutil.Process, number: signal.Signals) -> None:
    try:
        member.send_signal(number)
    except psutil.NoSuchProcess:
        return


async def _watched(pid: int) -> None:
    """The kernel makes the descriptor readable when the process ends, also when it is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
