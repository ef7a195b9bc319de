"""The cache only moves forward, and a listing settles what the watches missed."""

from __future__ import annotations

from typing import Any

from sklearn_operator.backends import nesting
from sklearn_operator.core import observed
from sklearn_operator.runtime.cache import MODEL, VERSION, Cache

A, B = observed.ModelKey("default", "a"), observed.ModelKey("other", "b")


def raw(name: str, version: int, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version), "managedFields": [1]}, **fields}


def listing(cache: Cache, found: list[tuple[observed.ModelKey, dict[str, Any]]], at: int, namespace: str | None) -> Any:
    """What a whole listing tells, taken over in one page."""
    news = {key for key, item in found if cache.put(MODEL, key, item)}
    return news | cache.settle(MODEL, {(key, item["metadata"]["name"]) for key, item in found}, at, namespace)


def test_an_older_state_never_replaces_a_newer_one() -> None:
    cache = Cache()
    assert cache.put(MODEL, A, raw("a", 10, spec=2))
    assert not cache.put(MODEL, A, raw("a", 9, spec=1))
    assert not cache.put(MODEL, A, raw("a", 10, spec=2))
    assert cache.put(MODEL, A, raw("a", 11, spec=3))
    found = cache.one(MODEL, A, "a")
    assert found is not None and found["spec"] == 3
    assert "managedFields" not in found["metadata"]


def test_versions_are_compared_as_numbers() -> None:
    cache = Cache()
    cache.put(MODEL, A, raw("a", 9))
    assert cache.put(MODEL, A, raw("a", 10))


def test_what_a_listing_lacks_leaves() -> None:
    cache = Cache()
    cache.put(MODEL, A, raw("a", 5))
    cache.put(MODEL, B, raw("b", 6))
    cache.expect_listing(MODEL)
    assert listing(cache, [(A, raw("a", 5))], 7, None) == {B}
    assert list(cache.keys(MODEL)) == [A]


def test_a_listing_of_one_namespace_says_nothing_of_another() -> None:
    cache = Cache()
    cache.put(MODEL, B, raw("b", 6))
    assert listing(cache, [], 9, "default") == set()
    assert list(cache.keys(MODEL)) == [B]


def test_what_was_made_after_the_listing_stays() -> None:
    cache = Cache()
    cache.expect_listing(MODEL)
    cache.put(MODEL, A, raw("a", 8))
    assert listing(cache, [], 7, None) == set()
    assert cache.one(MODEL, A, "a") is not None


def test_what_went_away_during_a_listing_is_not_brought_back_by_it() -> None:
    cache = Cache()
    cache.put(MODEL, A, raw("a", 5))
    cache.expect_listing(MODEL)
    cache.drop(MODEL, A, raw("a", 8))
    assert listing(cache, [(A, raw("a", 5))], 7, None) == set()
    assert list(cache.keys(MODEL)) == []


def test_a_late_word_of_a_deletion_does_not_take_the_namesake() -> None:
    cache = Cache()
    cache.put(VERSION, A, raw("a-v1", 20))
    cache.drop(VERSION, A, raw("a-v1", 15))
    assert len(cache.all(VERSION, A)) == 1


def test_a_listing_tells_only_what_changed() -> None:
    cache = Cache()
    cache.put(MODEL, A, raw("a", 5))
    cache.put(MODEL, B, raw("b", 6))
    assert listing(cache, [(A, raw("a", 5)), (B, raw("b", 9))], 9, None) == {B}


def test_an_object_too_deep_to_write_is_kept_without_its_depths() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = {"a": deep}
    cache = Cache()
    assert cache.put(MODEL, A, raw("a", 5, spec=deep))
    found: Any = cache.one(MODEL, A, "a")
    depth = 0
    while isinstance(found, dict):
        found, depth = found.get("spec", found.get("a")), depth + 1
    assert depth == nesting.LIMIT
