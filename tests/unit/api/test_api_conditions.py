"""Reasons are words that Kubernetes takes; durations read what the CRD lets pass."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.api import fields


def condition(reason: str) -> api.Condition:
    fields = {"type": "Ready", "status": "True", "reason": reason, "message": ""}
    return api.Condition.model_validate(fields | {"lastTransitionTime": "2026-01-01T00:00:00Z"})


@pytest.mark.parametrize("reason", api.Reason)
def test_reasons_are_what_kubernetes_takes(reason: str) -> None:
    condition(reason)


@pytest.mark.parametrize("reason", ["", "two words", "1st", "Ends:", "naïve", "-"])
def test_what_kubernetes_does_not_take_as_a_reason(reason: str) -> None:
    with pytest.raises(ValueError):
        condition(reason)


def test_kstatus_finds_its_conditions_first() -> None:
    assert [str(kind) for kind in api.ConditionType][:3] == ["Ready", "Reconciling", "Stalled"]


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
