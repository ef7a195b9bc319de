"""The check can fail: small mistakes in the plan, each of which it finds and tells as a story."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from model_check import explorer, swift
from model_check.world import LONG_AGO
from sklearn_operator.core import (
    attempts,
    canary,
    cleanup,
    conditions,
    drafts,
    gates,
    plan,
    report,
    rollout,
    serving,
    versions,
)

Mutation = tuple[Any, str, Any]


@pytest.fixture(autouse=True)
def swiftly() -> Iterator[None]:
    with swift.remembered():
        yield


def _candidate_while_somebody_answers(s: report.Situation) -> str | None:
    rolling = s.target is not None and not s.train_only and s.answering not in (None, s.target.name)
    return s.target.name if rolling and s.target else None


def _wait_for_nothing(self: drafts.Draft, delay: timedelta | None) -> None:
    """As if events told of everything."""


def _nobody_waits(_: report.Situation) -> conditions.Condition:
    return conditions.Condition("AwaitingApproval", "False", "Approved", "no version waits")


def _a_share_at_once(_seen: Any, _spec: Any, target: Any, weights: Any) -> serving.Share:
    return serving.Share(target.name, "", weights[0])


MUTATIONS: dict[str, tuple[Mutation, str, str, str]] = {
    "nothing to go back to": ((rollout, "fallback", lambda *_: None), "A steps", "B sick", "is not put back"),
    "at once instead of in steps": ((canary, "beside", lambda *_: None), "A steps", "B", "its steps are not over"),
    "a share before the revision is ready": (
        (canary, "_first", _a_share_at_once),
        "A knative steps",
        "B",
        "before it is ready",
    ),
    "whole from the last step on, on Knative": (
        (canary, "_ALL", 50),
        "A knative steps",
        "B",
        "its steps are not over",
    ),
    "whole from the last step on": ((canary, "_ALL", 50), "A steps", "B", "its steps are not over"),
    "an absent run is believed": (
        (attempts, "submission_settles_at", lambda *_: LONG_AGO),
        "A",
        "B lost",
        "is submitted a second time",
    ),
    "a leaving version is not waited for": (
        (cleanup, "_unsettled_until", lambda *_: None),
        "A",
        "B lost delete",
        "something is left of it",
    ),
    "nothing is needed": ((plan, "_needed", lambda *_: frozenset()), "A short", "B failure", "and it is needed"),
    "every gate lets through": ((gates, "judged", lambda _, status, *__: status), "A", "B bad", "a gate rejects it"),
    "requests are never answered": ((versions, "answered", lambda *_: False), "A", "retrain", "a second version"),
    "nobody is on trial while nobody answers": (
        (report, "_candidate", _candidate_while_somebody_answers),
        "A steps",
        "B crash",
        "nothing leads back to rest",
    ),
    "an approval that nobody is asked for": (
        (report, "_awaiting", _nobody_waits),
        "A manual",
        "B",
        "neither what there is nor what to wait for",
    ),
    "look again when an event says so": ((drafts.Draft, "wait", _wait_for_nothing), "A", "B", "nothing wakes it"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mistake_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (place, attribute, mistake), spec, menu, complaint = MUTATIONS[name]
    monkeypatch.setattr(place, attribute, mistake)
    stage = explorer.Stage(name, spec, frozenset(menu.split()), len(menu.split()))
    with pytest.raises(explorer.Violation, match=complaint) as found:
        explorer.Walk(stage).run()
    story = str(found.value).splitlines()
    print(found.value)
    assert story[1] == "  at first" and len(story) > 3
