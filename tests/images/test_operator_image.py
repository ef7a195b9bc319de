"""The controller's image: what it says with nothing, with wrong settings, and whoever it runs as."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import containers
import httpx
import pytest

import waiting
from everything import rights
from sklearn_sandbox import embedded, objects

HOST = "127.63.0.1"


@pytest.mark.parametrize("somebody", [False, True], ids=["as its user", "as a random user without a home"])
def test_it_starts_and_says_what_is_wrong(operator: containers.Container, somebody: bool) -> None:
    def run(how: containers.Process) -> tuple[int, str]:
        done = operator.run(how.by_somebody() if somebody else how)
        return done.returncode, done.stdout + done.stderr

    assert run(containers.Process(args=["--version"])) == (0, metadata.version("sklearn-operator") + "\n")
    code, said = run(containers.Process(args=["healthz"]))
    assert code == 1 and said.startswith("no answer from port 8080: ")
    code, said = run(containers.Process())
    assert code == 2 and "cannot start: kubernetes: no way to the cluster" in said and len(said.splitlines()) == 1
    code, said = run(containers.Process(env={"SKLEARN_OPERATOR_WORKERS": "0"}))
    assert code == 2 and said.startswith("sklearn-operator: wrong settings:\nSKLEARN_OPERATOR_WORKERS: ")
    assert "Traceback" not in said


def test_it_has_no_shell(operator: containers.Container) -> None:
    assert operator.run(containers.Process(command=["sh", "-c", "true"])).returncode != 0


def test_it_gets_ready_in_a_cluster_and_ends_when_told(
    store: containers.Store, world: embedded.Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "kubeconfig"
    folder.mkdir()
    account = ("--kubeconfig", str(world.sandbox.kubeconfig_of("operator")))
    (folder / "config").write_text(world.kubectl(*account, "config", "view", "--raw", "--flatten").stdout)
    folder.chmod(0o755)  # as a volume of a Secret is: everybody in the container may read it
    how = containers.Process(
        env={
            "KUBECONFIG": "/run/kubernetes/config",
            "SKLEARN_OPERATOR_HEALTH_HOST": HOST,
            "SKLEARN_OPERATOR_KFP_URL": f"http://{HOST}:1",
            "SKLEARN_OPERATOR_STORE_ENDPOINT": f"http://{HOST}:1",
        }
    )
    log = tmp_path / "operator.log"
    with store.container("operator", [containers.Volume(folder, "/run/kubernetes")]) as container:
        with container.running(how, log) as process:
            waiting.wait_for("its being ready", lambda: _ready() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            assert "sklearn_operator_" in httpx.get(f"http://{HOST}:8080/metrics").text
            check = containers.Process(args=["healthz"], env={"SKLEARN_OPERATOR_HEALTH_HOST": HOST})
            assert container.run(check).stdout == "ok\n"
            assert containers.terminate(process) == 0, log.read_text()
    log_of_calls = world.sandbox.home / "audit.log"
    assert rights.used(log_of_calls, f"{objects.SYSTEM_NAMESPACE}:sklearn-operator")
    assert rights.forbidden(log_of_calls) == []


def _ready() -> bool:
    try:
        return httpx.get(f"http://{HOST}:8080/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
