"""Becomes a process of a container, as a pod with the Pod Security level "restricted" has it; standard library only.

Reads a JSON description from its first argument. It has to run as root in mount and PID namespaces of its own, which
end with it. Invariant: what it executes cannot write to its root file system, has no capability, and gets none.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_DEVICES = ("null", "zero", "full", "random", "urandom")


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def build(root: Path, given: dict[str, Any]) -> None:
    """The mounts of a pod: proc, devices, /tmp, its volumes, and the node's names of hosts."""
    mount("--make-rprivate", "/")
    mount("--bind", str(root), str(root))
    mount("-o", "remount,bind,ro,nodev,nosuid", str(root))
    mount("-t", "proc", "proc", str(root / "proc"))
    if given["scratch"]:
        mount("-t", "tmpfs", "-o", "nosuid,nodev,mode=1777", "tmpfs", str(root / "tmp"))
    mount("-t", "tmpfs", "-o", "nosuid,mode=755", "tmpfs", str(root / "dev"))
    for name in _DEVICES:
        (root / "dev" / name).touch()
        mount("--bind", f"/dev/{name}", str(root / "dev" / name))
    (root / "dev" / "fd").symlink_to("/proc/self/fd")
    (root / "dev" / "shm").mkdir()
    mount("-t", "tmpfs", "-o", "nosuid,nodev,mode=1777,size=64m", "tmpfs", str(root / "dev" / "shm"))
    for name in ("hosts", "resolv.conf"):
        mount("--bind", f"/etc/{name}", str(root / "etc" / name))
    for volume in given["volumes"]:
        inside = str(root) + volume["mountPath"]
        mount("--bind", volume["folder"], inside)
        if volume["readOnly"]:
            mount("-o", "remount,bind,ro", inside)


def confine(root: Path, user: int, group: int) -> None:
    os.chroot(root)
    libc: Any = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def main() -> None:
    given = json.loads(sys.argv[1])
    root = Path(given["root"])
    build(root, given)
    confine(root, given["user"], given["group"])
    os.chdir(given["folder"])
    os.execvpe(given["argv"][0], given["argv"], given["env"])  # looked up on the PATH of the image


if __name__ == "__main__":
    main()
