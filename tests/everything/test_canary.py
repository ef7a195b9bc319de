"""Taking over in steps, with requests all the time: the split, the promotion, and the two ways of being taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from everything import callers, shares, towns, worlds

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def hasty(world: worlds.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[towns.Town]:
    """A town whose operator gives a version a quarter of a minute to come up."""
    folder = tmp_path_factory.mktemp("canary")
    with towns.founded(world, folder, SKLEARN_OPERATOR_ROLLOUT_DEADLINE="15") as one:
        yield one


def model(name: str, *steps: tuple[int, str], **spec: Any) -> dict[str, Any]:
    canary = {"steps": [{"weight": weight, "pause": pause} for weight, pause in steps]}
    return towns.manifest(name, serving={}, rollout={"canary": canary}, **spec)


def test_a_candidate_takes_over_step_by_step(town: towns.Town) -> None:
    town.apply(model("steps", (20, "8s"), (60, "600s"), params={"max_depth": 2}))
    town.settled("steps", "steps-v1")
    with callers.calling(town, "steps", by="url") as caller:
        town.apply(model("steps", (20, "8s"), (60, "600s"), params={"max_depth": 3}))
        status = shares.at(town, "steps", 20)
        assert (status["servingVersion"], status["candidateVersion"]) == ("steps-v1", "steps-v2")
        assert town.condition("steps", "Ready")["status"] == "True"
        second = shares.at(town, "steps", 60)["rollout"]
        assert second["step"] == 2
        town.operator.kill()
        town.operator.revive()
        assert shares.share(caller, "steps-v2") == pytest.approx(0.6, abs=0.1)
        assert town.status("steps")["rollout"] == second
        town.apply(model("steps", (20, "8s"), (60, "1s"), params={"max_depth": 3}))
        settled = town.settled("steps", "steps-v2")
        assert "rollout" not in settled and "candidateVersion" not in settled
        caller.answered_last("steps-v2")
    assert set(caller.answers) == {"steps-v1", "steps-v2"}
    predictor = town.get("isvc", "steps")["spec"]["predictor"]
    assert predictor["name"] == "a"
    assert len(town.runs("steps")) == 2


def test_a_candidate_that_refuses_what_the_old_version_answers_is_taken_back(town: towns.Town) -> None:
    whole = {"source": {"builtin": "iris"}, "split": {"strategy": "None"}}
    town.apply(model("picky", (50, "600s"), data=whole))
    town.settled("picky", "picky-v1")
    with callers.calling(town, "picky", by="url") as caller:
        picky = model("picky", (50, "600s"), data=whole)
        words = {"class": "sklearn.preprocessing.OneHotEncoder"}
        picky["spec"]["model"] = {
            "pipeline": [{"name": "words", **words}, {"name": "tree", "class": towns.TREE}],
        }
        town.apply(picky)
        shares.at(town, "picky", 50)
        assert 0.3 < shares.share(caller, "picky-v2") < 0.7
        stranger = callers.Caller(town.status("picky")["url"], "picky", row=shares.ODD)
        stalled = town.expect("taken back", lambda: shares.refused(town, stranger, "picky"), 240)
        caller.answered_last("picky-v1")
    assert stalled["reason"] == "RolledBack"
    assert "were refused of" in stalled["message"] and "maxErrorRate is 0.01" in stalled["message"]
    assert "canary" not in town.get("isvc", "picky")["spec"]
    assert town.status("picky")["servingVersion"] == "picky-v1"


def test_a_candidate_that_never_loads_gets_no_request(hasty: towns.Town) -> None:
    steps = (50, "600s")
    hasty.apply(model("broken", steps, params={"max_depth": 2}))
    hasty.settled("broken", "broken-v1")
    waiting = model("broken", steps, params={"max_depth": 3})
    waiting["spec"]["rollout"]["approval"] = "Manual"
    hasty.apply(waiting)
    hasty.expect("v2 waiting", lambda: hasty.status("broken").get("candidateVersion") == "broken-v2", 240)
    uri = hasty.get("skmv", "broken-v2")["status"]["artifact"]["uri"]
    hasty.world.delete(f"{uri.partition('://')[2].partition('/')[2]}model.joblib")
    with callers.calling(hasty, "broken", by="url") as caller:
        hasty.kubectl("annotate", "skm/broken", "sklearn-operator.io/approve=broken-v2")
        stalled = hasty.wait("broken", "Stalled", "True", 120)
        caller.answered_last("broken-v1")
    assert "broken-v2 did not come up within 15s" in stalled["message"]
    assert set(caller.answers) == {"broken-v1"}


def test_a_pin_ends_a_rollout_at_once_and_its_removal_begins_it_again(town: towns.Town) -> None:
    def manifest(depth: int, **rollout: Any) -> dict[str, Any]:
        found = model("halted", (50, "600s"), params={"max_depth": depth})
        found["spec"]["rollout"] |= rollout
        return found

    town.apply(manifest(2))
    town.settled("halted", "halted-v1")
    town.apply(manifest(3))
    shares.at(town, "halted", 50)
    with callers.calling(town, "halted", by="url") as caller:
        town.apply(manifest(3, version="halted-v1"))
        town.settled("halted", "halted-v1")
        caller.answered_last("halted-v1")
        town.apply(manifest(3))
        shares.at(town, "halted", 50)
        assert 0.3 < shares.share(caller, "halted-v2") < 0.7
    assert len(town.runs("halted")) == 2
