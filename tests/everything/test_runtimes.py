"""Serving by a runtime of the namespace's own, and not by one that cannot load the model."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from everything import towns, worlds
from sklearn_sandbox import paths

pytestmark = pytest.mark.sandbox

ROW = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture(scope="module")
def equipped(world: worlds.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[towns.Town]:
    """A town with a runtime of its own, whose scikit-learn is that of the trainer; and with word of an older one."""
    asked = [str(paths.trainer_python()), "-c", "import sklearn; print(sklearn.__version__)"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    known = f"team-runtime={version},kserve-sklearnserver=1.5.2"
    folder = tmp_path_factory.mktemp("runtimes")
    with towns.founded(world, folder, SKLEARN_OPERATOR_RUNTIMES=known) as one:
        ours = json.loads(one.kubectl("get", "clusterservingruntime", "sklearn-operator", "-o", "json"))
        own = {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ServingRuntime",
            "metadata": {"name": "team-runtime"},
            "spec": ours["spec"],
        }
        one.apply(own)
        yield one


def test_a_runtime_is_changed_without_training_and_back(equipped: towns.Town) -> None:
    def served_by(name: str | None) -> dict[str, Any]:
        return towns.manifest("moved", serving={"runtime": name} if name else {})

    equipped.apply(served_by("team-runtime"))
    equipped.settled("moved", "moved-v1")
    assert equipped.get("isvc", "moved")["spec"]["predictor"]["model"]["runtime"] == "team-runtime"
    assert equipped.predict("moved", ROW) == [0]
    equipped.apply(served_by("kserve-sklearnserver"))
    stalled = equipped.wait("moved", "Stalled")
    assert stalled["reason"] == "RuntimeCannotLoad"
    assert "kserve-sklearnserver has scikit-learn 1.5.2, and moved-v1 was made with" in stalled["message"]
    assert equipped.condition("moved", "Ready")["status"] == "True"
    assert equipped.predict("moved", ROW) == [0]
    equipped.apply(served_by(None))
    equipped.settled("moved", "moved-v1")
    assert equipped.get("isvc", "moved")["spec"]["predictor"]["model"]["runtime"] == "sklearn-operator"
    assert len(equipped.runs("moved")) == 1
