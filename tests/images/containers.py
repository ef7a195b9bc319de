"""Containers of the images that scripts/images.sh has built: the image's own settings, a pod's way of running them.

Invariant: the root file system is read-only to what runs, and the image itself is never changed: a container gets an
overlay of its own, which goes with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ENTER = Path(__file__).with_name("enter.py")
_NAMESPACES = ("--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child")


@dataclass(frozen=True)
class Volume:
    """A folder of this machine at a path of the container."""

    folder: Path
    path: str
    read_only: bool = True


@dataclass(frozen=True)
class Process:
    """How a container starts, where that is not what the image says."""

    command: Sequence[str] = ()
    args: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    #: Variables of the image that are taken away.
    without: Sequence[str] = ()
    user: tuple[int, int] | None = None
    #: Whether /tmp can be written to.
    scratch: bool = True

    def by_somebody(self) -> Process:
        """As OpenShift runs pods, a user that no file knows in the group root, by a runtime that sets no HOME."""
        return dataclasses.replace(self, user=(1_000_680_000, 0), without=("HOME",))


class Container:
    def __init__(self, name: str, root: Path, config: Mapping[str, Any], volumes: Sequence[Volume]) -> None:
        self.name, self.root, self.config, self._volumes = name, root, config, volumes
        # What a container runtime does before it makes the root read-only.
        for volume in volumes:
            point = Path(f"{root}{volume.path}")
            if not point.resolve().is_relative_to(root):
                raise ValueError(f"{volume.path} goes by a link out of the container")
            point.mkdir(parents=True, exist_ok=True)
        for name in ("hosts", "resolv.conf"):
            (root / "etc" / name).touch()

    @property
    def user(self) -> tuple[int, int]:
        user, _, group = str(self.config["User"]).partition(":")
        return int(user), int(group)

    def argv(self, how: Process) -> list[str]:
        if how.command:
            return [*how.command, *how.args]
        return [*(self.config.get("Entrypoint") or ()), *(how.args or self.config.get("Cmd") or ())]

    def _started(self, how: Process) -> list[str]:
        user, group = how.user or self.user
        environment = dict(item.split("=", 1) for item in self.config["Env"]) | dict(how.env)
        description = {
            "root": str(self.root),
            "user": user,
            "group": group,
            "argv": self.argv(how),
            "env": {name: value for name, value in environment.items() if name not in how.without},
            "scratch": how.scratch,
            "folder": self.config.get("WorkingDir") or "/",
            "volumes": [
                {"folder": str(volume.folder), "mountPath": volume.path, "readOnly": volume.read_only}
                for volume in self._volumes
            ],
        }
        return ["unshare", *_NAMESPACES, sys.executable, "-I", str(ENTER), json.dumps(description)]

    def run(self, how: Process, seconds: float = 900.0) -> subprocess.CompletedProcess[str]:
        """To its end."""
        return subprocess.run(
            self._started(how), capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )

    def output(self, *command: str, **more: Any) -> str:
        """What a command that has to succeed prints."""
        done = self.run(Process(command=command, **more))
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def running(self, how: Process, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """While the block lasts; `terminate` ends it as a kubelet does."""
        with log.open("wb") as said:
            process = subprocess.Popen(
                self._started(how), stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
            )
            try:
                yield process
            finally:
                process.kill()  # of `unshare`, which takes what it has started with it
                process.wait()


def terminate(process: subprocess.Popen[bytes], seconds: float = 30.0) -> int:
    """SIGTERM to the container's first process, which gets it only if it has a handler; its exit code."""
    (first,) = psutil.Process(process.pid).children()
    first.send_signal(signal.SIGTERM)
    return process.wait(seconds)


class Store:
    """The storage of buildah that the images are in."""

    def __init__(self, folder: Path) -> None:
        self._command = ["buildah", "--root", str(folder), "--runroot", str(folder / "run"), "--storage-driver=overlay"]

    def _buildah(self, *arguments: str) -> str:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"buildah {shlex.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    @contextlib.contextmanager
    def building(self, image: str) -> Iterator[tuple[Path, Callable[..., str]]]:
        """A container of a stage: its root, and how a command of the build is run in it."""
        name = self._buildah("from", "--pull-never", f"localhost/{image}")
        try:
            root = Path(self._buildah("mount", name))
            yield root, functools.partial(self._buildah, "run", "--isolation", "chroot", name, "--")
        finally:
            self._buildah("rm", name)

    @contextlib.contextmanager
    def container(self, image: str, volumes: Sequence[Volume] = ()) -> Iterator[Container]:
        name = self._buildah("from", "--pull-never", f"localhost/{image}")
        try:
            root = Path(self._buildah("mount", name))
            inspected = json.loads(self._buildah("inspect", "--type", "image", f"localhost/{image}"))
            yield Container(image, root, inspected["OCIv1"]["config"], volumes)
        finally:
            self._buildah("rm", name)
