"""Which version answers, by pin, by approval, and by whether it came up; nobody who asks meanwhile is turned away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from everything import callers, towns, worlds

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def hasty(world: worlds.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[towns.Town]:
    """A town whose operator gives a version a quarter of a minute to come up."""
    folder = tmp_path_factory.mktemp("hasty")
    with towns.founded(world, folder, SKLEARN_OPERATOR_ROLLOUT_DEADLINE="15") as one:
        yield one


def tree(name: str, depth: int, **rollout: Any) -> dict[str, Any]:
    return towns.manifest(name, params={"max_depth": depth}, serving={}, rollout=rollout)


def waits(town: towns.Town, name: str, version: str) -> None:
    """Until the version waits for somebody to let it through."""

    def seen() -> bool:
        row = town.condition(name, "AwaitingApproval")
        return row.get("status") == "True" and town.status(name).get("candidateVersion") == version

    town.expect(f"{version} waiting", seen, 240)


def test_a_pin_goes_back_without_training_and_its_removal_goes_forth(town: towns.Town) -> None:
    town.apply(tree("pinned", 2))
    town.settled("pinned", "pinned-v1")
    town.apply(tree("pinned", 3))
    town.settled("pinned", "pinned-v2")
    with callers.calling(town, "pinned") as caller:
        town.apply(tree("pinned", 3, version="pinned-v1"))
        town.settled("pinned", "pinned-v1")
        caller.answered_last("pinned-v1")
        town.apply(tree("pinned", 3))
        town.settled("pinned", "pinned-v2")
        caller.answered_last("pinned-v2")
    assert set(caller.answers) == {"pinned-v1", "pinned-v2"}
    assert len(town.runs("pinned")) == 2
    town.apply(tree("pinned", 3, version="pinned-v7"))
    assert town.wait("pinned", "Stalled")["reason"] == "PinNotPossible"
    assert town.status("pinned")["servingVersion"] == "pinned-v2"


def test_a_version_that_does_not_come_up_gives_way_to_the_one_before_it(hasty: towns.Town) -> None:
    hasty.apply(tree("careful", 2, approval="Manual"))
    waits(hasty, "careful", "careful-v1")
    assert hasty.get("isvc", "careful") is None
    hasty.kubectl("annotate", "skm/careful", "sklearn-operator.io/approve=careful-v1")
    hasty.settled("careful", "careful-v1")

    hasty.apply(tree("careful", 3, approval="Manual"))
    waits(hasty, "careful", "careful-v2")
    phase = hasty.status("careful")["phase"]
    assert (phase, hasty.condition("careful", "Ready")["status"]) == ("AwaitingApproval", "True")
    hasty.world.delete(f"{hasty.namespace}/careful/{folder(hasty, 'careful-v2')}/model.joblib")
    with callers.calling(hasty, "careful") as caller:
        hasty.kubectl("annotate", "skm/careful", "sklearn-operator.io/approve=careful-v2", "--overwrite")
        stalled = hasty.wait("careful", "Stalled", "True", 120)
        caller.answered_last("careful-v1")
    assert stalled["reason"] == "RolledBack"
    assert "careful-v2 did not come up within 15s" in stalled["message"]
    assert set(caller.answers) == {"careful-v1"}
    assert hasty.get("isvc", "careful")["spec"]["predictor"]["model"]["storageUri"].endswith(
        f"{folder(hasty, 'careful-v1')}/"
    )

    hasty.kubectl("annotate", "skm/careful", "sklearn-operator.io/retrain=again")
    waits(hasty, "careful", "careful-v3")
    hasty.kubectl("annotate", "skm/careful", "sklearn-operator.io/approve=careful-v3", "--overwrite")
    hasty.settled("careful", "careful-v3")


def folder(town: towns.Town, version: str) -> str:
    uri = town.get("skmv", version)["status"]["artifact"]["uri"]
    return str(uri).rstrip("/").rpartition("/")[2]
