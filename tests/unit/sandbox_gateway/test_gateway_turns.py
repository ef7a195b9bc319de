"""The split is exact, whoever is missing for a while."""

from __future__ import annotations

import collections

import pytest

from sklearn_sandbox.gateway import turns


def count(kept: turns.Turns, weights: dict[str, int], rounds: int, without: tuple[str, ...] = ()) -> dict[str, int]:
    return dict(collections.Counter(str(kept.next(weights, without)) for _ in range(rounds)))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"stable": 90, "canary": 10}, {"stable": 90, "canary": 10}),
        ({"stable": 1, "canary": 99}, {"stable": 1, "canary": 99}),
        ({"stable": 70, "a": 20, "b": 10}, {"stable": 70, "a": 20, "b": 10}),
        ({"stable": 0, "canary": 100}, {"canary": 100}),
        ({"only": 1}, {"only": 100}),
    ],
)
def test_a_hundred_requests_are_split_exactly(weights: dict[str, int], expected: dict[str, int]) -> None:
    kept = turns.Turns()
    assert count(kept, weights, 100) == expected
    assert count(kept, weights, 100) == expected


def test_the_small_share_is_spread_and_does_not_come_in_a_row() -> None:
    kept, weights = turns.Turns(), {"stable": 75, "canary": 25}
    for _ in range(25):
        assert count(kept, weights, 4) == {"stable": 3, "canary": 1}


def test_a_change_of_weights_starts_a_new_round() -> None:
    kept = turns.Turns()
    count(kept, {"stable": 90, "canary": 10}, 37)
    assert count(kept, {"stable": 50, "canary": 50}, 100) == {"stable": 50, "canary": 50}


def test_the_turn_of_who_is_missing_goes_to_the_others_by_their_weights() -> None:
    kept, weights = turns.Turns(), {"stable": 50, "a": 40, "b": 10}
    assert count(kept, weights, 50, ("stable",)) == {"a": 40, "b": 10}
    assert kept.next(weights, ("stable", "a", "b")) is None


def test_nobody_without_weight_has_a_turn_not_even_when_he_is_the_only_one_left() -> None:
    kept = turns.Turns()
    assert kept.next({"stable": 0, "canary": 100}, ("canary",)) is None
    assert kept.next({}) is None
