"""A model that fails its gate is not served and the old one goes on; a corrected gate judges again without training."""

from __future__ import annotations

import collections
import json
from typing import Any

import pytest
from prometheus_client import parser

from everything import towns
from sklearn_sandbox import services

pytestmark = pytest.mark.sandbox

DEPTHS = {"good": 4, "poor": 1}
COMPARED = {"metric": "accuracy", "compareTo": "Serving", "maxRegression": 0.01}
NAMES = ("gated", "compared")


def tree(name: str, depth: int, *gates: dict[str, Any]) -> dict[str, Any]:
    evaluation = {"crossValidation": {"folds": 3}, "gates": list(gates)}
    return towns.manifest(name, params={"max_depth": depth}, evaluation=evaluation, serving={})


def bound(figure: float) -> dict[str, Any]:
    return {"metric": "accuracy", "min": figure}


@pytest.fixture(scope="module")
def served(town: towns.Town) -> towns.Town:
    """A good first version of every model of this module, serving."""
    town.apply(tree("gated", DEPTHS["good"], bound(0.9)), tree("compared", DEPTHS["good"], COMPARED))
    for name in NAMES:
        town.settled(name, f"{name}-v1")
    return town


def version(town: towns.Town, name: str) -> dict[str, Any]:
    return dict(town.get("skmv", name)["status"])


def file(town: towns.Town, name: str, file: str) -> bytes:
    folder = version(town, name)["artifact"]["uri"].removeprefix(f"s3://{services.BUCKET}/")
    return town.world.read(f"{folder}{file}")


def answers(town: towns.Town, name: str) -> str:
    row = {"name": "input-0", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}
    return str(town.infer(name, {"inputs": [row]})["model_version"])


def rejected(town: towns.Town, name: str) -> dict[str, Any]:
    """What ``GatesPassed`` says, once the second version is judged; the first one answers all the same."""
    told = town.wait(name, "GatesPassed", "False")
    town.wait(name, "Stalled")
    assert town.condition(name, "Ready")["status"] == "True" and town.condition(name, "Trained")["status"] == "True"
    status = town.status(name)
    assert (status["phase"], status["servingVersion"], status["latestVersion"]) == (
        "Degraded", f"{name}-v1", f"{name}-v2",
    )  # fmt: skip
    assert version(town, f"{name}-v2")["phase"] == "Rejected"
    assert answers(town, name) == f"{name}-v1"
    return told


def test_a_version_that_fails_its_gate_is_not_served_until_the_gate_is_corrected(served: towns.Town) -> None:
    served.apply(tree("gated", DEPTHS["poor"], bound(0.9)))
    told = rejected(served, "gated")
    figure = version(served, "gated-v2")["metrics"]["accuracy"]
    assert told["message"] == f"gated-v2: accuracy {figure:.6g} is not >= 0.9"
    (gate,) = version(served, "gated-v2")["gates"]
    assert (gate["value"], gate["bound"], gate["passed"]) == (figure, ">= 0.9", False)

    served.apply(tree("gated", DEPTHS["poor"], bound(0.5)))
    served.settled("gated", "gated-v2")
    assert served.wait("gated", "GatesPassed")["message"] == f"gated-v2: accuracy {figure:.6g} is >= 0.5"
    assert answers(served, "gated") == "gated-v2"
    assert (
        len(served.runs("gated")) == 2
        and sum(served.world.executions(run["run_id"]) for run in served.runs("gated")) == 2
    )

    served.apply(tree("gated", DEPTHS["good"], bound(0.9)))
    served.settled("gated", "gated-v1")
    assert len(served.runs("gated")) == 2


def test_a_version_is_compared_with_the_one_that_serves_on_the_same_rows(served: towns.Town) -> None:
    before = version(served, "compared-v1")["metrics"]["accuracy"]
    served.apply(tree("compared", DEPTHS["poor"], COMPARED))
    told = rejected(served, "compared")
    found = version(served, "compared-v2")
    assert found["comparedWith"] == {"version": "compared-v1", "metrics": version(served, "compared-v1")["metrics"]}
    assert found["metrics"]["accuracy"] < before - 0.01
    assert f"(compared-v1: {before:.6g} - 0.01)" in told["message"]
    result = json.loads(file(served, "compared-v2", "result.json"))
    assert len(result["crossValidation"]["metrics"]["accuracy"]["values"]) == 3
    card = file(served, "compared-v2", "card.html").decode()
    assert "1 of 1 gate not passed" in card and "<th>compared-v1</th>" in card and "over 3 folds" in card

    served.apply(tree("compared", DEPTHS["poor"], COMPARED | {"maxRegression": 0.9}))
    served.settled("compared", "compared-v2")
    assert len(served.runs("compared")) == 2


@pytest.mark.parametrize(
    ("evaluation", "field", "words"),
    [
        ({"gates": [{"metric": "acuracy", "min": 0.9}]}, "gates[0].metric", "did you mean accuracy?"),
        ({"gates": [{"metric": "accuracy", "min": 95}]}, "gates[0].min", "write 95 % as 0.95"),
        ({"metrics": ["r2"]}, "metrics[0]", "is for a regressor"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_any_run(
    served: towns.Town, evaluation: dict[str, Any], field: str, words: str
) -> None:
    name = f"refused-{words.split()[-1].strip('?').replace('.', '')}"
    served.apply(towns.manifest(name, evaluation=evaluation))
    told = served.wait(name, "Valid", "False")
    assert f"spec.evaluation.{field}" in told["message"] and words in told["message"]
    assert served.runs(name) == []


def test_metrics_and_events_tell_what_the_cluster_holds(served: towns.Town) -> None:
    serving = served.status("compared")["servingVersion"]
    deleted = served.get("isvc", "compared")["metadata"]["uid"]
    served.kubectl("delete", "isvc/compared")
    served.expect("the repair counted", lambda: sum(told(served, "drift_repairs_total").values()) == 1, 120)
    # Until the operator has looked, the status is still that of the deleted one.
    served.expect("another InferenceService ready", lambda: ready_instead(served.get("isvc", "compared"), deleted), 300)
    served.settled("compared", serving)
    served.expect("the phases as they are", lambda: told(served, "models", "phase") == phases(served), 120)
    versions = [version["status"] for version in served.get("skmv")]
    ended = told(served, "trainings_total", "result")
    assert ended["succeeded"] + ended["rejected"] == sum("artifact" in status for status in versions)
    assert ended["failed"] + ended["canceled"] == sum("artifact" not in status for status in versions) == 0
    assert told(served, "training_duration_seconds_count", "result")["succeeded"] == ended["succeeded"]
    assert told(served, "rollouts_total", "result")["served"] >= len(NAMES)
    answered = told(served, "backend_requests_total", "backend", "code")
    assert {backend for backend, code in answered if code == "200"} == {"kubernetes", "kfp", "s3", "kserve"}
    events = json.loads(served.kubectl("get", "events", "-o", "json"))["items"]
    ours = [event for event in events if event["involvedObject"]["kind"] == "SklearnModel"]
    about = collections.Counter(event["reason"] for event in ours if event["involvedObject"]["name"] == "compared")
    assert about["Serving"] >= 1 and about["DriftRepaired"] == 1
    assert not {"Retrying", "SlotSkipped", "TrainingFailed"} & set(about)


def ready_instead(service: dict[str, Any] | None, deleted: str) -> bool:
    if service is None or service["metadata"]["uid"] == deleted:
        return False
    rows = {row["type"]: row["status"] for row in service.get("status", {}).get("conditions", [])}
    return rows.get("Ready") == "True"


def phases(town: towns.Town) -> collections.Counter[str]:
    return collections.Counter(model["status"]["phase"] for model in town.get("skm"))


def told(town: towns.Town, name: str, *labels: str) -> collections.Counter[Any]:
    """What the operator's own page says, by these labels."""
    found: collections.Counter[Any] = collections.Counter()
    page = town.world.text(f"http://127.0.0.1:{town.operator.environment['SKLEARN_OPERATOR_HEALTH_PORT']}/metrics")
    for family in parser.text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == f"sklearn_operator_{name}":
                values = [sample.labels[label] for label in labels]
                found[values[0] if len(values) == 1 else tuple(values)] += int(sample.value)
    return found
