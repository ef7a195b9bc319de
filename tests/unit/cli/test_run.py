"""How ``sklearn-operator run`` ends when it cannot begin: status 2 and one line that says what to correct."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from faults import proxy as faults


def started(folder: Path, *, beside: dict[str, str] | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    chosen = {f"SKLEARN_OPERATOR_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "sklearn_operator", "run"]
    done = subprocess.run(
        command, env=kept | chosen | (beside or {}), capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback" not in done.stderr
    return done


def kubeconfig(folder: Path) -> str:
    path = folder / "kubeconfig"
    path.write_text(faults.Proxy({}, {"kubernetes": 9}).kubeconfig())
    return str(path)


def test_wrong_settings_are_told_all_at_once(tmp_path: Path) -> None:
    done = started(tmp_path, KFP_URL="ml-pipeline:8888", WORKERS="0", STORE_SECRET_ACCESS_KEY="never-shown")
    assert done.returncode == 2
    first, *rest = done.stderr.splitlines()
    assert first == "sklearn-operator: wrong settings:"
    assert [line.partition(":")[0] for line in rest] == [
        "SKLEARN_OPERATOR_KFP_URL",
        "SKLEARN_OPERATOR_STORE_SECRET_ACCESS_KEY",
        "SKLEARN_OPERATOR_WORKERS",
    ]
    assert "never-shown" not in done.stderr


@pytest.mark.parametrize("content", [None, "{", "apiVersion: v1\nkind: Config\n"], ids=["absent", "broken", "empty"])
def test_a_kubeconfig_that_leads_nowhere(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    done = started(tmp_path, KUBECONFIG=str(path), HEALTH_HOST="127.0.0.1", HEALTH_PORT="0")
    assert done.returncode == 2
    assert f"cannot start: kubernetes: no way to the cluster ({path}): " in done.stderr.splitlines()[-1]


def test_a_missing_token_file(tmp_path: Path) -> None:
    done = started(tmp_path, KFP_TOKEN_FILE=str(tmp_path / "token"), KUBECONFIG=kubeconfig(tmp_path))
    assert done.returncode == 2
    told = f"SKLEARN_OPERATOR_KFP_TOKEN_FILE: {tmp_path}/token: No such file or directory"
    assert done.stderr.splitlines() == ["sklearn-operator: wrong settings:", told]


def test_traces_without_the_packages_for_them(tmp_path: Path) -> None:
    hidden = "import sys\nsys.modules.update({'opentelemetry.sdk': None, 'opentelemetry.exporter': None})\n"
    (tmp_path / "sitecustomize.py").write_text(hidden)
    endpoint = "http://127.0.0.1:9"
    beside = {"PYTHONPATH": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    done = started(tmp_path, beside=beside, KUBECONFIG=kubeconfig(tmp_path))
    assert done.returncode == 2
    told = "OTEL_EXPORTER_OTLP_ENDPOINT: asks for traces, and OpenTelemetry is not installed: "
    remedy = "install sklearn-operator[operator,tracing], or set OTEL_SDK_DISABLED=true"
    assert done.stderr.splitlines() == ["sklearn-operator: wrong settings:", told + remedy]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = started(tmp_path, KUBECONFIG=kubeconfig(tmp_path), HEALTH_HOST="127.0.0.1", HEALTH_PORT=port)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert f"SKLEARN_OPERATOR_HEALTH_HOST and _PORT: cannot listen on 127.0.0.1:{port}: " in last
