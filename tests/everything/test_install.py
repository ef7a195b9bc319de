"""The operator in pods of its own: installed, upgraded and removed by Helm, then taken over and removed by kustomize.

Its pods run under the chart's own service account and roles. Every right that these give is used here once.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import waiting
from everything import callers, rights, towns, worlds
from sklearn_sandbox import helm, objects, paths, services

pytestmark = pytest.mark.sandbox

RELEASE = NAMESPACE = "mine"
NAME = f"{RELEASE}-sklearn-operator"
DIGIT = [0.0] * 64
CHART = ("--namespace", NAMESPACE, "--timeout", "180s")
#: Four trainings at once beside another world, and pods that start.
LONG = 240.0
KUSTOMIZE = paths.project_root() / "deploy" / "kustomize"
BASE = KUSTOMIZE / "base"
#: What `uninstall` keeps.
KEPT = ("sklearnmodels.sklearn-operator.io", "sklearnmodelversions.sklearn-operator.io", "mine-runtime")


@pytest.fixture
def tool(world: worlds.World) -> Iterator[helm.Helm]:
    found = helm.ensure(kubeconfig=world.sandbox.kubeconfig)
    items = [objects.namespace(NAMESPACE), objects.store_secret(world.sandbox, NAMESPACE)]
    world.apply({"apiVersion": "v1", "kind": "List", "items": items})
    yield found
    found.run("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found")
    world.kubectl("delete", "clusterservingruntime", "mine-runtime", "--ignore-not-found")
    world.kubectl("delete", "-k", str(BASE), "--ignore-not-found")
    # The sandbox is as it was: its own objects bear the same names.
    objects.apply_objects(world.sandbox, world.sandbox.home / "bin" / "kubectl")


@pytest.fixture
def home(world: worlds.World, tmp_path: Path) -> Iterator[towns.Town]:
    """A namespace of models without an operator of its own."""
    one = towns.Town(world, worlds.Operator({}, tmp_path / "no.log"), "homes", tmp_path / "kubeconfig")
    one.prepare()
    yield one
    print(world.kubectl("logs", "-n", NAMESPACE, "-l", f"app.kubernetes.io/instance={RELEASE}", check=False)[-20_000:])


def values(world: worlds.World, **settings: Any) -> str:
    chosen = services.chart_values(world.sandbox)
    chosen["settings"] |= settings
    chosen["settings"]["servingRuntime"] = "mine-runtime"
    return json.dumps(chosen | {"rbac": {"artifactSecrets": {"enabled": True}}})


def previous(place: Path) -> Path:
    """The chart as of an earlier version, whose kinds had a column less."""
    shutil.copytree(helm.chart_folder(), place)
    chart = yaml.safe_load((place / "Chart.yaml").read_text())
    (place / "Chart.yaml").write_text(yaml.safe_dump(chart | {"version": "0.0.9"}))
    definition = place / "files" / "crds" / "sklearnmodels.yaml"
    found = yaml.safe_load(definition.read_text())
    found["spec"]["versions"][0]["additionalPrinterColumns"].pop()
    definition.write_text(yaml.safe_dump(found, sort_keys=False))
    return place


def columns(world: worlds.World) -> int:
    path = "{.spec.versions[0].additionalPrinterColumns[*].name}"
    return len(world.kubectl("get", "crd", KEPT[0], "-o", f"jsonpath={path}").split())


def pods(world: worlds.World) -> list[Any]:
    return list(world.get("pods", None, NAMESPACE))


def rejected(name: str) -> dict[str, Any]:
    """A model that no tree of one level passes."""
    gates = {"gates": [{"metric": "accuracy", "min": 0.99}]}
    return towns.manifest(name, params={"max_depth": 1}, evaluation=gates)


def foreign(name: str) -> dict[str, Any]:
    """A version that has a name which the operator will want to give."""
    spec = {"model": "somebody", "number": 1, "trainingHash": "0" * 64, "trigger": {"type": "Manual", "key": "x"}} | {
        "training": {}
    }
    meta = {"name": name}
    return {"apiVersion": "sklearn-operator.io/v1alpha1", "kind": "SklearnModelVersion", "metadata": meta, "spec": spec}


def digits(**spec: Any) -> dict[str, Any]:
    found = towns.sample("digits")
    return found | {"spec": found["spec"] | {"pipeline": {"layout": "Fused"}} | spec}


def test_install_upgrade_uninstall_and_kustomize_with_a_model_that_serves_all_the_time(
    world: worlds.World, home: towns.Town, tool: helm.Helm, tmp_path: Path
) -> None:
    old = previous(tmp_path / "previous" / "sklearn-operator")
    tool.run("install", RELEASE, str(old), *CHART, "--wait", *taking_over(), "--values", "-", text=values(world))
    assert len(pods(world)) == 2
    before = columns(world)
    own = {"uri": f"s3://{services.BUCKET}/own", "credentialsSecret": services.STORE_SECRET}
    home.apply(foreign("taken-v1"))
    home.apply(digits(), rejected("rejected"), towns.manifest("own", artifacts=own), towns.manifest("taken"))
    home.apply(towns.manifest("asked"), towns.manifest("timed"))
    assert home.settled("digits", "digits-v1", LONG)["metric"] == "accuracy=0.969"
    home.expect("the name told to be taken", lambda: "taken-v1 exists and does not" in told(home, "taken"), LONG)
    home.wait("rejected", "Stalled", seconds=LONG)
    for name in ("own", "asked", "timed"):
        home.settled(name, f"{name}-v1", LONG)
    with callers.calling(home, "digits", row=DIGIT) as caller:
        upgraded(world, home, tool)
        assert columns(world) == before + 1
        caller.answered_last("digits-v2")
        served_no_more(home)
        judged(world, tool)
        said = tool.run("uninstall", RELEASE, *CHART, "--wait")
        assert all(name in said for name in KEPT), said
        waiting.wait_for("the operator's pods gone", lambda: not pods(world), LONG)
        assert all(
            NAME not in world.kubectl("get", kind, "-o", "name") for kind in ("clusterroles", "clusterrolebindings")
        )
        assert {"digits", "own"} <= set(world.names("skm", home.namespace))
        world.kubectl("get", "clusterservingruntime", "mine-runtime")
        caller.answered_last("digits-v2")
    home.kubectl("delete", "skm", "--all", "--wait=false")
    home.kubectl("delete", "skmv/taken-v1")
    assert "digits" in world.names("skm", home.namespace), "it waits for an operator"
    kustomized(world, tmp_path / "kustomize")
    waiting.wait_for("all models gone", lambda: not world.names("skm", home.namespace), LONG)
    assert world.objects(f"{home.namespace}/") == []
    home.apply(digits())
    assert home.settled("digits", "digits-v1", LONG)["metric"] == "accuracy=0.969"
    removed(world, home)


def upgraded(world: worlds.World, home: towns.Town, tool: helm.Helm) -> None:
    """While the pods are replaced a manifest changes, somebody asks for a training, and a slot of a schedule falls.

    Of each comes one version, whichever of the pods saw it.
    """
    old = {pod["metadata"]["name"] for pod in pods(world)}
    slot = (datetime.now(UTC) + timedelta(seconds=90)).replace(second=0, microsecond=0)
    retraining = {"schedule": f"{slot.minute} {slot.hour} * * *"}
    home.apply(towns.manifest("timed", retraining=retraining))
    due = f"{slot:%Y-%m-%dT%H:%M:%SZ}"
    home.expect("its next slot", lambda: home.status("timed").get("nextScheduleTime") == due, 240)
    waiting.wait_for("the slot to be near", lambda: datetime.now(UTC) > slot - timedelta(seconds=2), 100)
    command = ("upgrade", RELEASE, str(helm.chart_folder()), *CHART, "--wait", "--values", "-")
    with ThreadPoolExecutor(1) as aside:
        upgrade = aside.submit(tool.run, *command, text=values(world, workers=16))
        waiting.wait_for("the first new pod", lambda: {pod["metadata"]["name"] for pod in pods(world)} - old, LONG)
        home.apply(digits(model={"estimator": {"class": "sklearn.svm.SVC", "params": {"gamma": 0.002}}}))
        home.kubectl("annotate", "skm/asked", "sklearn-operator.io/retrain=during-the-upgrade")
        waiting.wait_for("the slot", lambda: datetime.now(UTC) > slot, 10)
        assert not upgrade.done(), "all of this has to happen during the upgrade"
        upgrade.result()
    waiting.wait_for("the old pods gone", lambda: not {pod["metadata"]["name"] for pod in pods(world)} & old, 60)
    for name in ("digits", "asked", "timed"):
        home.settled(name, f"{name}-v2", LONG)
    found = {one["metadata"]["name"]: one["spec"]["trigger"] for one in home.get("skmv")}
    made = {name: trigger for name, trigger in found.items() if name.startswith(("digits-", "asked-", "timed-"))}
    assert len(made) == 6, made
    assert made["digits-v2"]["type"] == "SpecChange"
    assert (made["asked-v2"]["type"], made["timed-v2"]) == ("Manual", {"type": "Schedule", "key": f"schedule/{due}"})
    for name in ("digits", "asked", "timed"):
        assert [world.executions(run["run_id"]) for run in home.runs(name)] == [1, 1]


def taking_over() -> tuple[str, ...]:
    """The sandbox has put the kinds there already."""
    return ("--take-ownership", "--force-conflicts")


def told(home: towns.Town, name: str) -> str:
    return " ".join(row.get("message", "") for row in home.status(name).get("conditions", []))


def served_no_more(home: towns.Town) -> None:
    """A model that was served and is trained alone from now on; of its versions only the last is kept."""
    home.apply(towns.manifest("own", params={"max_depth": 2}, serving={}, history={"limit": 1}))
    home.settled("own", "own-v2", LONG)
    home.expect("the first version gone", lambda: "own-v1" not in home.world.names("skmv", home.namespace), LONG)
    home.apply(towns.manifest("own", params={"max_depth": 2}, history={"limit": 1}))
    home.expect("the service gone", lambda: home.get("isvc", "own") is None, LONG)


def judged(world: worlds.World, tool: helm.Helm) -> None:
    """No call was forbidden, and no right is there for nothing."""
    account, now = f"{NAMESPACE}:{NAME}", datetime.now(UTC).isoformat()
    assert rights.forbidden(world.audit, (account,), until=now) == []
    rendered = tool.render(json.loads(values(world)), release=RELEASE, namespace=NAMESPACE)
    granted = rights.granted(one.manifest for one in rendered)
    unused = granted - rights.used(world.audit, account) - rights.UNSEEN
    assert not unused, f"never used: {', '.join(map(str, sorted(unused)))}"


def removed(world: worlds.World, home: towns.Town) -> None:
    """As the page about it says: the models, then the operator; the definitions are for others to remove."""
    home.kubectl("delete", "skm", "--all", "--timeout=120s")
    assert world.objects(f"{home.namespace}/") == []
    deployment = ("-n", objects.SYSTEM_NAMESPACE, "deployment/sklearn-operator")
    world.kubectl("delete", *deployment, "--cascade=foreground", "--timeout=120s")
    world.kubectl("delete", "-k", str(BASE), "--ignore-not-found", "--timeout=120s")
    assert world.kubectl("get", "-k", str(BASE), "--ignore-not-found", "-o", "name") == ""
    assert world.names("skm", home.namespace) == [], "the kinds are still there, and nothing is held up"


def kustomized(world: worlds.World, place: Path) -> None:
    """Definitions and operator, with this sandbox's addresses."""
    chosen = services.chart_values(world.sandbox)["settings"]
    secret = {"name": chosen.pop("storeCredentialsSecret")}
    prefix = "SKLEARN_OPERATOR_"
    env: list[dict[str, Any]] = [
        {"name": name, "value": value if name != f"{prefix}HEALTH_HOST" else chosen["healthHost"]}
        for name, value in services.operator_env(world.sandbox).items()
        if name.startswith(prefix) and name.removeprefix(prefix) not in services.OF_ITS_OWN - {"HEALTH_HOST"}
    ]
    for key in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        reference = {"secretKeyRef": secret | {"key": f"AWS_{key}"}}
        env.append({"name": f"{prefix}STORE_{key}", "valueFrom": reference})
    head = {"apiVersion": "apps/v1", "kind": "Deployment"}
    meta = {"name": "sklearn-operator", "namespace": objects.SYSTEM_NAMESPACE}
    pod = {"containers": [{"name": "operator", "env": env}]}
    patch = head | {"metadata": meta, "spec": {"template": {"spec": pod}}}
    content = {"resources": [os.path.relpath(KUSTOMIZE, place)], "patches": [{"patch": yaml.safe_dump(patch)}]}
    place.mkdir()
    (place / "kustomization.yaml").write_text(yaml.safe_dump(content))
    world.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(place))
    world.kubectl("rollout", "status", "-n", objects.SYSTEM_NAMESPACE, "deployment/sklearn-operator", "--timeout=120s")
