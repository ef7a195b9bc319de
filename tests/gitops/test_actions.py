"""The resource actions, run by Argo CD's Lua: when each is offered, and what it changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from gitops import fixtures, tool
from sklearn_operator.core import naming

ACTIONS = fixtures.CUSTOMIZATIONS / "SklearnModel" / "actions"
TESTS = yaml.safe_load((ACTIONS / "action_test.yaml").read_text())


def _read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ACTIONS / path).read_text())
    return found


def test_which_actions_are_offered() -> None:
    asked = [_read(test["inputPath"]) for test in TESTS["discoveryTests"]]
    answers = tool.discovery(fixtures.script("SklearnModel", "discovery"), asked)
    for test, answer in zip(TESTS["discoveryTests"], answers, strict=True):
        wanted = {row["name"]: {key: row[key] for key in row if key != "name"} for row in test["result"]}
        assert answer == wanted, test["inputPath"]
        assert sorted(answer) == fixtures.actions()


@pytest.mark.parametrize("test", TESTS["actionTests"], ids=lambda test: test["action"])
def test_what_an_action_changes_and_that_it_changes_nothing_else(test: dict[str, str]) -> None:
    given = _read(test["inputPath"])
    before = datetime.now(UTC).replace(microsecond=0)
    (answer,) = tool.action(fixtures.script("SklearnModel", test["action"]), [given])
    asked_at = (answer["object"]["metadata"].get("annotations") or {}).get(naming.ANNOTATION_RETRAIN)
    if asked_at is not None:
        assert before <= datetime.strptime(asked_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) <= datetime.now(UTC)
        answer["object"]["metadata"]["annotations"][naming.ANNOTATION_RETRAIN] = fixtures.PLACEHOLDER
    assert answer["object"] == _read(test["expectedOutputPath"])
    (changed,) = answer["patch"].items()
    assert (
        changed
        == {
            "retrain": ("metadata", {"annotations": {naming.ANNOTATION_RETRAIN: asked_at}}),
            "approve": ("metadata", {"annotations": {naming.ANNOTATION_APPROVE: "digits-v2"}}),
            "suspend": ("spec", {"suspend": True}),
            "resume": ("spec", {"suspend": False}),
        }[test["action"]]
    )


def test_empty_objects_and_lists_of_the_manifest_survive_an_action() -> None:
    """Lua has one empty table for both."""
    given = _read("../testdata/serving.yaml")
    given["spec"] |= {
        "model": {"pipeline": [{"name": "p", "class": "sklearn.svm.SVC", "params": {}}]},
        "data": {"source": {"uri": "s3://b/k.csv"}, "features": {"include": [], "exclude": []}},
    }
    (answer,) = tool.action(fixtures.script("SklearnModel", "suspend"), [given])
    assert answer["patch"] == {"spec": {"suspend": True}}
    assert given["spec"]["serving"] == answer["object"]["spec"]["serving"] == {}


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("return {status = string.format('x')}", "attempt to index a non-table object(nil)"),
        ("return {status = tostring(math.huge)}", "attempt to index a non-table object(nil)"),
        ("return {status = os.getenv('HOME')}", "attempt to index a non-table object(nil)"),
        ("return {status = require('os').getenv('HOME')}", "attempt to call a non-function object"),
        ("return {status = io.read()}", "attempt to index a non-table object(nil)"),
        ("while true do end", "context deadline exceeded"),
        ("return {status = 'Fine'}", 'invalid health status "Fine"'),
    ],
)
def test_the_scripts_run_where_argo_cd_would_run_them(script: str, says: str) -> None:
    (answer,) = tool.health(script, [{"metadata": {"name": "x"}}])
    assert says in answer["error"]
