"""Knative mode on KServe's side: the shares it asks for, and what it makes of the answer. Read in KServe's code."""

from __future__ import annotations

from typing import Any

import pytest
from kserve_things import NOW, Json, runtime, service

from sklearn_sandbox.kserve import conditions, knative, runtimes, settings

OURS = runtimes.Chosen("ours", runtime()["spec"], True)
ALL = [{"latestRevision": True, "percent": 100}]


def shared(percent: int, last: str = "r1") -> list[Json]:
    previous = {"revisionName": last, "latestRevision": False, "percent": 100 - percent, "tag": "prev"}
    return [{"latestRevision": True, "percent": percent}, previous]


@pytest.mark.parametrize(
    ("percent", "last", "expected"),
    [
        pytest.param(None, "r1", ALL, id="nothing asked"),
        pytest.param(10, None, ALL, id="on the first deploy there is nobody to share with"),
        pytest.param(10, "r1", shared(10), id="split"),
        pytest.param(0, "r1", shared(0), id="all to the one before"),
        pytest.param(100, "r1", ALL, id="all to the latest"),
    ],
)
def test_the_shares(percent: int | None, last: str | None, expected: list[Json]) -> None:
    predictor = {"canaryTrafficPercent": percent} if percent is not None else {}
    assert knative.traffic(predictor, {"latestRolledoutRevision": last} if last else {}, {}) == expected


def test_tags_on_request() -> None:
    found = knative.traffic({}, {}, {"serving.kserve.io/enable-tag-routing": "true"})
    assert found == [{"latestRevision": True, "percent": 100, "tag": "latest"}]


def template(**predictor: Any) -> Json:
    found: Json = knative.build(service(**predictor), OURS, {})["spec"]["template"]
    return found


def test_the_template_has_the_labels_and_the_scale_but_no_app_label() -> None:
    found = template(labels={"sklearn-operator.io/version": "v1"}, minReplicas=0, maxReplicas=3)["metadata"]
    assert found["labels"] == {
        "team": "a",
        "component": "predictor",
        "serving.kserve.io/inferenceservice": "digits",
        "sklearn-operator.io/version": "v1",
    }
    scales = {key: text for key, text in found["annotations"].items() if key.startswith("autoscaling")}
    assert scales == {
        "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
        "autoscaling.knative.dev/min-scale": "0",
        "autoscaling.knative.dev/max-scale": "3",
    }


def test_only_the_share_may_change_without_a_change_of_the_template() -> None:
    before = template()
    assert template(canaryTrafficPercent=10) == before
    assert template(minReplicas=2) != before
    assert template(annotations={"a": "b"}) != before


def answer(created: str, ready: str | None, *traffic: Json, **ready_condition: str) -> Json:
    told = [{"type": "Ready", "status": "True", **ready_condition}]
    found = {"latestCreatedRevisionName": created, "latestReadyRevisionName": ready, "traffic": list(traffic)}
    return {**found, "conditions": told, "url": "http://u", "address": {"url": "http://u"}}


def target(name: str, percent: int, latest: bool = True) -> Json:
    return {"revisionName": name, "latestRevision": latest, "percent": percent}


def after(*answers: Json) -> Json:
    reported: Json = {}
    for one in answers:
        knative.propagate(reported, conditions.Conditions([], NOW), one)
    found: Json = reported["components"]["predictor"]
    return found


FIRST = answer("r1", "r1", target("r1", 100))
SPLIT = answer("r2", "r2", target("r2", 10), target("r1", 90, latest=False))
SECOND = answer("r2", "r2", target("r2", 100))


@pytest.mark.parametrize(
    ("answers", "last", "previous"),
    [
        pytest.param([FIRST], "r1", None, id="first"),
        pytest.param([FIRST, SPLIT], "r1", None, id="a share is no roll-out"),
        pytest.param([FIRST, SPLIT, SECOND], "r2", "r1", id="promoted"),
        pytest.param([FIRST, SPLIT, SECOND, SECOND], "r2", "r1", id="and it stays"),
        pytest.param(
            [FIRST, SECOND, answer("r2", "r2", target("r2", 10), target("r2", 90, latest=False))],
            "r1",
            "r1",
            id="asked to share with itself, it goes back",
        ),
        pytest.param([FIRST, answer("r2", "r1", target("r1", 100))], "r1", None, id="the new one is not ready"),
        pytest.param(
            [FIRST, SECOND, answer("r3", "r2", target("r2", 10), target("r2", 90, latest=False))],
            "r2",
            "r1",
            id="shares with itself only until the new one is ready",
        ),
    ],
)
def test_which_revision_had_everything(answers: list[Json], last: str, previous: str | None) -> None:
    found = after(*answers)
    assert (found["latestRolledoutRevision"], found.get("previousRolledoutRevision")) == (last, previous)


def test_the_addresses_are_taken_over_while_ready_only() -> None:
    assert "url" not in after(answer("r1", None, status="Unknown"))
    assert after(FIRST)["url"] == "http://u"
    assert after(FIRST, answer("r2", "r1", status="False"))["url"] == "http://u"


def test_conditions_of_all_components() -> None:
    known = conditions.Conditions([], NOW)
    known.set(knative.ROUTE, "True")
    known.set(knative.CONFIGURATION, "False", "RevisionFailed")
    knative.across(known)
    assert (known.get(knative.ROUTES) or {})["status"] == "True"
    latest = known.get(knative.LATEST) or {}
    assert (latest["status"], latest["reason"]) == ("False", "PredictorConfigurationReady not ready")
    assert known.get("Ready") is None or known.status("Ready") != "True"


def test_knative_can_be_left_out() -> None:
    assert settings.load({}).knative
    assert not settings.load({settings.KNATIVE: "off"}).knative
