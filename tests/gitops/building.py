"""Builds the Go program that answers what GitOps tools make of an object; once, into the cache of built binaries.

Invariant: the cache is keyed by sources, pins and build flags, so a changed pin never runs an old binary.

Run as a program it builds, and then becomes the command that follows: most of what is compiled for it is part of the
API server, too, so it is built where the compiler's cache is used for that right away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from sklearn_sandbox import assets, gobuild, paths, progress

SOURCES = Path(__file__).parent / "tool"
PACKAGE = "sklearn-operator.io/tests/gitops"
LINKER = ("-s", "-w")


def binary() -> Path:
    """Where it is, built if it has to be."""
    path = paths.cache_folder() / "bin" / f"gitops-{_key()}" / "gitops"
    if not path.exists():
        with progress.taking_turns(paths.cache_folder() / "lock", "cache", progress.Silent()):
            if not path.exists():
                gobuild.build(gobuild.toolchain(_go()), SOURCES, {PACKAGE: path}, LINKER, lambda *_: None)
    return path


def _go() -> str:
    lines = (SOURCES / "go.mod").read_text().splitlines()
    return next(line.removeprefix("go ") for line in lines if line.startswith("go "))


def _key() -> str:
    digest = hashlib.sha256(" ".join([*gobuild.FLAGS, *LINKER]).encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]


def main() -> None:
    print(binary(), flush=True)
    if len(sys.argv) > 1:
        command = shutil.which(sys.argv[1]) or sys.argv[1]
        os.execv(command, sys.argv[1:])
    elif all(assets.found(program) for program in assets.PROGRAMS):
        gobuild.forget()


if __name__ == "__main__":
    main()
