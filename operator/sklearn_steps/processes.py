"""A process of somebody else's code: its words go into the task's log, and nothing of it stays behind.

Invariant: however this ends (the process ends, the task is told to end or dies), the process group ends with it. No
credentials are in its environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from sklearn_steps import contract

_SECRETS = (contract.STORE_ENV_PREFIX, contract.DATA_ENV_PREFIX, "AWS_")
_LINE = 1 << 16
_PARTING_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


def environment(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What of the task's environment is nobody's secret."""
    return {name: value for name, value in env.items() if not name.startswith(_SECRETS)}


def run(command: Sequence[str], folder: Path, env: Mapping[str, str], say: Callable[[str], None]) -> int:
    """Run it to its end; its exit status as ``subprocess`` has it. ``say`` gets every line of its output."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,  # and not a session of its own: whoever ends the task by its session means it, too
        preexec_fn=_mortal(),
    )
    reader = threading.Thread(target=_copy, args=(process.stdout, say), daemon=True)
    reader.start()
    try:
        with _ended_with_the_task():
            # Not reaped yet, so that nobody else can have got the number of the group that is signalled below.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(_PARTING_SECONDS)  # what left the group may hold the pipe; nobody waits for that
    return process.returncode


def ending(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"ended with code {code}"
    name = signal.Signals(-code).name if -code in {item.value for item in signal.Signals} else f"signal {-code}"
    advice = "; it may have run out of memory: raise training.resources.limits.memory"
    return f"was ended by {name}" + (advice if -code == signal.SIGKILL else "")


def _copy(pipe: IO[bytes], say: Callable[[str], None]) -> None:
    with pipe:
        while line := pipe.readline(_LINE):
            say(line.decode(errors="replace").rstrip("\r\n"))


def _mortal() -> Callable[[], None] | None:
    """Where the kernel offers it, the process dies with the task that started it, whatever kills that."""
    if sys.platform != "linux":
        return None
    libc: Any = ctypes.CDLL(None)  # looked up here: between fork and exec there is no time for that

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask


@contextlib.contextmanager
def _ended_with_the_task() -> Iterator[None]:
    """SIGTERM to the task ends the block, too; by itself it would end Python without a chance to tidy up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
