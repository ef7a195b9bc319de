"""Packages, caching, compression and volumes: what the manifest says about how a training is done, done for real."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from everything import towns
from sklearn_sandbox import services
from unit.steps import steps_wheels as wheels

pytestmark = pytest.mark.sandbox

ROWS = "width,kind\n" + "".join(f"{number},{'xz'[number % 2]}\n" for number in range(40))
KEY = "data/control/rows.csv"
CACHED = {"training": {"cache": True}, "pipeline": {"layout": "Staged"}}


def table(uri: str) -> dict[str, Any]:
    return {"source": {"uri": uri}, "target": "kind"}


def volume(town: towns.Town, name: str, folder: Path) -> list[dict[str, Any]]:
    """A folder of this machine as a claim, bound by the real controller."""
    size = {"storage": "1Gi"}
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    reference = {"namespace": town.namespace, "name": name}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"{town.namespace}-{name}"},
         "spec": common | {"capacity": size, "hostPath": {"path": str(folder)}, "claimRef": reference}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
         "spec": common | {"resources": {"requests": size}, "volumeName": f"{town.namespace}-{name}"}},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def models(town: towns.Town, tmp_path_factory: pytest.TempPathFactory) -> towns.Town:
    shared = tmp_path_factory.mktemp("shared")
    (shared / "part-1.csv").write_text(ROWS)
    town.world.put(KEY, ROWS.encode())
    wheels.wheel(Path(os.environ["PIP_FIND_LINKS"]), "toytwig", "1.5", needs="toyleaf")
    wheels.wheel(Path(os.environ["PIP_FIND_LINKS"]), "toyleaf", "2.1")
    for document in volume(town, "rows", shared):
        town.apply(document)
    town.apply(
        towns.manifest("cached", data=table(f"s3://{services.BUCKET}/{KEY}"), **CACHED),
        towns.manifest("packed", training={"requirements": ["toytwig==1.5"]}, artifacts={"compress": 9}, serving={}),
        towns.manifest("nowhere", training={"requirements": ["toynone==1.0"], "retries": {"limit": 0}}),
        towns.manifest("mounted", data=table("pvc://rows/part-1.csv")),
        towns.manifest("unclaimed", data=table("pvc://nobodys/part-1.csv")),
    )
    return town


def version(town: towns.Town, name: str) -> dict[str, Any]:
    return dict((town.get("skmv", name) or {}).get("status") or {})


def tasks(town: towns.Town, name: str) -> dict[str, str]:
    """State of the run's tasks by their names, as Kubeflow Pipelines shows them."""
    run = town.world.kfp(f"/apis/v2beta1/runs/{version(town, name)['run']['id']}")
    return {task["display_name"]: task["state"] for task in run["run_details"]["task_details"]}


def test_packages_are_installed_and_named_in_the_papers_of_a_compressed_model(models: towns.Town) -> None:
    models.wait("packed")
    artifact = version(models, "packed-v1")["artifact"]
    folder = artifact["uri"].removeprefix(f"s3://{services.BUCKET}/")
    assert {"toytwig==1.5", "toyleaf==2.1"} <= set(models.world.read(f"{folder}requirements.txt").decode().split("\n"))
    model = models.world.read(f"{folder}model.joblib")
    assert model[0] == 0x78 and hashlib.sha256(model).hexdigest() == artifact["sha256"]  # zlib begins so
    assert models.predict("packed", [[5.1, 3.5, 1.4, 0.2]]) == [0]


def test_a_package_that_no_index_has_is_named(models: towns.Town) -> None:
    row = models.wait("nowhere", "Stalled")
    assert row["reason"] == "RequirementMissing", row
    assert "training.requirements toynone==1.0: the index has no wheel of it" in row["message"]


def test_a_file_of_a_volume_is_trained_with(models: towns.Town) -> None:
    models.wait("mounted")
    lineage = version(models, "mounted-v1")["lineage"]
    assert (lineage["rows"], lineage["dataSha256"]) == (40, hashlib.sha256(ROWS.encode()).hexdigest())


def test_a_claim_that_is_not_there_is_named_soon(models: towns.Town) -> None:
    row = models.wait("unclaimed", "Stalled")
    assert 'persistentvolumeclaim "nobodys" not found' in row["message"]


def test_the_same_data_is_not_trained_with_again_and_a_changed_file_is(models: towns.Town) -> None:
    def again(value: str, expected: str) -> dict[str, Any]:
        models.kubectl("annotate", "skm/cached", f"sklearn-operator.io/retrain={value}", "--overwrite")
        models.expect(f"{expected} trained", lambda: version(models, expected).get("artifact"), 240)
        return version(models, expected)

    models.wait("cached")
    assert set(tasks(models, "cached-v1").values()) == {"SUCCEEDED"}
    second = again("1", "cached-v2")
    seen = tasks(models, "cached-v2")
    assert {name for name, state in seen.items() if state == "SKIPPED"} == {"prepare", "train"}, seen
    assert second["artifact"]["sha256"] == version(models, "cached-v1")["artifact"]["sha256"]
    assert second["artifact"]["uri"] != version(models, "cached-v1")["artifact"]["uri"]
    models.world.put(KEY, ROWS.replace("39,z", "99,x").encode())
    third = again("2", "cached-v3")
    assert set(tasks(models, "cached-v3").values()) == {"SUCCEEDED"}
    assert third["lineage"]["dataSha256"] != second["lineage"]["dataSha256"]
