"""What the manifest says about runs, requests and history, from kubectl to the bucket."""

from __future__ import annotations

from typing import Any

import pytest

import waiting
from everything import towns

pytestmark = pytest.mark.sandbox

FOREST = "sklearn.ensemble.RandomForestClassifier"
#: Trains for minutes, unless somebody ends it.
ENDLESS = {"n_estimators": 1_000_000}


def version(town: towns.Town, name: str) -> dict[str, Any]:
    return dict(town.get("skmv", name) or {})


def running(town: towns.Town, name: str) -> str:
    """The id of the version's run, once the task is at work."""

    def seen() -> str | None:
        run = version(town, name).get("status", {}).get("run", {})
        return str(run["id"]) if run.get("state") in ("PENDING", "RUNNING") else None

    return str(town.expect(f"a run of {name}", seen, 60))


def trained(town: towns.Town, name: str) -> None:
    town.expect(f"{name} trained", lambda: version(town, name).get("status", {}).get("artifact"), 240)


def retrain(town: towns.Town, name: str, value: str) -> None:
    town.kubectl("annotate", f"skm/{name}", f"sklearn-operator.io/retrain={value}", "--overwrite")


def test_a_run_that_somebody_ended_is_followed_by_the_next_attempt(town: towns.Town) -> None:
    town.apply(towns.manifest("again", FOREST, ENDLESS, training={"attempts": 2}))
    first = running(town, "again-v1")
    town.world.kfp(f"/apis/v2beta1/runs/{first}:terminate", "POST")
    second = waiting.wait_for("the next attempt", lambda: next_run(town, "again-v1", first), 90)
    town.world.kfp(f"/apis/v2beta1/runs/{second}:terminate", "POST")
    assert "again-v1 failed in step run" in town.wait("again", "Stalled")["message"]
    assert version(town, "again-v1")["status"]["run"]["attempt"] == 2
    assert [town.world.executions(run_id) for run_id in (first, second)] == [1, 1]
    town.apply(towns.manifest("again", training={"attempts": 2}))
    town.settled("again", "again-v2")


def next_run(town: towns.Town, name: str, before: str) -> str | None:
    found = running(town, name)
    return found if found != before else None


def test_a_training_that_takes_too_long_is_ended(town: towns.Town) -> None:
    town.apply(towns.manifest("slow", FOREST, ENDLESS, training={"timeout": "5s"}))
    stalled = town.wait("slow", "Stalled")
    assert (stalled["reason"], "spec.training.timeout (5s)" in stalled["message"]) == ("TimedOut", True)
    town.expect("the end of its run", lambda: town.runs("slow")[0]["state"] in ("FAILED", "CANCELED"), 240)
    town.apply(towns.manifest("slow"))
    town.settled("slow", "slow-v2")


def test_what_is_suspended_starts_nothing_until_it_is_resumed(town: towns.Town) -> None:
    town.apply(towns.manifest("resting", suspend=True))
    town.wait("resting", "Reconciling", "False")
    assert town.status("resting")["phase"] == "Suspended"
    assert version(town, "resting-v1") == {}
    town.apply(towns.manifest("resting"))
    town.settled("resting", "resting-v1")


def test_each_value_of_the_annotation_trains_once_and_history_is_bounded(town: towns.Town) -> None:
    asked = towns.manifest("often", history={"limit": 2})
    asked["metadata"]["annotations"] = {"sklearn-operator.io/retrain": "with the first"}
    town.apply(asked)
    assert town.settled("often", "often-v1")["retrainHandled"] == "with the first"
    for number, value in enumerate(("tuesday", "wednesday"), start=2):
        retrain(town, "often", value)
        trained(town, f"often-v{number}")
        assert town.settled("often", f"often-v{number}")["retrainHandled"] == value
        assert version(town, f"often-v{number}")["spec"]["trigger"]["type"] == "Manual"
    kept = [item["metadata"]["name"] for item in town.get("skmv") if item["spec"]["model"] == "often"]
    waiting.wait_for("the oldest version gone", lambda: not version(town, "often-v1"), 60)
    assert sorted(set(kept) - {"often-v1"}) == ["often-v2", "often-v3"]
    folders = {key.split("/")[2].split("-")[0] for key in town.world.objects(f"{town.namespace}/often/")}
    assert folders == {"v2", "v3"}
    assert len(town.runs("often")) == 2


def test_a_status_tells_where_to_look_at_the_run(town: towns.Town) -> None:
    town.apply(towns.manifest("linked"))
    run = town.settled("linked", "linked-v1")["run"]
    assert run["url"] == f"{town.world.sandbox.kfp_url}/#/runs/details/{run['id']}"
    page = town.world.text(run["url"].partition("#")[0])
    assert f'id="/runs/details/{run["id"]}"' in page


def test_a_schedule_makes_a_version_when_its_slot_comes(town: towns.Town) -> None:
    town.apply(towns.manifest("clock", retraining={"schedule": "* * * * *"}))

    def by_the_clock() -> list[dict[str, Any]]:
        mine = [item["spec"] for item in town.get("skmv") if item["spec"]["model"] == "clock"]
        return [spec for spec in mine if spec["trigger"]["type"] == "Schedule"]

    slot = str(town.expect("the next slot", lambda: town.status("clock").get("nextScheduleTime"), 60))
    first = min(town.expect("a version of the schedule", by_the_clock, 120), key=lambda spec: int(spec["number"]))
    assert first["trigger"]["key"] == f"schedule/{slot}"
    assert slot.endswith(":00Z")
    town.kubectl("patch", "skm/clock", "--type=merge", "-p", '{"spec":{"retraining":null}}')
    town.expect("no next slot", lambda: "nextScheduleTime" not in town.status("clock"), 240)
