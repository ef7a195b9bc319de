"""Serving on Knative: from one version to the next without a failed request, asleep and awake again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from everything import callers, shares, towns, worlds

pytestmark = pytest.mark.sandbox

ROW = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture(scope="module")
def town(world: worlds.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[towns.Town]:
    """Knative takes no security context of a pod, and KServe leaves the seccomp profile of the first container open."""
    with towns.founded(world, tmp_path_factory.mktemp("knative"), level="baseline") as one:
        yield one


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


def test_a_candidate_takes_over_in_steps_and_another_is_taken_back(town: towns.Town) -> None:
    """With requests all the time, and never one for a revision that is not ready."""

    def stepping(depth: int, *steps: tuple[int, str], **spec: Any) -> dict[str, Any]:
        canary = {"steps": [{"weight": weight, "pause": pause} for weight, pause in steps]}
        whole = {"source": {"builtin": "iris"}, "split": {"strategy": "None"}}
        return manifest("walk", depth, rollout={"canary": canary}, data=whole, **spec)

    town.apply(stepping(2, (30, "1s")))
    town.settled("walk", "walk-v1")
    with callers.calling(town, "walk", by="url") as caller:
        town.apply(stepping(3, (30, "600s")))
        status = shares.at(town, "walk", 30)
        assert (status["servingVersion"], status["candidateVersion"]) == ("walk-v1", "walk-v2")
        assert shares.share(caller, "walk-v2") == pytest.approx(0.3, abs=0.1)
        town.operator.kill()
        town.operator.revive()
        town.apply(stepping(3, (30, "1s")))
        assert "rollout" not in town.settled("walk", "walk-v2")
        caller.answered_last("walk-v2")
        picky = stepping(3, (50, "600s"))
        words = {"class": "sklearn.preprocessing.OneHotEncoder"}
        picky["spec"]["model"] = {"pipeline": [{"name": "words", **words}, {"name": "tree", "class": towns.TREE}]}
        town.apply(picky)
        shares.at(town, "walk", 50)
        stranger = callers.Caller(town.status("walk")["url"], "walk", row=shares.ODD)
        stalled = town.expect("taken back", lambda: shares.refused(town, stranger, "walk"), 240)
        assert stalled["reason"] == "RolledBack" and "were refused of" in stalled["message"]
        town.expect("whole again", lambda: "canaryTrafficPercent" not in predictor(town), 240)
        caller.answered_last("walk-v2")
    assert set(caller.answers) == {"walk-v1", "walk-v2", "walk-v3"}
    assert town.status("walk")["servingVersion"] == "walk-v2"
    assert predictor(town)["labels"]["sklearn-operator.io/version"] == "walk-v2"
    assert len(town.runs("walk")) == 3


def predictor(town: towns.Town) -> dict[str, Any]:
    return dict(town.get("isvc", "walk")["spec"]["predictor"])
