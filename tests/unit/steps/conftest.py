"""The environment of a task: no credentials but those of the test, and a real MinIO where one is asked for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import steps_given

ROOT = Path(__file__).parents[3]
OPERATOR_PYTHON = ROOT / ".venv" / "bin" / "python"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*steps_given.KEYS, "SKLEARN_DATA_INLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.setenv(name, "1")


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The sandbox's MinIO, started by the operator's environment, which has the sandbox; ends with this session."""
    home = tmp_path_factory.mktemp("minio")
    command = [str(OPERATOR_PYTHON), str(Path(__file__).with_name("steps_minio.py")), str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"MinIO did not start; see {home}"
        yield json.loads(line)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def store(minio: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The store's Secret in the environment, as a pod gets it."""
    for key, value in minio.items():
        if key.startswith("AWS_"):
            monkeypatch.setenv(f"SKLEARN_STORE_{key}", value)
    return minio
