"""Whatever others say, a status takes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import conditions, wording
from unit.core import builders

ANYTHING = st.text(st.characters(exclude_categories=())) | st.text("ab_,: \n\x00\ud800é1", max_size=40)


@given(ANYTHING | st.builds(lambda text: text * 300, st.text(min_size=1, max_size=8)))
def test_every_reason_and_message_makes_a_condition_that_the_api_server_takes(text: str) -> None:
    rows = [conditions.Condition("Served", "False", text, text)]
    (document,) = conditions.merge([], rows, 1, builders.NOW)
    api.Condition.model_validate(document)
    assert len(document["message"].encode()) <= 1024
    assert document["message"].isprintable()


@given(ANYTHING)
def test_what_is_fit_already_stays(text: str) -> None:
    assert wording.reason(wording.reason(text)) == wording.reason(text)
    assert wording.message(wording.message(text)) == wording.message(text)


@pytest.mark.parametrize(
    "text, word",
    [
        ("ImagePullBackOff", "ImagePullBackOff"),
        ("pending", "pending"),
        ("exit code 1", "ExitCode1"),
        ("Init:Error", "Init:Error"),
        ("4xx,", "xx"),
        ("", "Unknown"),
        ("…", "Unknown"),
        ("X" * 2000, "X" * 128),
    ],
)
def test_reasons(text: str, word: str) -> None:
    assert wording.reason(text) == word


@pytest.mark.parametrize(
    "text, line",
    [
        ("as it is", "as it is"),
        ("two\nlines", "two lines"),
        ("bell\x07", "bell\\x07"),
        ("half \ud83d", "half \\ud83d"),
        ("é" * 600, "é" * 510 + "…"),
    ],
)
def test_messages(text: str, line: str) -> None:
    assert wording.message(text) == line
