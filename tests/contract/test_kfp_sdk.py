"""People point the KFP SDK at the local server; it must not notice."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from contract import kfp_rig
from sklearn_sandbox import paths


def test_the_sdk_works_against_the_local_server(server: kfp_rig.Server, tmp_path: Path) -> None:
    command = [str(paths.trainer_python()), str(kfp_rig.DATA / "use_sdk.py"), server.url]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
