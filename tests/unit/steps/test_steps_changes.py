"""What the data is like, and what is said when it is no longer like that."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import steps_given as given
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from sklearn_steps import changes, contract, prepare


def frame(rows: int = 80) -> pd.DataFrame:
    place = np.arange(rows)
    return pd.DataFrame(
        {
            "bill": 40 + place % 8 / 2,
            "mass": 3000 + place % 10,
            "island": [["Biscoe", "Dream"][number % 2] for number in place],
            "tagged": place % 3 == 0,
            "species": [["Adelie", "Gentoo"][number // 2 % 2] for number in place],
        }
    )


def trained(folder: Path, data: pd.DataFrame, previous: Path | None = None) -> dict[str, Any]:
    folder.mkdir()
    document = given.config(folder / "out", **given.inline(data.to_csv(index=False), target="species"))
    if previous is not None:
        document["previous"] = {"name": "m-v1", "artifactUri": f"file://{previous}/out/"}
    return given.run(document)


def notes(tmp_path: Path, data: pd.DataFrame) -> list[str]:
    trained(tmp_path / "one", frame())
    found = trained(tmp_path / "two", data, tmp_path / "one")["notes"]
    return [note for note in found if note.startswith("data: ")]


def test_the_schema_says_types_ranges_categories_and_gaps(tmp_path: Path) -> None:
    data = frame()
    data.loc[::5, "mass"] = None
    trained(tmp_path / "one", data)
    schema = json.loads((tmp_path / "one" / "out" / contract.SCHEMA).read_bytes())
    columns = {entry["name"]: entry for entry in schema["features"]}
    document = given.config("s3://b/k/", **given.inline(data.to_csv(index=False), target="species"))
    part, _ = prepare.prepare(given.parsed(document))
    assert columns["bill"]["kind"] == "number" and columns["bill"]["dtype"] == "float64"
    assert (columns["bill"]["min"], columns["bill"]["max"]) == (part.X["bill"].min(), part.X["bill"].max())
    assert columns["bill"]["quantiles"]["0.5"] == np.quantile(part.X["bill"], 0.5)
    assert columns["mass"]["missingShare"] == part.X["mass"].isna().mean() > 0
    assert columns["island"]["counts"] == part.X["island"].value_counts().to_dict()
    assert columns["tagged"]["kind"] == "boolean"
    assert columns["tagged"]["counts"]["true"] == part.X["tagged"].sum()
    assert schema["target"][0]["counts"].keys() == {"Adelie", "Gentoo"}


def test_categories_that_repeat_are_kept_and_names_are_not(tmp_path: Path) -> None:
    rows = 1200
    data = frame(rows).assign(
        town=[f"town{number % 50}" for number in range(rows)],
        who=[f"name{number % 90}x" * 20 for number in range(rows)],
    )
    trained(tmp_path / "one", data)
    schema = json.loads((tmp_path / "one" / "out" / contract.SCHEMA).read_bytes())
    columns = {entry["name"]: entry for entry in schema["features"]}
    assert len(columns["town"]["counts"]) == 50
    assert "counts" not in columns["who"] and columns["who"]["distinct"] == 90


def test_the_same_data_is_no_change(tmp_path: Path) -> None:
    assert notes(tmp_path, frame()) == []


CHANGED = [
    (frame().drop(columns="bill"), ["columns gone since m-v1: bill"]),
    (frame().assign(age=1.5, sex="f"), ["columns new since m-v1: age, sex"]),
    (frame().assign(bill="long"), ["column bill: is a category, in m-v1 it was a number"]),
    (frame().assign(island=["Mars", "Dream"] * 40), ["column island: texts that m-v1 did not have: 'Mars' ("]),
    (frame().assign(mass=frame()["mass"] / 1000), ["column mass: values down to 3 (95 % are above 3), in m-v1 the"]),
    (frame().assign(mass=[*range(3000, 3079), 9999]), ["column mass: values up to ", "in m-v1 the highest was 3009"]),
    (frame().assign(bill=[None, 41.0] * 40), ["column bill: ", "of the values are missing, in m-v1 0.0% were"]),
    (frame().assign(species=["Adelie", "Chinstrap"] * 40), ["column species: texts that m-v1 did not have: 'Chins"]),
    (frame().assign(island=[f"i{number}" for number in range(80)]), ["column island: has 60 different texts, in m-v1"]),
]


@pytest.mark.parametrize(("data", "words"), CHANGED, ids=[words[0][:30] for _, words in CHANGED])
def test_a_change_is_told(data: pd.DataFrame, words: list[str], tmp_path: Path) -> None:
    (told,) = notes(tmp_path, data)
    assert all(word in told for word in words), told


def test_many_changes_are_counted(tmp_path: Path) -> None:
    data = frame()
    for number in range(20):
        data[f"c{number}"] = np.arange(80)
    trained(tmp_path / "one", data)
    other = data.assign(**{f"c{number}": "x" for number in range(20)})
    found = trained(tmp_path / "two", other, tmp_path / "one")["notes"]
    assert [note for note in found if "more changes" in note] == ["data: 8 more changes since m-v1"]


BROKEN = [None, "", "[]", '{"features": 1}', '{"features": [{}], "target": []}', "[" * 100_000]


@pytest.mark.parametrize("content", BROKEN, ids=["absent", "empty", "list", "number", "nameless", "deep"])
def test_a_schema_that_cannot_be_read_is_told_and_no_reason_to_fail(content: str | None, tmp_path: Path) -> None:
    (tmp_path / "one" / "out").mkdir(parents=True)
    if content is not None:
        (tmp_path / "one" / "out" / contract.SCHEMA).write_text(content)
    found = trained(tmp_path / "two", frame(), tmp_path / "one")["notes"]
    (told,) = [note for note in found if note.startswith("data: ")]
    assert told.startswith("data: not compared with m-v1: it")


@functools.cache
def profile() -> list[dict[str, Any]]:
    data = given.inline(frame().to_csv(index=False), target="species")
    return prepare.prepare(given.parsed(given.config("s3://b/k/", **data)))[0].about.profile


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from(["kind", "missingShare", "counts", "min", "max", "quantiles", "distinct"])
ENTRY = st.dictionaries(KEYS, ANY | st.sampled_from(["number", "category", "boolean"]))


@settings(max_examples=200, deadline=None)
@hypothesis_given(st.fixed_dictionaries({"bill": ENTRY, "island": ENTRY, "tagged": ENTRY}))
def test_whatever_an_older_schema_says(before: dict[str, dict[str, Any]]) -> None:
    told = list(changes._compared(before, {entry["name"]: entry for entry in profile()}, "m-v1"))
    assert all(isinstance(text, str) for text in told)
