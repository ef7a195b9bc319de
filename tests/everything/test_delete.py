"""`kubectl delete` in any phase leaves nothing: not in Kubernetes, not in Kubeflow Pipelines, not in the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import waiting
from everything import worlds
from faults import proxy as faults
from sklearn_sandbox import objects

NAMESPACE = "leaving"
TREE = "sklearn.tree.DecisionTreeClassifier"

pytestmark = pytest.mark.sandbox


def manifest(name: str, estimator: str = TREE, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "sklearn-operator.io/v1alpha1",
        "kind": "SklearnModel",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "data": {"source": {"builtin": "iris"}},
            "model": {"estimator": {"class": estimator}},
            "pipeline": {"layout": "Fused"},
            "serving": {},
            **spec,
        },
    }


@pytest.fixture(scope="module", autouse=True)
def namespace(world: worlds.World) -> None:
    for document in (objects.namespace(NAMESPACE), objects.store_secret(world.sandbox, NAMESPACE)):
        world.kubectl("apply", "-f", "-", input=json.dumps(document))


@pytest.fixture(scope="module")
def operator(world: worlds.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[worlds.Operator]:
    """One for all phases."""
    environment = worlds.operator_environment(world, SKLEARN_OPERATOR_NAMESPACES=NAMESPACE)
    running = worlds.Operator(environment, tmp_path_factory.mktemp("leaving") / "operator.log")
    running.start()
    running.wait_ready()
    yield running
    running.stop()
    print(running.log.read_text()[-20_000:])


def phase(world: worlds.World, name: str) -> str:
    model = world.get("skm", name, NAMESPACE) or {}
    return str(model.get("status", {}).get("phase"))


def nothing(world: worlds.World, name: str) -> None:
    """Waits until every trace is gone."""
    labelled = ("-n", NAMESPACE, "-l", f"sklearn-operator.io/model={name}", "-o", "name")

    def traces() -> dict[str, Any]:
        runs = [run for run in world.runs(NAMESPACE) if run["display_name"].startswith(f"{NAMESPACE}.{name}-v")]
        left = {
            "model": world.get("skm", name, NAMESPACE),
            "children": world.kubectl("get", "skmv,isvc,deployments,pods", *labelled).split(),
            "runs": runs,
            "objects": world.objects(f"{NAMESPACE}/{name}/"),
        }
        return {kind: found for kind, found in left.items() if found}

    try:
        waiting.wait_for(f"nothing left of {name}", lambda: not traces(), 60)
    except AssertionError:
        raise AssertionError(f"left of {name}: {traces()}") from None


def is_invalid(world: worlds.World, name: str) -> bool:
    return world.condition(name, "Valid", NAMESPACE).get("status") == "False"


PHASES: dict[str, tuple[dict[str, Any], Callable[[worlds.World, str], bool]]] = {
    "applied": ({}, lambda world, name: True),
    "recorded": ({}, lambda world, name: bool(world.names("skmv", NAMESPACE))),
    "training": ({}, lambda world, name: phase(world, name) == "Training"),
    "deploying": ({}, lambda world, name: world.get("isvc", name, NAMESPACE) is not None),
    "ready": ({}, lambda world, name: phase(world, name) == "Ready"),
    "invalid": ({"estimator": "sklearn.tree.NoSuchTree"}, is_invalid),
    "failed": (
        {"data": {"source": {"uri": "s3://models/no-such-table.csv"}, "target": "y"}},
        lambda world, name: phase(world, name) == "Failed",
    ),
}


@pytest.mark.parametrize("when", PHASES)
def test_deleting_leaves_nothing(world: worlds.World, operator: worlds.Operator, when: str) -> None:
    changes, reached = PHASES[when]
    name = f"gone-{when}"
    world.apply(manifest(name, **changes))
    waiting.wait_for(f"{name} to be {when}", lambda: reached(world, name), 60)
    world.kubectl("delete", f"skm/{name}", "-n", NAMESPACE, "--wait=false")
    nothing(world, name)


def test_retain_keeps_the_objects_only(world: worlds.World, operator: worlds.Operator) -> None:
    world.apply(manifest("kept", deletionPolicy="Retain"))
    waiting.wait_for("kept trained", lambda: phase(world, "kept") == "Ready", 60)
    before = world.objects(f"{NAMESPACE}/kept/")
    assert any(key.endswith("/model.joblib") for key in before)
    world.kubectl("delete", "skm/kept", "-n", NAMESPACE, "--timeout=60s")
    assert world.names("skmv", NAMESPACE) == []
    assert world.objects(f"{NAMESPACE}/kept/") == before


@pytest_asyncio.fixture
async def shielded(world: worlds.World, tmp_path: Path) -> AsyncIterator[faults.Proxy]:
    """The proxy of a running operator of this test's own."""
    async with worlds.behind_proxy(world, tmp_path, SKLEARN_OPERATOR_NAMESPACES="outage") as (proxy, operator):
        await asyncio.to_thread(operator.revive)
        yield proxy
        assert operator.alive()


@pytest.mark.parametrize(("server", "word"), [("kfp", "kfp"), ("s3", "store")])
async def test_an_outage_delays_the_deletion_visibly(
    world: worlds.World, shielded: faults.Proxy, server: str, word: str
) -> None:
    def apply_all() -> None:
        for document in (objects.namespace("outage"), objects.store_secret(world.sandbox, "outage")):
            world.kubectl("apply", "-f", "-", input=json.dumps(document))
        document = manifest("stuck")
        document["metadata"]["namespace"] = "outage"
        world.apply(document)
        waiting.wait_for("stuck trained", lambda: world.objects("outage/stuck/") != [], 60)

    def said() -> str:
        model = world.get("skm", "stuck", "outage") or {}
        rows = {row["type"]: row for row in model.get("status", {}).get("conditions", [])}
        return str(rows.get("Ready", {}).get("message")) + str(rows.get("Reconciling", {}).get("message"))

    await asyncio.to_thread(apply_all)
    shielded.refuse[server] = 503
    await asyncio.to_thread(world.kubectl, "delete", "skm/stuck", "-n", "outage", "--wait=false")
    await asyncio.to_thread(
        waiting.wait_for, f"the status naming {word}", lambda: word in said() and "503" in said(), 60
    )
    assert await asyncio.to_thread(world.get, "skm", "stuck", "outage") is not None
    shielded.refuse.clear()
    await asyncio.to_thread(world.wait_gone, "skm", "stuck", 90, "outage")
    assert await asyncio.to_thread(world.objects, "outage/stuck/") == []
    assert await asyncio.to_thread(world.runs, "outage") == []
