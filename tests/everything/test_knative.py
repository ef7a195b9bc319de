"""Serving on Knative: from one version to the next without a failed request, asleep and awake again."""

from __future__ import annotations

from typing import Any

import pytest

from everything import callers, towns

pytestmark = pytest.mark.sandbox

ROW = [[5.1, 3.5, 1.4, 0.2]]


def manifest(name: str, depth: int, serving: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    asked = {"deploymentMode": "Knative"} | (serving or {})
    return towns.manifest(name, params={"max_depth": depth}, serving=asked, **spec)


def test_versions_follow_each_other_and_a_pin_goes_back(town: towns.Town) -> None:
    town.apply(manifest("rev", 2))
    town.settled("rev", "rev-v1")
    with callers.calling(town, "rev") as caller:
        town.apply(manifest("rev", 3))
        town.settled("rev", "rev-v2")
        caller.answered_last("rev-v2")
        town.apply(manifest("rev", 3, rollout={"version": "rev-v1"}))
        town.settled("rev", "rev-v1")
        caller.answered_last("rev-v1")
    assert set(caller.answers) == {"rev-v1", "rev-v2"}
    assert len(town.runs("rev")) == 2


def test_a_model_sleeps_and_a_request_wakes_it(town: towns.Town) -> None:
    town.apply(manifest("sleeper", 2, {"minReplicas": 0, "scaleMetric": "concurrency", "scaleTarget": 10}))
    town.settled("sleeper", "sleeper-v1")

    def pods() -> list[str]:
        found = [pod for pod in town.get("pods") if pod["metadata"]["name"].startswith("sleeper-")]
        return [pod["metadata"]["name"] for pod in found if "serving.knative.dev/revision" in pod["metadata"]["labels"]]

    town.expect("no pod", lambda: not pods(), 120)
    status = town.status("sleeper")
    assert (status["phase"], status["servingVersion"]) == ("Ready", "sleeper-v1")
    assert town.predict("sleeper", ROW) == [0]
    assert len(pods()) == 1
