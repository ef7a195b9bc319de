"""One local process in a session of its own, standing for a container.

When the first process of a container ends, everything it started ends with it, as in a container: whatever is left in
its session is killed before its exit status is taken, while the kernel still keeps its number for us.
Invariant: a number is signalled only while it is certainly ours, and no zombie stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from sklearn_sandbox import state
from sklearn_sandbox.node import variables


class StartError(Exception):
    """There is nothing to execute; said as a container runtime says it."""


def executable(word: str, path: str, image: Path, cwd: Path) -> str:
    """The file to execute. An absolute path inside the image means the image's own executable of that name."""
    own = image / Path(word).name
    if word.startswith("/") and os.access(own, os.X_OK):
        return str(own)
    found = shutil.which(word, path=path) if "/" not in word else shutil.which(str(cwd / word))
    if found is None:
        where = "executable file not found in $PATH" if "/" not in word else "no such file or directory"
        raise StartError(f'exec: "{word}": {where}')
    return found


class Process:
    """A started process. `exited` gets its exit code, 128 + n when signal n ended it."""

    def __init__(self, argv: Sequence[str], file: str, env: Mapping[str, str], cwd: Path, output: int) -> None:
        try:
            self._popen = subprocess.Popen(
                argv,
                executable=file,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise StartError(f'exec: "{argv[0]}": {error.strerror}') from error
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._watch = os.pidfd_open(self._popen.pid)
        self._loop.add_reader(self._watch, self._ended)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return not self.exited.done()

    def terminate(self) -> None:
        """SIGTERM to the first process alone, as a container runtime does."""
        if self.running:
            self._popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.running:
            kill_session(self._popen.pid)

    async def wait(self, seconds: float | None = None) -> bool:
        """Whether it has ended, at the latest after `seconds`."""
        await asyncio.wait([self.exited], timeout=seconds)
        return self.exited.done()

    def _ended(self) -> None:
        self._loop.remove_reader(self._watch)
        os.close(self._watch)
        kill_session(self._popen.pid)  # it is a zombie until the next line, so its number still means this session
        code = self._popen.wait()
        self.exited.set_result(code if code >= 0 else 128 - code)


def kill_session(leader: int) -> None:
    for pid in _numbers():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


def orphans(home: Path) -> list[psutil.Process]:
    """Processes of pods that an earlier agent of this sandbox left behind."""
    found = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environ = candidate.environ()
            if environ.get(state.MARKER) == str(home) and variables.POD_MARKER in environ:
                found.append(candidate)
    return found


def kill_orphans(home: Path) -> int:
    """Kills until none is left (one may have started another meanwhile); how many there were."""
    count = 0
    while left := orphans(home):
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(left, timeout=2.0)
        count += len(left)
    return count


def _numbers() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
