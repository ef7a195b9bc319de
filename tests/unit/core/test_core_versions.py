"""Which versions there must be, and which of them serves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import naming, observed, versions
from unit.core import builders

Trigger = versions.Trigger


def known(*rows: tuple[str, str], **changes: Any) -> tuple[observed.Version, ...]:
    """Versions from 1, each as (hash, phase); the key is the hash."""
    return tuple(
        builders.version(number, phase, training_hash=digest, trigger_key=digest, **changes)
        for number, (digest, phase) in enumerate(rows, start=1)
    )


def model(**changes: Any) -> observed.Model:
    return builders.model(**changes)


def asking(value: str, **changes: Any) -> observed.Model:
    return model(annotations={naming.ANNOTATION_RETRAIN: value}, **changes)


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([], Trigger("SpecChange", "a")),
        ([("a", "Pending")], None),
        ([("a", "Succeeded")], None),
        ([("a", "Failed")], None),
        ([("b", "Succeeded")], Trigger("SpecChange", "a/after-v1")),
        ([("a", "Succeeded"), ("b", "Succeeded")], None),
        ([("a", "Failed"), ("b", "Succeeded")], Trigger("SpecChange", "a/after-v2")),
        ([("a", "Canceled"), ("b", "Pending")], Trigger("SpecChange", "a/after-v2")),
        ([("a", "Canceled")], Trigger("SpecChange", "a/after-v1")),
        ([("a", "Rejected"), ("b", "Succeeded")], None),
    ],
)
def test_triggers_of_a_manifest_with_hash_a(rows: list[tuple[str, str]], expected: Trigger | None) -> None:
    assert versions.missing_trigger(model(), known(*rows), "a") == expected


def test_a_failed_version_is_tried_again_once_for_every_other_way_to_train() -> None:
    plain, roomy = (
        api.parse_spec(builders.DIGITS | more)
        for more in ({}, {"training": {"resources": {"limits": {"memory": "4Gi"}}}})
    )
    failed = known(("a", "Failed"))
    assert versions.missing_trigger(model(), failed, "a", plain) is None
    first = versions.missing_trigger(model(), failed, "a", roomy)
    assert first is not None and first.key.startswith("a/with-") and first.key.endswith("/after-v1")
    # Whatever the frozen inputs look like: the key says that this was tried.
    again = (*failed, builders.version(2, "Failed", training_hash="a", trigger_key=first.key))
    assert versions.missing_trigger(model(), again, "a", roomy) is None
    good = (*failed, builders.version(2, "Succeeded", training_hash="a", trigger_key=first.key))
    assert versions.missing_trigger(model(), good, "a", plain) is None


def test_a_retraining_happens_once_per_value() -> None:
    have = known(("a", "Succeeded"))
    assert versions.missing_trigger(asking("1"), have, "a") == Trigger("Manual", "manual/1")
    done = (*have, builders.version(2, "Succeeded", training_hash="a", trigger_key="manual/1"))
    assert versions.missing_trigger(asking("1"), done, "a") is None
    assert versions.missing_trigger(asking("2"), done, "a") == Trigger("Manual", "manual/2")


def test_a_retraining_whose_version_was_pruned_is_not_repeated() -> None:
    handled = asking("1", status={"retrainHandled": "1"})
    assert versions.missing_trigger(handled, known(("a", "Succeeded")), "a") is None


@given(st.text(max_size=400))
def test_any_annotation_is_a_key_that_fits(value: str) -> None:
    trigger = versions.missing_trigger(asking(value), known(("a", "Succeeded")), "a")
    assert (trigger is None) == (value == "")
    assert trigger is None or len(trigger.key) <= 512


@pytest.mark.parametrize(
    "reported, rows, expected",
    [
        (None, 0, 1),
        (None, 3, 4),
        ("digits-v7", 3, 8),
        ("digits-v2", 3, 4),
        ("other-v9", 0, 1),
        ("digits-vx", 0, 1),
        ("digits-v", 0, 1),
        (7, 0, 1),
    ],
)
def test_numbers_are_never_reused(reported: Any, rows: int, expected: int) -> None:
    have = known(*[("a", "Succeeded")] * rows)
    assert versions.next_number(model(status={"latestVersion": reported}), have) == expected


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([], None),
        ([("a", "Pending")], None),
        ([("b", "Succeeded"), ("a", "Pending")], 1),
        ([("b", "Succeeded"), ("a", "Failed")], 1),
        ([("b", "Succeeded"), ("a", "Succeeded")], 2),
        ([("a", "Succeeded"), ("b", "Succeeded")], 1),
        ([("a", "Succeeded"), ("a", "Rejected")], 1),
    ],
)
def test_the_version_that_ought_to_serve(rows: list[tuple[str, str]], expected: int | None) -> None:
    target = versions.serving_target(known(*rows), "a")
    assert (target.number if target else None) == expected


@pytest.mark.parametrize(
    "rows, expected",
    [
        ([("a", "Pending")], []),
        ([("b", "Running"), ("a", "Pending")], [1]),
        ([("a", "Running"), ("a", "Pending")], [1]),
        ([("b", "Succeeded"), ("a", "Pending")], []),
    ],
)
def test_what_nobody_waits_for(rows: list[tuple[str, str]], expected: list[int]) -> None:
    have = known(*rows)
    assert [version.number for version in have if versions.superseded(version, have, "a")] == expected
    assert not any(versions.superseded(version, have, None) for version in have)


phases = st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Rejected", "Canceled"])


@given(st.lists(st.tuples(st.sampled_from("ab"), phases), max_size=8), st.integers(1, 5), st.sets(st.integers(1, 8)))
def test_history_is_bounded_and_never_prunes_what_is_needed(
    rows: list[tuple[str, str]], limit: int, kept: set[int]
) -> None:
    have = known(*rows)
    keep = frozenset(f"digits-v{number}" for number in kept)
    gone = versions.prunable(have, limit, keep)
    assert len(gone) <= max(len(have) - limit, 0)
    assert all(version.finished and version.name not in keep for version in gone)
    assert versions.newest(have) not in gone
    assert [version.number for version in gone] == sorted(version.number for version in gone)


@given(st.lists(st.tuples(st.sampled_from("ab"), phases), max_size=6))
def test_one_key_makes_one_version(rows: list[tuple[str, str]]) -> None:
    """The trigger that is missing is gone as soon as its version is there."""
    have = known(*rows)
    trigger = versions.missing_trigger(model(), have, "a")
    if trigger is not None:
        number = versions.next_number(model(), have)
        new = builders.version(number, "Pending", training_hash="a", trigger_key=trigger.key)
        assert versions.missing_trigger(model(), (*have, new), "a") is None
