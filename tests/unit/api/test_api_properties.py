"""Whatever the input, the answer is a spec or InvalidSpec."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.api import shape
from unit.api import api_cases

FULL = api_cases.manifest("full")["spec"]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
words = st.sampled_from(["Random", "n", "1", "", "5m", "s3://b/k", "sklearn.svm.SVC", "a\x00b", "\ud800", "digits"])
values = st.recursive(
    scalars | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["class", "params", "name", "false", "min"]) | st.text(max_size=8), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if here:
        yield here
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(item, (*here, key))


PATHS = list(paths(FULL))


def check(raw: Any) -> None:
    try:
        spec = api.parse_spec(raw)
    except api.InvalidSpec as refusal:
        assert refusal.problems
        for problem in refusal.problems:
            assert problem.path.startswith("spec")
            assert problem.value and len(problem.value) <= 80
            assert problem.message
            str(problem).encode()
            assert str(problem).isprintable()
    else:
        again = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert api.parse_spec(again) == spec
        assert not shape.problems(again, "spec")


#: What YAML can say and JSON cannot, or only just.
odd = st.sampled_from([float("nan"), float("-inf"), 2**53, 2**63 - 1, 2**63, 2**64, 1e300, datetime.date(2026, 1, 1)])
keys = st.sampled_from([True, 1, None, "\ud800", "null", "a"])


@given(st.dictionaries(keys | st.text(max_size=3), values | odd | st.lists(odd, max_size=2), max_size=3))
def test_what_passes_at_a_glance_stands_the_search(raw: dict[Any, Any]) -> None:
    assert not (shape.passes_at_a_glance(raw) and shape.searched(raw, "spec"))


@pytest.mark.parametrize(("depth", "passes"), [(shape.DEPTH_LIMIT - 1, True), (shape.DEPTH_LIMIT, False)])
def test_the_glance_counts_brackets(depth: int, passes: bool) -> None:
    nested: Any = "x"
    for _ in range(depth):
        nested = {"a": nested}
    assert shape.passes_at_a_glance(nested) is passes
    assert bool(shape.searched(nested, "spec")) is not passes


@given(values)
def test_any_json(raw: Any) -> None:
    check(raw)


@given(st.dictionaries(st.sampled_from(sorted(FULL)), values, max_size=4))
def test_any_json_in_known_fields(raw: dict[str, Any]) -> None:
    check(raw)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(PATHS), values), min_size=1, max_size=3))
def test_a_good_manifest_with_something_else_in_a_few_places(edits: list[tuple[tuple[Any, ...], Any]]) -> None:
    raw = copy.deepcopy(FULL)
    for (*parents, last), value in edits:
        target = raw
        try:
            for parent in parents:
                target = target[parent]
            target[last] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier edit took the place away
    check(raw)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_what_fits_nowhere_is_reported_where_it_is(path: tuple[Any, ...]) -> None:
    """Each place of the full manifest in turn."""
    raw = copy.deepcopy(FULL)
    target: Any = raw
    for part in path[:-1]:
        target = target[part]
    free = path[-1] == "values" or {"params", "values"} & set(path[:-1])
    target[path[-1]] = [[{"no": "such"}]]
    if free:
        api.parse_spec(raw)
        return
    with pytest.raises(api.InvalidSpec) as refusal:
        api.parse_spec(raw)
    text = "spec" + "".join(f"[{part}]" if isinstance(part, int) or "." in part else f".{part}" for part in path)
    assert any(text.startswith(problem.path) or problem.path.startswith(text) for problem in refusal.value.problems)
