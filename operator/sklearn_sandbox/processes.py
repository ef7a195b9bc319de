"""Starting and ending the sandbox's processes without being their keeper.

Each runs detached in a session of its own, writes to its own log, and is remembered as pid and start time, so that a
pid given to somebody else meanwhile is never mistaken for ours. Every process carries SKLEARN_SANDBOX in its
environment and hands it to its children: what a crash leaves behind is found by that.

Invariant: nothing is signalled that is not proved to be ours.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from sklearn_sandbox import files, state

POLL = 0.05
SAME_START = 2.0


@dataclass(frozen=True)
class Record:
    """What is remembered of a started process."""

    name: str
    pid: int
    created: float
    fingerprint: str


def record_path(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.json"


def recorded(home: Path, name: str) -> Record | None:
    try:
        return Record(**json.loads(record_path(home, name).read_text()))
    except FileNotFoundError:
        return None


def start(home: Path, name: str, command: Sequence[str], env: Mapping[str, str], log: Path, fingerprint: str) -> Record:
    """Start detached. The shell only changes the folder (no Popen: its object wants to outlive the process)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    argv = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(home), *command]
    pid = os.posix_spawn(
        argv[0], argv, {**env, state.MARKER: str(home)}, file_actions=actions, setsid=True, setsigmask=[]
    )
    record = Record(name, pid, psutil.Process(pid).create_time(), fingerprint)
    files.write(record_path(home, name), json.dumps(asdict(record)))
    return record


def process(record: Record) -> psutil.Process | None:
    """The living process of a record, None when it ended (or its pid belongs to somebody else by now)."""
    reap(record.pid)
    try:
        found = psutil.Process(record.pid)
        if abs(found.create_time() - record.created) > SAME_START or found.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return found


def alive(record: Record | None) -> bool:
    return record is not None and process(record) is not None


def stop(home: Path, name: str, grace: float) -> None:
    """SIGTERM to the process, then SIGKILL to its whole group after `grace` seconds; forgets the record."""
    record = recorded(home, name)
    if record is not None and (found := process(record)) is not None:
        with_group = members(record.pid)
        found.terminate()
        wait_gone([found], grace)
        kill(with_group | members(record.pid))
    record_path(home, name).unlink(missing_ok=True)


def members(group: int) -> set[psutil.Process]:
    """The processes of a session that `start` opened (its leader's pid names session and group)."""
    found = set()
    for candidate in psutil.process_iter():
        try:
            if os.getsid(candidate.pid) == group:
                found.add(candidate)
        except (ProcessLookupError, PermissionError):
            continue
    return found


def kill(found: set[psutil.Process]) -> None:
    for one in found:
        try:
            one.send_signal(signal.SIGKILL)  # psutil compares start times, so a reused pid is safe
        except psutil.NoSuchProcess:
            continue
    wait_gone(list(found), 5.0)


def marked(home: Path) -> set[psutil.Process]:
    """Every process that carries the marker of this sandbox, but not ourselves or those who started us."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = set()
    for candidate in psutil.process_iter():
        try:
            if candidate.pid not in ours and candidate.environ().get(state.MARKER) == str(home):
                found.add(candidate)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError):
            continue
    return found


def strays(home: Path, command: Sequence[str]) -> set[psutil.Process]:
    """Processes that run this very command for this sandbox: left by an `up` killed before it could take its note."""
    found = set()
    for candidate in marked(home):
        try:
            # A script is run by its interpreter, which then stands before it.
            if candidate.cmdline()[-len(command) :] == list(command):
                found.add(candidate)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def wait_gone(found: Sequence[psutil.Process], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    left = list(found)
    while True:
        left = [one for one in left if _running(one)]
        if not left or time.monotonic() > deadline:
            return not left
        time.sleep(POLL)


def reap(pid: int) -> None:
    """Take the exit status of an ended child: a long-lived caller (a test session) would keep zombies otherwise."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _running(one: psutil.Process) -> bool:
    reap(one.pid)
    try:
        return one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
