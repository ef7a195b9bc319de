"""``kubectl sklearn``, typed as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from everything import towns
from sklearn_operator.cli.plugin import manifests
from sklearn_sandbox import paths

pytestmark = pytest.mark.sandbox

PLANNED = ("skm", "skmv", "isvc")
ROWS = "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n"


def type_in(town: towns.Town, *arguments: str, text: str | None = None, cwd: Path | None = None) -> Any:
    sandbox = town.world.sandbox
    path = f"{sandbox.home / 'bin'}:{paths.operator_bin()}:{os.environ['PATH']}"
    environment = os.environ | {"KUBECONFIG": str(sandbox.kubeconfig), "PATH": path}
    command = ["kubectl", "sklearn", "-n", town.namespace, *arguments]
    return subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=120, cwd=cwd)


def said(town: towns.Town, *arguments: str, **options: Any) -> str:
    done = type_in(town, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def there(town: towns.Town) -> list[tuple[str, int]]:
    """Every object with its generation: what a person's write would change, and a report of the operator would not."""
    found = [one["metadata"] for kind in PLANNED for one in town.get(kind)]
    return [(one["name"], one["generation"]) for one in found]


def test_the_daily_verbs(town: towns.Town, tmp_path: Path) -> None:
    model = towns.manifest("daily", params={"max_depth": 2}, serving={})
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(model))
    planned = type_in(town, "plan", "-f", str(file))
    assert (planned.returncode, "train daily-v1 (SpecChange)" in planned.stdout) == (2, True)
    town.apply(model)
    assert "daily-v1 answers requests" in said(town, "wait", "daily")
    assert said(town, "plan", "-f", str(file)) == "daily: valid, nothing would change\n"
    assert said(town, "predict", "daily", text=ROWS).split() == ["0", "2"]
    answer = json.loads(said(town, "predict", "daily", "--json", text="[[5.1, 3.5, 1.4, 0.2]]"))
    assert answer["predictions"] == [0]

    changed = towns.manifest("daily", params={"max_depth": 3}, serving={"minReplicas": 2, "maxReplicas": 2})
    file.write_text(yaml.safe_dump(changed))
    before = there(town)
    planned = type_in(town, "plan", "-f", str(file))
    assert planned.returncode == 2, planned
    told = planned.stdout.splitlines()
    assert "    because model.estimator.params.max_depth 2 -> 3" in told
    assert "--- SklearnModel/daily" in told and "-        max_depth: 2" in told and "+        max_depth: 3" in told
    assert "--- InferenceService/daily" in told and "+    minReplicas: 2" in told
    assert there(town) == before
    town.apply(changed | {"spec": changed["spec"] | {"serving": {}}})
    town.settled("daily", "daily-v2")
    assert "daily-v1" in said(town, "rollback", "daily")
    town.settled("daily", "daily-v1")
    listed = said(town, "versions", "daily").splitlines()
    assert [line.split()[0] for line in listed] == ["NAME", "daily-v1", "daily-v2"]

    card = tmp_path / said(town, "card", "daily", cwd=tmp_path).strip()
    assert card.name == "daily-v1.html" and "<html" in card.read_text()
    said(town, "retrain", "daily")
    town.expect("daily-v3", lambda: town.get("skmv", "daily-v3"), 240)


def test_what_cannot_be_done_is_told_and_ends_with_one(town: towns.Town) -> None:
    for arguments, words in (
        (("rollback", "nobody"), "not found"),
        (("approve", "nobody"), "not found"),
        (("logs", "nobody"), "there is no version yet"),
        (("plan", "-f", "/nowhere"), "cannot be read"),
    ):
        done = type_in(town, *arguments)
        assert done.returncode == 1 and words in done.stderr, done
    unknown = towns.manifest("unknown") | {"kind": "SklearnModel"}
    unknown["metadata"]["namespace"] = "no-such-namespace"
    done = type_in(town, "plan", "-f", "-", text=yaml.safe_dump(unknown))
    assert done.returncode == 1 and "no-such-namespace" in done.stderr, done
    town.apply(towns.manifest("wrong", "sklearn.tree.NoSuchTree"))
    done = type_in(town, "wait", "wrong")
    assert done.returncode == 1 and "sklearn.tree.NoSuchTree" in done.stderr


SCALARS = "[1e-3, 1.0, 2026-01-01, y, No, 0x10, 010, 12:30, .5, ~, 1.50, 'no', 1e3, -1, +1, 0.1e-5]"


def test_a_plan_reads_a_manifest_as_kubectl_does(town: towns.Town) -> None:
    text = yaml.safe_dump(towns.manifest("read")) + f"  description: 2026-01-01\n  free: {SCALARS}\n  n: 1\n"
    arrived = json.loads(
        town.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", text=text)
    )
    (read,) = manifests.documents(text)
    assert json.dumps(read["spec"], sort_keys=True) == json.dumps(arrived["spec"], sort_keys=True)
