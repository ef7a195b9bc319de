"""A control plane that belongs to a test session: a real API server in a folder of its own, gone when the session is.

Invariant: it ends with its owner, also when the owner is killed: a watcher process outlives it just long enough.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sklearn_sandbox import lifecycle, processes, state

WATCHER = "watcher"


@dataclass(frozen=True)
class Cluster:
    sandbox: state.Sandbox

    @property
    def state(self) -> Path:
        return self.sandbox.home

    @property
    def kubeconfig(self) -> Path:
        return self.sandbox.kubeconfig

    @property
    def server(self) -> str:
        return self.sandbox.server

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator; a refused command raises with what kubectl said."""
        command = [str(self.state / "bin" / "kubectl"), "--kubeconfig", str(self.kubeconfig), *args]
        done = subprocess.run(command, input=input, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            said = done.stderr or done.stdout
            raise AssertionError(f"kubectl {' '.join(args)} exited with {done.returncode}: {said}")
        return done


@contextlib.contextmanager
def cluster(
    home: Path, only: Collection[str] | None = ("kube-apiserver",), without: Collection[str] = ()
) -> Iterator[Cluster]:
    """A sandbox of the named parts (and what they need) for the length of the block, with the checkout's CRDs."""
    watch = [sys.executable, "-m", "sklearn_sandbox.embedded", "--state", str(home), "--owner", str(os.getpid())]
    processes.start(home, WATCHER, watch, os.environ, home / "logs" / "watcher.log", "")
    try:
        yield Cluster(lifecycle.up(home, only=only, without=without))
    finally:
        processes.stop(home, WATCHER, grace=2.0)
        lifecycle.down(home)


def main(arguments: Sequence[str] | None = None) -> None:
    """Wait for the owner to end, then take the sandbox down."""
    parser = argparse.ArgumentParser(description="take a sandbox down once its owner has ended")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--owner", type=int, required=True)
    options = parser.parse_args(arguments)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(options.owner).wait()
    lifecycle.down(options.state)


if __name__ == "__main__":
    main()
