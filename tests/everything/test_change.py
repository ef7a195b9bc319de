"""A manifest that changes while requests come in: one new version at most, and always somebody who answers."""

from __future__ import annotations

from typing import Any

import pytest

from everything import callers, towns

pytestmark = pytest.mark.sandbox

NAMES = ("switched", "scaled", "broken", "failing")


def tree(name: str, max_depth: int = 2, **spec: Any) -> dict[str, Any]:
    return towns.manifest(name, params={"max_depth": max_depth}, **({"serving": {}} | spec))


def other_estimator(name: str, estimator: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    return towns.manifest(name, estimator, params, serving={})


@pytest.fixture(scope="module")
def served(town: towns.Town) -> towns.Town:
    """The first version of every model of this module, serving."""
    town.apply(*(tree(name) for name in NAMES))
    for name in NAMES:
        town.settled(name, f"{name}-v1")
    return town


def versions(town: towns.Town, name: str) -> list[str]:
    return [item["metadata"]["name"] for item in town.get("skmv") if item["spec"]["model"] == name]


def executions(town: towns.Town, name: str) -> list[int]:
    """How often each of the model's runs was really executed."""
    return [town.world.executions(run["run_id"]) for run in town.runs(name)]


def test_a_change_of_the_model_goes_from_one_version_to_the_next_and_back(served: towns.Town) -> None:
    with callers.calling(served, "switched") as caller:
        served.apply(tree("switched", 3))
        served.settled("switched", "switched-v2")
        caller.answered_last("switched-v2")
    caller.went("switched-v1", "switched-v2")
    assert versions(served, "switched") == ["switched-v1", "switched-v2"]
    assert executions(served, "switched") == [1, 1]

    with callers.calling(served, "switched") as caller:
        served.apply(tree("switched"))
        served.settled("switched", "switched-v1")
        caller.answered_last("switched-v1")
    caller.went("switched-v2", "switched-v1")
    assert versions(served, "switched") == ["switched-v1", "switched-v2"]
    assert executions(served, "switched") == [1, 1]


def variables(town: towns.Town, name: str) -> list[set[str]]:
    """The names of the manifest's own variables in each serving container of the model."""
    return [
        {variable["name"] for variable in container["env"] if variable["name"] in ("GREETING", "NOTHING")}
        for pod in town.get("pods")
        if pod["metadata"]["labels"].get("serving.kserve.io/inferenceservice") == name
        for container in pod["spec"]["containers"]
    ]


def test_what_kserve_spells_otherwise_is_applied_once(served: towns.Town) -> None:
    amounts = {"requests": {"cpu": "100m", "memory": "0.5Gi"}, "limits": {"cpu": 1, "memory": "1024Mi"}}
    served.apply(tree("spelled", serving={"resources": amounts, "env": [{"name": "NOTHING", "value": ""}]}))
    served.settled("spelled", "spelled-v1")
    model = served.get("isvc", "spelled")["spec"]["predictor"]["model"]
    assert model["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert variables(served, "spelled") == [{"NOTHING"}]
    before = served.operator.actions("ApplyInferenceService")
    served.kubectl("annotate", "skm/spelled", "sklearn-operator.io/retrain=now")
    served.settled("spelled", "spelled-v2")
    assert served.operator.actions("ApplyInferenceService") == before + 1


def test_a_change_of_serving_alone_does_not_train(served: towns.Town) -> None:
    greeting = {"name": "GREETING", "value": "hello"}

    def greeted() -> bool:
        return variables(served, "scaled") == [{"GREETING"}]

    with callers.calling(served, "scaled") as caller:
        served.apply(tree("scaled", serving={"env": [greeting]}))
        served.expect("the new pod alone", greeted, 240)
        served.settled("scaled", "scaled-v1")
        caller.answered_last("scaled-v1")
        served.apply(tree("scaled"))
        served.expect("a pod without it", lambda: variables(served, "scaled") == [set()], 240)
        served.settled("scaled", "scaled-v1")
        caller.answered_last("scaled-v1")
    assert set(caller.answers) == {"scaled-v1"}
    assert versions(served, "scaled") == ["scaled-v1"]
    assert executions(served, "scaled") == [1]


def test_a_change_that_is_not_accepted_leaves_the_old_version_serving(served: towns.Town) -> None:
    with callers.calling(served, "broken") as caller:
        served.apply(other_estimator("broken", "sklearn.tree.DecisionTreeClassifer"))
        refused = served.wait("broken", "Valid", "False")
        assert (served.condition("broken", "Ready")["status"], served.status("broken")["phase"]) == ("True", "Degraded")
        caller.answered_last("broken-v1")
        served.apply(tree("broken"))
        served.settled("broken", "broken-v1")
    assert "did you mean sklearn.tree.DecisionTreeClassifier?" in refused["message"]
    assert set(caller.answers) == {"broken-v1"}
    assert executions(served, "broken") == [1]


def test_a_version_that_fails_leaves_the_old_version_serving(served: towns.Town) -> None:
    with callers.calling(served, "failing") as caller:
        served.apply(other_estimator("failing", "sklearn.svm.SVC", {"kernel": "precomputed"}))
        stalled = served.wait("failing", "Stalled")
        assert (served.condition("failing", "Ready")["status"], served.status("failing")["phase"]) == (
            "True",
            "Degraded",
        )
        assert served.status("failing")["servingVersion"] == "failing-v1"
        caller.answered_last("failing-v1")
        served.apply(other_estimator("failing", "sklearn.svm.SVC", {"kernel": "linear"}))
        served.settled("failing", "failing-v3")
        caller.answered_last("failing-v3")
    assert "failing-v2 failed in step train" in stalled["message"]
    assert "sklearn.svm.SVC" in stalled["message"]
    caller.went("failing-v1", "failing-v3")
    assert executions(served, "failing") == [1, 1, 1]
