"""Tables of many files, split by group and by time, weighed: the figures of scikit-learn, and what changes are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from everything import reference, towns
from sklearn_sandbox import services

pytestmark = pytest.mark.sandbox

RIDGE = "sklearn.linear_model.Ridge"
FOLDER = f"s3://{services.BUCKET}/data/rides/"
UNUSED = {"features": {"exclude": ["driver", "day", "seats"]}}
BY_DRIVER = {"strategy": "Group", "groups": "driver", "seed": 5}
BY_DAY = {"strategy": "Time", "time": "day", "testSize": 0.2}


def rides(**data: Any) -> dict[str, Any]:
    return {"source": {"uri": FOLDER}, "target": "minutes"} | UNUSED | data


@pytest.fixture(scope="module")
def sklearn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("rides")
    return reference.asked("rides_by_sklearn", folder)


@pytest.fixture(scope="module")
def models(town: towns.Town, sklearn: dict[str, Any]) -> towns.Town:
    for path in sklearn["folder"].iterdir():
        town.world.put(f"data/rides/{path.name}", path.read_bytes())
    for name in ("_SUCCESS", ".part-0.csv.crc"):
        town.world.put(f"data/rides/{name}", b"no data")
    layout = {"pipeline": {"layout": "Staged"}}
    placed = {"training": {"timeout": "20s", "nodeSelector": {"pool": "nowhere"}}}
    here = {"training": {"nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"operator": "Exists"}]}}
    town.apply(
        towns.manifest("grouped", RIDGE, data=rides(split=BY_DRIVER), **here),
        towns.manifest("weighted", RIDGE, data=rides(split=BY_DRIVER, weight="seats"), serving={}, **layout),
        towns.manifest("timed", RIDGE, data=rides(split=BY_DAY)),
        towns.manifest("nowhere", RIDGE, data=rides(split=BY_DAY), **placed),
        towns.manifest("unweighted", "sklearn.neighbors.KNeighborsRegressor", data=rides(weight="seats")),
    )
    return town


def result(town: towns.Town, name: str, version: int = 1) -> dict[str, Any]:
    uri = town.get("skmv", f"{name}-v{version}")["status"]["artifact"]["uri"]
    return dict(json.loads(town.world.read(f"{uri.removeprefix(f's3://{services.BUCKET}/')}result.json")))


@pytest.mark.parametrize(("name", "figures"), [("grouped", "group"), ("weighted", "weighted"), ("timed", "time")])
def test_a_folder_is_split_and_weighed_as_scikit_learn_does(
    name: str, figures: str, models: towns.Town, sklearn: dict[str, Any]
) -> None:
    models.wait(name)
    assert models.status(name)["metrics"]["r2"] == pytest.approx(sklearn[figures]["r2"], rel=1e-12)
    lineage = models.get("skmv", f"{name}-v1")["status"]["lineage"]
    assert (lineage["rows"], lineage["features"]) == (240, 3)


def test_what_was_weighed_is_served(models: towns.Town, sklearn: dict[str, Any]) -> None:
    models.wait("weighted")
    answer = models.predict("weighted", [sklearn["weighted"]["row"]])
    assert answer == [pytest.approx(sklearn["weighted"]["first"], rel=1e-12)]


def test_an_estimator_without_weights_is_refused_before_any_pod(models: towns.Town) -> None:
    row = models.wait("unweighted", "Valid", "False")
    assert "spec.data.weight: seats: sklearn.neighbors.KNeighborsRegressor takes no sample weights" in row["message"]
    assert not models.runs("unweighted")


def test_a_run_that_no_node_takes_says_what_it_waited_for(models: towns.Town) -> None:
    row = models.wait("nowhere", "Stalled", seconds=120)
    assert row["reason"] == "TimedOut", row
    assert "spec.training.timeout (20s)" in row["message"] and "didn't match Pod's node affinity" in row["message"]


def test_the_next_version_says_what_changed_in_the_data(models: towns.Town, sklearn: dict[str, Any]) -> None:
    models.wait("timed")
    text = (sklearn["folder"] / "part-2.csv").read_text().replace(",Chur,", ",Basel,")
    models.world.put("data/later/part.csv", text.encode())
    later = rides(split=BY_DAY, source={"uri": FOLDER.replace("rides", "later")})
    models.apply(towns.manifest("timed", RIDGE, data=later))
    models.settled("timed", "timed-v2")
    (told,) = [note for note in result(models, "timed", 2)["notes"] if note.startswith("data: column town")]
    assert "texts that timed-v1 did not have: 'Basel'" in told
