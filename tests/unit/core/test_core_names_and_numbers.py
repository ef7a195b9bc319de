"""Names follow from what they name; times and quantities read what Kubernetes writes."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator.api import fields
from sklearn_operator.core import naming, quantities, times
from unit.core import builders

label = st.from_regex("[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
uids = st.uuids().map(str)

# Names


@given(label, st.integers(1, 10**6), uids, st.integers(1, 10))
def test_derived_names_fit(model: str, number: int, uid: str, attempt: int) -> None:
    version = naming.version_name(model, number)
    assert len(version) <= 63 and re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", version)
    run = naming.run_id(uid, attempt)
    assert str(uuid.UUID(run)) == run
    assert naming.run_display_name("default", version, attempt, run).endswith(f"-{attempt}-{run[:8]}")


@given(label, uids, st.integers(1, 200), st.integers(1, 200), st.integers(1, 5), st.integers(1, 5))
def test_no_folder_is_inside_another(model: str, uid: str, one: int, two: int, first: int, second: int) -> None:
    """Version 1 and version 10, attempt 1 and attempt 2: a prefix never matches a neighbour."""
    here = naming.artifact_uri("s3://b/p/", "ns", model, one, uid, first)
    there = naming.artifact_uri("s3://b/p", "ns", model, two, uid, second)
    assert here.endswith("/") and "//" not in here.removeprefix("s3://")
    assert (here == there) == ((one, first) == (two, second))
    assert here == there or not there.startswith(here)
    assert here.startswith(naming.version_root("s3://b/p", "ns", model, one, uid))


segments = st.sampled_from(["production", "first", "second", "coffee", "v1", "v1-00000001", "model.joblib", ""])


@given(st.lists(segments, max_size=4), *[st.sampled_from(["first", "second", "production", "coffee"])] * 4)
def test_wherever_a_tenant_puts_its_artifacts_nothing_of_another_is_there(
    chosen: list[str], ours: str, our_model: str, theirs: str, their_model: str
) -> None:
    """The operator reads, counts and deletes below this prefix with its own key; ``chosen`` is ``artifacts.uri``."""
    uid, other = "00000001-0000-4000-8000-000000000000", "00000002-0000-4000-8000-000000000000"
    hypothesis.assume(ours != theirs)
    for store in ("s3://models", "s3://models/production"):
        file = f"{naming.artifact_uri(store, theirs, their_model, 1, other, 1)}model.joblib"
        root = naming.version_root("/".join(["s3://models", *chosen]), ours, our_model, 1, uid)
        assert not file.startswith((f"{root}/", f"{root}-a"))


@given(uids, st.integers(1, 9), st.integers(1, 9))
def test_a_run_has_one_id_for_ever(uid: str, one: int, two: int) -> None:
    assert naming.run_id(uid, one) == naming.run_id(uid, one)
    assert (naming.run_id(uid, one) == naming.run_id(uid, two)) == (one == two)


def test_the_id_never_changes_between_releases() -> None:
    """Runs of before an upgrade are found after it."""
    assert naming.run_id(builders.UID, 1) == "d189db11-8fd9-57a3-bb3a-72f05b872c2a"


def test_labels_of_children_are_ours_alone() -> None:
    assert naming.child_labels("digits") == {
        "app.kubernetes.io/managed-by": "sklearn-operator",
        "sklearn-operator.io/model": "digits",
    }


# Digests

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(documents)
def test_a_digest_is_that_of_the_content(value: Any) -> None:
    assert re.fullmatch("[0-9a-f]{64}", naming.digest(value))
    assert naming.digest(value) == naming.digest(json.loads(json.dumps(value)))


@given(st.dictionaries(st.text(max_size=5), documents, max_size=4))
def test_the_order_of_keys_does_not_count(value: dict[str, Any]) -> None:
    assert naming.digest(value) == naming.digest(dict(reversed(value.items())))


def test_numbers_are_one_as_they_are_to_the_api_server() -> None:
    assert naming.digest({"C": 1.0}) == naming.digest({"C": 1})
    assert naming.digest({"C": 1}) != naming.digest({"C": True})
    assert naming.digest({"C": 1}) != naming.digest({"C": "1"})
    with pytest.raises(ValueError):
        naming.digest({"C": float("nan")})


# Quantities


@pytest.mark.parametrize(
    "text, number",
    [("500m", "0.5"), ("2", "2"), (2, "2"), ("1Gi", 2**30), ("1.5G", "1.5e9"), ("1e3", "1000"), ("3E", "3e18"),
     ("1Ei", 2**60), ("100u", "1e-4"), ("5n", "5e-9"), ("2k", "2000"), ("0", "0")],
)  # fmt: skip
def test_quantities(text: str | int, number: str | int) -> None:
    assert quantities.parse(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "Gi", "1 Gi", "1gi", "one", "1Zi", "inf", "nan", "1GiB", "--1", "1mm", "1E1000000", "1e100", "-1", "١"]
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="such as 500m, 2 or 1Gi"):
        quantities.parse(text)


amounts = st.from_regex(fields.QUANTITY.expression, fullmatch=True) | st.text("0123456789.eEmKi+-", max_size=32)


@given(amounts | st.text(max_size=8))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    try:
        assert quantities.parse(text) >= 0
    except ValueError as error:
        assert "Kubernetes quantity" in str(error)


# Times


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))])))
def test_times_survive_the_way_out_and_back(moment: datetime) -> None:
    try:
        there = moment.astimezone(UTC)
    except OverflowError:
        return
    if there.year >= 1000:
        assert times.parse(times.text(moment)) == there.replace(microsecond=0)


@pytest.mark.parametrize("value", [None, "", "soon", 3, {}, "2026-13-01T00:00:00Z", "\x00"])
def test_what_is_no_time(value: object) -> None:
    assert times.parse(value) is None


@pytest.mark.parametrize("text", ["2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", "2026-01-01T12:00:00"])
def test_spellings_of_noon(text: str) -> None:
    assert times.parse(text) == builders.NOW


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    moment = times.parse(text)
    assert moment is None or moment.tzinfo is not None
