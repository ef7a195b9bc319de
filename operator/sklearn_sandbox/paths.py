"""Where things lie: the state of one sandbox, the cache of built binaries, and the checkout the manifests come from.

Invariant: everything the sandbox writes is under the state folder or the cache folder, so removing both removes it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the default sandbox; every process of it carries this path in SKLEARN_SANDBOX."""
    chosen = environ.get("SKLEARN_SANDBOX_HOME")
    folder = Path(chosen) if chosen else Path.home() / ".local" / "state" / "sklearn-operator" / "sandbox"
    return folder.expanduser().resolve()


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Built binaries and downloaded tools, shared by all sandboxes of a user."""
    chosen = environ.get("SKLEARN_OPERATOR_CACHE")
    return (Path(chosen) if chosen else Path.home() / ".cache" / "sklearn-operator").expanduser().resolve()


def project_root() -> Path:
    """The checkout: crds/, deploy/ and the trainer environment lie here."""
    return Path(__file__).resolve().parents[2]


def go_modules() -> Path:
    """The folders whose go.mod and go.sum pin what is built."""
    return Path(__file__).resolve().parent / "assets"


def trainer_python(environ: Mapping[str, str] = os.environ) -> Path:
    chosen = environ.get("SKLEARN_TRAINER_PYTHON")
    return Path(chosen) if chosen else project_root() / ".venv-trainer" / "bin" / "python"


def operator_bin() -> Path:
    """The folder of this environment's executables (not resolved: a virtual environment's python is a link)."""
    return Path(sys.executable).parent
