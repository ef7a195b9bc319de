"""Conditions keep their transition times; durations read what the CRD lets pass."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.api import fields

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = THEN + timedelta(hours=1)


def condition(kind: str, status: str, reason: str = "Training", since: datetime = THEN) -> api.Condition:
    return api.Condition.model_validate(
        {"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": since}
    )


def test_the_time_stays_while_the_status_does() -> None:
    (merged,) = api.merge([condition("Ready", "False")], [condition("Ready", "False", "Deploying", NOW)], NOW)
    assert (merged.reason, merged.last_transition_time) == ("Deploying", THEN)


def test_the_time_moves_with_the_status() -> None:
    (merged,) = api.merge([condition("Ready", "False")], [condition("Ready", "True", "Serving")], NOW)
    assert merged.last_transition_time == NOW


def test_a_new_condition_begins_now_and_a_dropped_one_is_gone() -> None:
    (merged,) = api.merge([condition("Served", "True")], [condition("Ready", "True")], NOW)
    assert (merged.type, merged.last_transition_time) == ("Ready", NOW)


def test_the_order_is_fixed() -> None:
    kinds = [str(kind) for kind in api.ConditionType]
    merged = api.merge([], [condition(kind, "True") for kind in [*reversed(kinds), "Other"]], NOW)
    assert [one.type for one in merged] == [*kinds, "Other"]
    assert kinds[:3] == ["Ready", "Reconciling", "Stalled"]


def test_merging_again_changes_nothing() -> None:
    once = api.merge([], [condition("Ready", "True"), condition("Valid", "True", "Accepted")], NOW)
    assert api.merge(once, once, NOW + timedelta(hours=1)) == once


@pytest.mark.parametrize("reason", api.Reason)
def test_reasons_are_what_kubernetes_takes(reason: str) -> None:
    condition("Ready", "True", reason)


@pytest.mark.parametrize(
    "text, seconds", [("0s", 0), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1h1s", 3601), ("90m", 5400)]
)
def test_durations(text: str, seconds: int) -> None:
    assert api.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "30", "5 m", "1m1h", "-5m", "1.5h", "1d", "5m\n", "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30s, 5m or 1h30m"):
        api.parse_duration(text)


@given(st.from_regex(fields.DURATION.expression, fullmatch=True))
def test_what_the_schema_takes_the_parser_takes(text: str) -> None:
    assert api.parse_duration(text) >= timedelta()


@pytest.mark.parametrize("pattern", fields.PATTERNS, ids=lambda pattern: pattern.words[:30])
def test_every_pattern_is_anchored_and_has_words(pattern: fields.Pattern) -> None:
    re.compile(pattern.expression)
    assert pattern.expression.startswith("^") and pattern.expression.endswith("$")
    assert fields.words_for(pattern.expression) == pattern.words
