"""Of which kind a column is, and that training and serving read times as the same numbers."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import steps_given
from hypothesis import given
from hypothesis import strategies as st

from sklearn_runtime import errors, schema, tables
from sklearn_steps import errors as step_errors
from sklearn_steps import instants, kinds, recipe, selection

MOMENT = datetime(2024, 2, 29, 12, 30, 15, 250000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.Series([1, 2]), "number"),
        (pd.Series([1.5, None]), "number"),
        (pd.Series([None, None]), "number"),
        (pd.Series([1, None], dtype="Int64"), "number"),
        (pd.Series([Decimal("1.5"), None]), "number"),
        (pd.Series([True, False]), "boolean"),
        (pd.Series([True, None]), "boolean"),
        (pd.Series([True, None], dtype="boolean"), "boolean"),
        (pd.Series(["a", None]), "string"),
        (pd.Series(["a", None], dtype="string"), "string"),
        (pd.Series(["a", None], dtype="category"), "category"),
        (pd.Series(["2024-01-01", None], dtype="category"), "category"),
        (pd.Series([1, 2], dtype="category"), "category"),
        (pd.Series([MOMENT, None]), "datetime"),
        (pd.Series([MOMENT.replace(tzinfo=None), None]), "datetime"),
        (pd.Series([MOMENT, None]).dt.as_unit("ms"), "datetime"),
        (pd.Series([date(2024, 2, 29), None]), "datetime"),
        (pd.Series(["2024-02-29", None]), "datetime"),
        (pd.Series(["9999-12-31", "0001-01-01"]), "datetime"),
        (pd.Series(["2024-02-29", "2023-02-29"]), "string"),
        (pd.Series(["2024-02-29", "soon"]), "string"),
        (pd.Series(["29.02.2024", "01.03.2024"]), "string"),
        (pd.Series(["20240229"]), "string"),
        (pd.Series([timedelta(1), None]), "other"),
        (pd.Series([1 + 2j]), "other"),
        (pd.Series([[1], [2]]), "other"),
        (pd.Series([1, "a"]), "other"),
        (pd.Series([b"a"]), "other"),
    ],
    ids=str,
)
def test_every_column_has_a_kind(values: Any, kind: str) -> None:
    found, seconds = kinds.of(values)
    assert found == kind
    assert (seconds is not None) == (kind == "datetime")
    if seconds is not None:
        assert np.isnan(seconds).tolist() == values.isna().tolist()


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T12:30:15.25Z",
        "2024-02-29 12:30:15.250",
        "2024-02-29T13:30:15,250000+01:00",
        "2024-02-29T10:30:15.25-0200",
        "2024-02-29T12:30:15.250000999Z",
    ],
)
def test_one_moment_has_many_spellings(text: str) -> None:
    assert instants.seconds(text) == 1709209815.25 == MOMENT.timestamp()
    kind, found = kinds.of(pd.Series([text]))
    assert kind == "datetime" and found is not None and found.tolist() == [1709209815.25]


zones = st.none() | st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 30), timezones=zones)


@given(st.lists(moments | st.none(), min_size=1, max_size=5))
def test_serving_reads_the_text_of_a_time_as_training_does(found: list[datetime | None]) -> None:
    texts = [moment and moment.isoformat() for moment in found]
    if not any(texts):
        return
    frame = pd.read_csv(io.StringIO("n,t\n" + "".join(f"1,{text or ''}\n" for text in texts)))
    kind, trained = kinds.of(frame["t"])
    column = schema.Feature("t", "float64", schema.Kind.TIME)
    served = tables.of_columns({"t": texts}, schema.Schema((column,), True, False), "rows")
    assert kind == "datetime" and trained is not None
    np.testing.assert_array_equal(served[:, 0], trained)


@given(st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2250, 1, 1)))
def test_a_file_of_times_and_one_of_their_texts_are_the_same(moment: datetime) -> None:
    texts, times = pd.Series([moment.isoformat()]), pd.Series([moment]).dt.as_unit("us")
    np.testing.assert_array_equal(kinds.of(texts)[1], kinds.of(times)[1])
    np.testing.assert_array_equal(
        kinds.of(times)[1], kinds.of(times.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))[1]
    )


@given(st.text(max_size=12) | st.text("0123456789-T:Z+. ", max_size=25))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    column = schema.Feature("t", "float64", schema.Kind.TIME)
    try:
        tables.of_columns({"t": [text]}, schema.Schema((column,), True, False), "rows")
    except errors.RequestError as refused:
        assert "not a time such as" in str(refused)
    assert kinds.of(pd.Series([text, "x"]))[0] == "string"


names = st.text(max_size=3) | st.sampled_from(["a", "plan", "__reduce__", "../x"])
selects = st.lists(names, min_size=1, max_size=3).map(tuple) | st.builds(
    recipe.SelectKind, dtype=st.sampled_from(["number", "string", "category", "boolean", "datetime"])
)


@given(selects, st.dictionaries(names, st.sampled_from(["number", "string", "datetime", "other"]), max_size=4))
def test_any_selection_takes_columns_or_is_refused_by_name(select: Any, found: dict[str, str]) -> None:
    group = recipe.ColumnGroup(name="g", select=select, steps=(recipe.EstimatorSpec.model_validate({"class": "x"}),))
    steps = [{"name": "p", "columns": [group.model_dump(by_alias=True)]}, {"name": "m", "class": "y"}]
    config = steps_given.parsed(steps_given.declared("file:///nowhere/", steps))
    try:
        taken = selection.of_group(group, found, "here")
    except step_errors.UserError as refused:
        assert refused.reason in ("FeatureMissing", "NothingSelected") and "here.select" in refused.message
        return
    assert taken and set(taken) <= set(found)
    assert selection.needed(config, found) == [name for name in found if name in taken]
