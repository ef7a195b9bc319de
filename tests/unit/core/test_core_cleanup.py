"""Taking a version down: runs end, then go, then the objects, and the finalizer last."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator.core import actions, attempts, cleanup, observed, places, settings
from unit.core import builders

NOW = builders.NOW


def step(
    version: observed.Version, runs: tuple[observed.Run, ...] = (), objects: int = 0, **changes: Any
) -> tuple[attempts.Step, str]:
    seen = observed.Observed(builders.model(), runs_left={version.name: runs}, objects_left={version.name: objects})
    return cleanup.step(version, seen, attempts.Context(builders.model(), settings.Settings(), NOW, **changes))


DONE = builders.version(1, "Succeeded")


@pytest.mark.parametrize(
    "states, objects, kind, says",
    [
        (["RUNNING"], 3, actions.TerminateRun, "waiting for run"),
        (["FAILED", "RUNNING"], 3, actions.TerminateRun, "waiting for run"),
        (["FAILED"], 3, actions.DeleteRun, "deleting 1 run(s)"),
        ([], 3, actions.DeleteArtifacts, "deleting 3 object(s)"),
        ([], 0, actions.ReleaseVersion, "releasing digits-v1"),
    ],
)
def test_the_order(states: list[str], objects: int, kind: type, says: str) -> None:
    decided, text = step(DONE, tuple(builders.run(DONE, state) for state in states), objects)
    assert [type(action) for action in decided.actions] == [kind]
    assert says in text


def test_a_run_that_may_still_surface_is_waited_for() -> None:
    young = builders.version(created_at=NOW - timedelta(seconds=10))
    decided, text = step(young, objects=3)
    assert (decided.actions, decided.look_again) == ((), timedelta(seconds=50))
    assert "just being created" in text


def test_what_was_never_sent_is_let_go_at_once() -> None:
    young = builders.version(created_at=NOW)
    decided, _ = step(young, unsubmitted=frozenset({(young.uid, 1)}))
    assert decided.actions == (actions.ReleaseVersion("digits-v1"),)


@given(st.lists(st.sampled_from([str(state) for state in observed.RunState]), max_size=3), st.integers(0, 3))
def test_nothing_is_released_while_something_is_left(states: list[str], objects: int) -> None:
    decided, _ = step(DONE, tuple(builders.run(DONE, state) for state in states), objects)
    released = any(isinstance(action, actions.ReleaseVersion) for action in decided.actions)
    assert released == (not states and not objects)


def test_all_attempts_go_with_the_folder_of_the_version() -> None:
    decided, _ = step(DONE, objects=1)
    place, root = places.Place("default", "s3://models"), "s3://models/default/digits/v1-00000001"
    assert decided.actions == (actions.DeleteArtifacts("digits-v1", root, place),)
