"""The catalogue: who starts when, and command lines that keep everything on loopback and every secret off them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sklearn_sandbox import components, errors, lifecycle, services, state


@pytest.fixture
def sandbox(tmp_path: Path) -> state.Sandbox:
    names = [port for part in components.catalogue().values() for port in part.ports]
    return state.prepare(tmp_path, names, ())


def commands(sandbox: state.Sandbox) -> dict[str, list[str]]:
    parts = components.catalogue()
    binaries = {part.binary: Path("/bin") / part.binary for part in parts.values() if part.binary}
    return {name: part.command(sandbox, binaries) for name, part in parts.items()}


def test_every_address_on_a_command_line_is_loopback(sandbox: state.Sandbox) -> None:
    for name, command in commands(sandbox).items():
        found = re.findall(r"\b\d+\.\d+\.\d+\.\d+\b(?!/\d)", " ".join(command))
        assert set(found) <= {"127.0.0.1"}, name


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("etcd", "--client-cert-auth"),
        ("etcd", "--unsafe-no-fsync"),
        ("kube-apiserver", "--bind-address=127.0.0.1"),
        ("kube-apiserver", "--authorization-mode=Node,RBAC"),
        ("kube-controller-manager", "--bind-address=127.0.0.1"),
        ("kube-controller-manager", "--leader-elect=false"),
        ("kube-scheduler", "--bind-address=127.0.0.1"),
        ("node", "sklearn_sandbox.node"),
        ("gateway", "sklearn_sandbox.gateway"),
        ("operator", "run"),
    ],
)
def test_a_command_line_says(sandbox: state.Sandbox, name: str, flag: str) -> None:
    assert flag in commands(sandbox)[name]


def test_no_command_line_shows_a_secret(sandbox: state.Sandbox) -> None:
    shown = " ".join(word for command in commands(sandbox).values() for word in command)
    assert sandbox.secret_key not in shown
    assert sandbox.access_key not in shown


def test_the_audit_log_is_there_on_request_only(sandbox: state.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKLEARN_SANDBOX_AUDIT", raising=False)
    assert not any(word.startswith("--audit") for word in commands(sandbox)["kube-apiserver"])
    monkeypatch.setenv("SKLEARN_SANDBOX_AUDIT", "1")
    assert f"--audit-log-path={sandbox.home / 'audit.log'}" in commands(sandbox)["kube-apiserver"]


def test_the_operator_learns_where_it_is_from_its_settings_alone(sandbox: state.Sandbox) -> None:
    env = services.operator_env(sandbox)
    assert env["SKLEARN_OPERATOR_STORE_ENDPOINT"] == f"http://127.0.0.1:{sandbox.ports['minio']}"
    assert env["SKLEARN_OPERATOR_KFP_URL"] == f"http://127.0.0.1:{sandbox.ports['kfp']}"
    assert env["KUBECONFIG"] == str(sandbox.home / "operator.kubeconfig")


@pytest.mark.parametrize(
    ("only", "without", "expected"),
    [
        (["etcd"], [], ["etcd"]),
        (["kube-apiserver"], [], ["etcd", "kube-apiserver"]),
        (["kserve"], [], ["etcd", "kube-apiserver", "kserve"]),
        (["minio", "kfp"], [], ["etcd", "kube-apiserver", "minio", "kfp"]),
        (["operator"], ["kube-apiserver"], ["etcd", "operator"]),
    ],
    ids=["alone", "with what it needs", "through a bootstrap step", "two", "without wins"],
)
def test_only_and_without(only: list[str], without: list[str], expected: list[str]) -> None:
    assert list(lifecycle.select(only, without)) == expected


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(errors.SandboxError, match=r"no component etdc; there are etcd, kube-apiserver"):
        lifecycle.select(["etdc"])
