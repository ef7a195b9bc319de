"""The other side of every figure: what scikit-learn itself says, in a process that knows nothing of the project."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from sklearn_sandbox import paths


def asked(script: str, folder: Path | None = None) -> dict[str, Any]:
    """What ``script``, beside this file, prints as JSON; ``folder``, which it fills with tables, comes along."""
    where = [str(folder)] if folder else []
    command = [str(paths.trainer_python()), str(Path(__file__).with_name(f"{script}.py")), *where]
    lists = paths.project_root() / "tests" / "unit" / "steps"
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=300, env=os.environ | {"PYTHONPATH": str(lists)}
    )
    return dict(json.loads(done.stdout)) | {"folder": folder}
