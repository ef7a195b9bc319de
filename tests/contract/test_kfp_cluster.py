"""Secrets, ConfigMaps and pods that cannot start: the local pipeline server with a real API server beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import waiting
from contract import kfp_rig
from sklearn_operator.core.observed import RunState
from sklearn_sandbox import embedded

Rig = kfp_rig.Rig


@pytest.fixture(scope="module")
def beside(kubernetes: embedded.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kfp_rig.Server]:
    folder = tmp_path_factory.mktemp("kfp-beside")
    server = kfp_rig.Server(folder, "--no-spare", kubeconfig=str(kubernetes.kubeconfig))
    yield server
    server.stop()


@pytest.fixture
async def rig(kubernetes: embedded.Cluster, beside: kfp_rig.Server, tmp_path: Path) -> AsyncIterator[Rig]:
    async with kfp_rig.connected(beside) as backend:
        made = Rig(backend, beside, tmp_path)
        kubernetes.kubectl("create", "namespace", made.namespace)
        # No controller makes it here.
        kubernetes.kubectl("create", "serviceaccount", "default", "-n", made.namespace)
        yield made


def _pods(kubernetes: embedded.Cluster, rig: Rig, run_id: str) -> list[dict[str, Any]]:
    found = kubernetes.kubectl("get", "pods", "-n", rig.namespace, "-l", f"pipeline/runid={run_id}", "-o", "json")
    items: list[dict[str, Any]] = json.loads(found.stdout)["items"]
    return items


async def _waiting(kubernetes: embedded.Cluster, rig: Rig, run_id: str, text: str) -> dict[str, Any]:
    """The pod, once its container waits with this message."""

    async def seen() -> dict[str, Any] | None:
        for pod in await asyncio.to_thread(_pods, kubernetes, rig, run_id):
            for container in pod["status"].get("containerStatuses", []):
                if text in container["state"]["waiting"]["message"]:
                    return pod
        return None

    return await waiting.until(f"a pod that says {text}", seen, kfp_rig.PATIENCE)


async def _gone(kubernetes: embedded.Cluster, rig: Rig, run_id: str) -> None:
    async def gone() -> bool:
        return not await asyncio.to_thread(_pods, kubernetes, rig, run_id)

    await waiting.until("the end of the pods", gone, kfp_rig.PATIENCE)


async def test_a_run_waits_for_its_secrets_and_then_gets_them(kubernetes: embedded.Cluster, rig: Rig) -> None:
    """As the kubelet does it: CreateContainerConfigError until the object and its key are there."""
    assert rig.server is not None
    run = await rig.submit("secretive")
    pod = await _waiting(kubernetes, rig, run.id, 'secret "keys" not found')
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    assert pod["metadata"]["labels"]["pipelines.kubeflow.org/v2_component"] == "true"
    assert "nodeName" not in pod["spec"]
    here = ("-n", rig.namespace)
    kubernetes.kubectl("create", "secret", "generic", "keys", "--from-literal=other=x", *here)
    await _waiting(kubernetes, rig, run.id, f"couldn't find key token in Secret {rig.namespace}/keys")
    patch = json.dumps({"stringData": {"token": "top secret"}})
    kubernetes.kubectl("patch", "secret", "keys", "-p", patch, *here)
    await _waiting(kubernetes, rig, run.id, 'configmap "settings" not found')
    kubernetes.kubectl("create", "configmap", "settings", "--from-literal=colour=red", *here)
    assert (await rig.ends(run.id, RunState.SUCCEEDED)).state is RunState.SUCCEEDED
    environment = json.loads(rig.gate(run.id).read_text())
    assert (environment["TOKEN"], environment["COLOUR"]) == ("top secret", "red")
    assert "MORE" not in environment
    await _gone(kubernetes, rig, run.id)
    written = [path for path in rig.server.state.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"top secret" in path.read_bytes()]


async def test_an_image_that_nobody_has_shows_on_a_pod_that_goes_with_the_run(
    kubernetes: embedded.Cluster, rig: Rig
) -> None:
    run = await rig.submit("foreign")
    pod = await _waiting(kubernetes, rig, run.id, "docker.io/library/nothing:1")
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    await rig.backend.delete(run.id)
    await _gone(kubernetes, rig, run.id)
