"""The life of a real control plane: up, a death, healing, down, and nothing left."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer import testing

from sklearn_operator.cli import sandbox as cli
from sklearn_sandbox import lifecycle, objects, processes, state
from waiting import wait_for

pytestmark = pytest.mark.sandbox

PARTS = ("kube-controller-manager", "minio")
SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]
STARTED = {"etcd", "kube-apiserver", *PARTS}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sandbox") / "state"
    try:
        lifecycle.up(folder, only=PARTS)
        yield folder
    finally:
        lifecycle.down(folder, purge=True)


def states(home: Path) -> dict[str, str]:
    return {part.name: part.state for part in lifecycle.status(home)}


def pids(home: Path) -> dict[str, int]:
    return {part.name: part.pid for part in lifecycle.status(home) if part.pid is not None}


def ended(pid: int) -> bool:
    """Whether the process has ended, waited for by its parent, this one, or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_for("its end", lambda: ended(pid))


def test_up_ends_when_all_of_it_is_ready_and_real_controllers_work(home: Path) -> None:
    assert {name for name, word in states(home).items() if word == "running"} == STARTED
    kubectl = home / "bin" / "kubectl"
    wait_for(
        "the default account",
        lambda: "default" in objects.run(state.load(home), kubectl, ["get", "serviceaccounts", "-o", "name"]),
    )


def test_up_again_leaves_what_runs(home: Path) -> None:
    before = pids(home)
    lifecycle.up(home, only=PARTS)
    assert pids(home) == before


def test_status_names_the_dead_one_and_shows_its_log_and_up_heals(home: Path) -> None:
    before = pids(home)
    kill(before["kube-controller-manager"])
    shown = testing.CliRunner().invoke(cli.app, ["status", "--state", str(home)])
    assert shown.exit_code == 1
    assert "kube-controller-manager is dead" in shown.output
    last_words = state.Sandbox(home).log("kube-controller-manager").read_text().splitlines()[-1]
    assert last_words in shown.output
    lifecycle.up(home, only=PARTS)
    after = pids(home)
    assert after.pop("kube-controller-manager") != before.pop("kube-controller-manager")
    assert after == before
    assert testing.CliRunner().invoke(cli.app, ["status", "--state", str(home)]).exit_code == 0


def test_up_takes_over_from_one_that_was_killed_before_it_could_note_what_it_started(home: Path) -> None:
    before = pids(home)
    processes.record_path(home, "minio").unlink()
    lifecycle.up(home, only=PARTS)
    after = pids(home)
    assert ended(before["minio"])
    assert after.pop("minio") != before.pop("minio")
    assert after == before


def test_data_and_addresses_outlive_a_restart_of_the_store_below(home: Path) -> None:
    sandbox, kubectl = state.load(home), home / "bin" / "kubectl"
    objects.run(sandbox, kubectl, ["create", "configmap", "kept", "--from-literal=a=b"])
    kill(pids(home)["etcd"])
    lifecycle.up(home, only=PARTS)
    assert state.load(home).ports == sandbox.ports
    assert "kept" in objects.run(sandbox, kubectl, ["get", "configmap", "kept", "-o", "name"])


def test_nothing_listens_off_loopback(home: Path) -> None:
    listening = {
        connection.laddr.ip
        for found in processes.marked(home)
        for connection in found.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert all(ipaddress.ip_address(address).is_loopback for address in listening), listening


def test_down_leaves_no_process_not_even_an_orphan(home: Path) -> None:
    orphan = [sys.executable, "-c", f"import subprocess; subprocess.Popen({SLEEPER}, start_new_session=True)"]
    subprocess.run(orphan, env={**os.environ, state.MARKER: str(home)}, check=True)
    assert len(processes.marked(home)) >= len(STARTED)
    lifecycle.down(home)
    assert processes.marked(home) == set()
    assert set(states(home).values()) == {"stopped"}
    lifecycle.up(home, only=PARTS)
    kill(pids(home)["etcd"])  # the API server ignores SIGTERM then
    lifecycle.down(home)
    assert processes.marked(home) == set()
    lifecycle.up(home, only=PARTS)
    kept = objects.run(state.load(home), home / "bin" / "kubectl", ["get", "configmap", "kept", "-o", "name"])
    assert kept.strip() == "configmap/kept"
