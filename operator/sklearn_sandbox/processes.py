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
# The process notes its own pid before it becomes the component: no start is forgotten, whenever the caller is killed.
# (A shell, and no Popen: its object wants to outlive the process.)
SHIM = 'echo $$ >"$1" && cd "$0" && shift && exec "$@"'


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
    """What is known of a started process; of one whose starter was killed only who it is."""
    try:
        return Record(**json.loads(record_path(home, name).read_text()))
    except FileNotFoundError:
        pass
    try:
        pid = int(record_path(home, name).with_suffix(".pid").read_text())
        found = psutil.Process(pid)
        if found.environ().get(state.MARKER) == str(home):
            return Record(name, pid, found.create_time(), "")
    except (FileNotFoundError, ValueError, psutil.Error):
        pass
    return None


def start(home: Path, name: str, command: Sequence[str], env: Mapping[str, str], log: Path, fingerprint: str) -> Record:
    """Start detached, in a session of its own."""
    forget(home, name)
    pid_file = record_path(home, name).with_suffix(".pid")
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    argv = ["/bin/sh", "-c", SHIM, str(home), str(pid_file), *command]
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
    forget(home, name)


def forget(home: Path, name: str) -> None:
    for path in (record_path(home, name), record_path(home, name).with_suffix(".pid")):
        path.unlink(missing_ok=True)


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
    try:
        running = one.is_running() and one.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    if not running:
        reap(one.pid)  # only now: it may have ended a moment ago, and nobody looks again
    return running
