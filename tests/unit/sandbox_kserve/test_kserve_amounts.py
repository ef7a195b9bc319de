"""Quantities as Go writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator.core import quantities
from sklearn_sandbox.kserve import amounts


@pytest.mark.parametrize(
    "written, kept",
    [
        ("1000m", "1"), (1, "1"), ("0.5", "500m"), ("1.5Gi", "1536Mi"), ("0.5Gi", "512Mi"), ("1024Mi", "1Gi"),
        ("1000Ki", "1000Ki"), ("0.5Ki", "512"), ("1e3", "1e3"), ("12e6", "12e6"), ("100000", "100k"), ("0", "0"),
        ("1500M", "1500M"), ("2000M", "2G"), ("123456789n", "123456789n"), ("1Gi", "1Gi"), ("200m", "200m"),
    ],
)  # fmt: skip
def test_as_go_writes_it(written: str | int, kept: str) -> None:
    assert amounts.canonical(written) == kept


@given(st.integers(0, 10**7), st.sampled_from(["n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"]))
def test_the_amount_stays_and_is_spelled_once(number: int, suffix: str) -> None:
    kept = amounts.canonical(f"{number}{suffix}")
    assert quantities.parse(kept) == quantities.parse(f"{number}{suffix}")
    assert amounts.canonical(kept) == kept
