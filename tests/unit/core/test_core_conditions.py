"""Conditions keep their transition times, their order and their neighbours."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator.core import conditions, times
from unit.core import builders

LATER = builders.NOW + timedelta(hours=1)
Condition = conditions.Condition

rows = st.lists(
    st.builds(Condition, st.sampled_from(conditions.ORDER), st.sampled_from(["True", "False"]), st.just("Any")),
    unique_by=lambda row: row.type,
)


def merge(previous: list[dict[str, Any]], *wanted: Condition, **options: Any) -> list[dict[str, Any]]:
    return conditions.merge(previous, wanted, 1, LATER, **options)


def first(*wanted: Condition) -> list[dict[str, Any]]:
    return conditions.merge([], wanted, 1, builders.NOW)


def test_the_time_stays_while_the_status_does() -> None:
    (merged,) = merge(first(Condition("Ready", "False", "Training")), Condition("Ready", "False", "Deploying"))
    assert (merged["reason"], merged["lastTransitionTime"]) == ("Deploying", times.text(builders.NOW))


def test_the_time_moves_with_the_status() -> None:
    (merged,) = merge(first(Condition("Ready", "False", "Training")), Condition("Ready", "True", "Serving"))
    assert merged["lastTransitionTime"] == times.text(LATER)


def test_a_dropped_condition_is_gone_unless_the_others_are_kept() -> None:
    before = first(Condition("Served", "True", "Serving"))
    new = Condition("Ready", "True", "Serving")
    assert [row["type"] for row in merge(before, new)] == ["Ready"]
    assert [row["type"] for row in merge(before, new, keep_others=True)] == ["Ready", "Served"]


def test_what_somebody_else_wrote_there_is_not_kept() -> None:
    foreign = [{"type": "Foreign", "status": "True"}, {"status": "True"}]
    assert [row["type"] for row in merge(foreign, Condition("Ready", "True", "Serving"), keep_others=True)] == ["Ready"]


@given(rows, rows)
def test_the_order_is_fixed_and_merging_again_changes_nothing(before: list[Condition], after: list[Condition]) -> None:
    once = merge(first(*before), *after)
    assert conditions.merge(once, after, 1, LATER + timedelta(hours=1)) == once
    kinds = [row["type"] for row in once]
    assert kinds == sorted(kinds, key=conditions.ORDER.index)
