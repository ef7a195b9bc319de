"""Runs every scenario in this folder through the pure plan. The YAML is the documentation of behaviour."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from scenarios import given
from sklearn_operator.core import actions, inquiry, parameters, plan, settings, training
from sklearn_operator.runtime import resources

HERE = Path(__file__).parent


def _load() -> list[Any]:
    found = []
    for file in sorted(HERE.glob("*.yaml")):
        for scenario in yaml.safe_load(file.read_text()):
            found.append(pytest.param(scenario, id=f"{file.stem}: {scenario['scenario']}"))
    return found


@pytest.fixture(scope="session")
def catalogue() -> parameters.Catalogue:
    return parameters.Catalogue.parse(resources.catalogue())


@pytest.mark.parametrize("scenario", _load())
def test_scenario(scenario: dict[str, Any], catalogue: parameters.Catalogue) -> None:
    seen = given.observed(scenario)
    decided = plan.plan(seen, given.settings_of(scenario), catalogue, given.NOW)
    expected = scenario["expect"]
    wanted = expected["actions"]
    told = [_expected(item, action) for item, action in zip(wanted, decided.actions, strict=False)]
    assert list(decided.actions) == told + wanted[len(decided.actions) :]
    if expected.get("status") == "unchanged":
        assert decided.status is None
    elif "status" in expected:
        given.check_status(expected["status"], decided.status)
    if "look_again" in expected:
        assert decided.look_again == _delay(expected["look_again"])


@pytest.mark.parametrize("scenario", _load())
def test_a_plan_is_the_same_when_made_twice(scenario: dict[str, Any], catalogue: parameters.Catalogue) -> None:
    seen = given.observed(scenario)
    first, second = (plan.plan(seen, given.settings_of(scenario), catalogue, given.NOW) for _ in range(2))
    assert first == second


def test_a_settled_model_asks_no_question() -> None:
    settled = next(
        item.values[0] for item in _load() if item.values[0]["scenario"] == "a settled model asks for nothing"
    )
    seen = given.observed(settled)
    serving = seen.serving
    asked = inquiry.questions(
        seen.model, seen.versions, serving.service, serving.deployment, serving.proven, settings.Settings()
    )
    assert asked == inquiry.Questions()


def _expected(item: Any, action: actions.Action) -> Any:
    """The action itself where it matches what the scenario says of it; else the scenario's own words, to be shown."""
    if isinstance(item, str):
        return action if type(action).__name__ == item else item
    ((name, fields),) = item.items()
    if type(action).__name__ != name:
        return item
    matches = all(given.at(action, path) == value for path, value in fields.items())
    return action if matches else item


def _delay(text: str) -> timedelta | None:
    if text == "never":
        return None
    return timedelta() if text == "at once" else timedelta(seconds=float(text.removesuffix("s")))


def test_the_current_hash_is_the_manifests_own() -> None:
    spec = given.spec({})
    assert training.training_hash(spec) == training.training_hash(given.spec({"serving": {"minReplicas": 2}}))
    assert training.training_hash(spec) != training.training_hash(given.spec({"data": {"revision": "2"}}))
