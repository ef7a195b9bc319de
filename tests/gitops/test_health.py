"""What Argo CD and kstatus make of every row of the state table, by their own libraries."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from gitops import fixtures, statuses, tool


def _expected(kind: str) -> dict[str, Any]:
    """``healthStatus`` by fixture, as health_test.yaml has it."""
    tests = yaml.safe_load((fixtures.CUSTOMIZATIONS / kind / "health_test.yaml").read_text())["tests"]
    return {test["inputPath"]: test["healthStatus"] for test in tests}


@pytest.fixture(scope="module")
def rows() -> dict[str, list[fixtures.Row]]:
    return {"SklearnModel": fixtures.models(), "SklearnModelVersion": fixtures.versions()}


@pytest.mark.parametrize("kind", fixtures.KINDS)
def test_health_with_its_message(kind: str, rows: dict[str, list[fixtures.Row]]) -> None:
    answers = tool.health(fixtures.script(kind), [row.object for row in rows[kind]])
    names = [f"testdata/{row.fixture}.yaml" for row in rows[kind]]
    assert dict(zip(names, answers, strict=True)) == _expected(kind)
    assert [answer["status"] for answer in answers] == [row.argo for row in rows[kind]]


def test_kstatus(rows: dict[str, list[fixtures.Row]]) -> None:
    answers = tool.kstatus(row.object for row in rows["SklearnModel"])
    assert {row.fixture: answer["status"] for row, answer in zip(rows["SklearnModel"], answers, strict=True)} == {
        row.fixture: row.kstatus for row in rows["SklearnModel"]
    }


def _by_the_table(model: dict[str, Any]) -> tuple[str, str]:
    """Argo CD's word and that of kstatus, from the columns of the state table."""
    status = model["status"]
    told = {row["type"]: row["status"] == "True" for row in status.get("conditions", ())}
    if status["observedGeneration"] != model["metadata"]["generation"]:
        return "Progressing", "InProgress"
    waits = "Suspended" if model["spec"].get("suspend") or told.get("AwaitingApproval") else None
    match told["Ready"], told["Reconciling"], told["Stalled"]:
        case _, False, True:
            return "Degraded", "Failed"
        case _, True, False:
            return ("Suspended" if model["spec"].get("suspend") else "Progressing"), "InProgress"
        case True, False, False:
            return waits or "Healthy", "Current"
        case False, False, False if waits:
            return waits, "InProgress"
    raise AssertionError(f"no row of the table: {told}")


def test_whatever_a_scenario_comes_to_is_told_as_the_table_says() -> None:
    """All scenarios of the operator, with more situations in them than the table has rows."""
    models = {name: statuses.model(scenario) for name, scenario in statuses.scenarios().items()}
    # Argo CD and kstatus know of a deletion before they look at the status.
    alive = {name: model for name, model in models.items() if "deletionTimestamp" not in model["metadata"]}
    health = tool.health(fixtures.script("SklearnModel"), alive.values())
    waited = tool.kstatus(alive.values())
    told = {name: (one["status"], other["status"]) for name, one, other in zip(alive, health, waited, strict=True)}
    assert told == {name: _by_the_table(model) for name, model in alive.items()}
    assert len(set(told.values())) >= 5
