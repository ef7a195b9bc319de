"""Tables: what a column becomes, and what a model of a table is served with."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import steps_given as given

from sklearn_steps import contract, parts, prepare


def penguins(rows: int = 60) -> pd.DataFrame:
    """Text, a category, numbers of two widths, booleans, and gaps in the text."""
    place = np.arange(rows)
    frame = pd.DataFrame(
        {
            "island": [["Biscoe", "Dream", "Torgersen"][i % 3] for i in place],
            "sex": pd.Categorical([["female", "male"][i // 3 % 2] for i in place]),
            "bill": (40 + place % 7 * 0.5).astype("float32"),
            "mass": 3000 + place % 11 * 100,
            "tagged": place % 4 == 0,
            "species": [["Adelie", "Gentoo", "Chinstrap"][i % 3] for i in place],
        }
    )
    frame.loc[5, "island"] = None
    return frame


def written(frame: pd.DataFrame, path: Path) -> dict[str, Any]:
    """The frame as a file, and the data block that reads it."""
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    return {"source": {"uri": f"file://{path}"}, "target": "species"}


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_text_is_encoded_as_part_of_the_model(tmp_path: Path, suffix: str) -> None:
    data = written(penguins(), tmp_path / f"penguins{suffix}")
    result = given.run(given.config(tmp_path / "out", **data))
    assert result["metrics"]["accuracy"] > 0.8
    assert "one-hot encoded" in result["notes"][-1]
    assert "island, sex" in result["notes"][-1]
    model = joblib.load(tmp_path / "out" / contract.MODEL)
    row = pd.DataFrame([{"island": "Mars", "sex": "male", "bill": 40.0, "mass": 3000, "tagged": False}])
    assert model.predict(row)[0] in {"Adelie", "Gentoo", "Chinstrap"}
    metadata = json.loads((tmp_path / "out" / contract.METADATA).read_bytes())
    assert metadata["classes"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert [feature["name"] for feature in metadata["features"]] == ["island", "sex", "bill", "mass", "tagged"]
    assert metadata["features"][0]["dtype"] == "object"
    golden = json.loads((tmp_path / "out" / contract.GOLDEN).read_bytes())
    rows = pd.DataFrame(golden["rows"], columns=golden["columns"])
    assert model.predict(rows).tolist() == golden["outputs"]["predict"]


def test_numbers_alone_reach_the_estimator_as_they_are(tmp_path: Path) -> None:
    data = written(penguins(), tmp_path / "p.parquet") | {"features": {"exclude": ["island", "sex"]}}
    result = given.run(given.config(tmp_path / "out", **data))
    model = joblib.load(tmp_path / "out" / contract.MODEL)
    assert type(model).__name__ == "DecisionTreeClassifier"
    assert model.feature_names_in_.tolist() == ["bill", "mass", "tagged"]
    assert result["notes"] == []


def test_a_part_comes_back_as_it_was(tmp_path: Path) -> None:
    config = given.parsed(given.config(tmp_path, **written(penguins(), tmp_path / "p.parquet")))
    for part in prepare.prepare(config):
        parts.save(part, tmp_path / "part")
        again = parts.load(tmp_path / "part")
        pd.testing.assert_frame_equal(again.X, part.X)
        assert again.y.tolist() == part.y.tolist()
        assert again.about == part.about


def test_columns_become_numbers_or_text(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "gaps": pd.array([1, None, 3, 4], dtype="Int64"),
            "flags": pd.array([True, None, False, True], dtype="boolean"),
            "yes": [True, False, True, False],
            "level": pd.Categorical(["low", "high", "low", "high"]),
            "nothing": [None] * 4,
            "y": [0.5, 1.5, 2.5, 3.5],
        }
    )
    frame.to_parquet(tmp_path / "f.parquet")
    data = {"source": {"uri": f"file://{tmp_path}/f.parquet"}, "target": "y", "split": {"strategy": "None"}}
    estimator = "sklearn.ensemble.HistGradientBoostingRegressor"
    train, _ = prepare.prepare(given.parsed(given.config(tmp_path, estimator, **data)))
    found = {column.name: (column.dtype, column.categorical) for column in train.about.columns}
    assert found == {
        "gaps": ("float64", False),
        "flags": ("float64", False),
        "yes": ("bool", False),
        "level": ("object", True),
        "nothing": ("float64", False),
    }
    assert train.X["flags"].tolist()[0] == 1.0


def test_csv_options(tmp_path: Path) -> None:
    text = "1;x;?\n2;y;3\n3;x;4\n4;y;5\n"
    options = {"delimiter": ";", "header": False, "naValues": ["?"]}
    data = given.inline(text, target="1", csv=options, split={"strategy": "None"})
    estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
    train, _ = prepare.prepare(given.parsed(given.config(tmp_path, estimator, **data)))
    assert train.about.names == ["0", "2"]
    assert np.isnan(train.X["2"].iloc[0])


def test_a_config_map_arrives_in_the_environment(tmp_path: Path) -> None:
    text = penguins().to_csv(index=False)
    data = {"source": {"configMap": {"name": "c", "key": "p.csv"}}, "target": "species"}
    config = given.parsed(given.config(tmp_path, **data))
    train, _ = prepare.prepare(config, {"SKLEARN_DATA_INLINE": text})
    assert train.about.source == "ConfigMap c/p.csv"
    assert train.about.rows == 60


def test_gaps_are_welcome_where_the_estimator_says_so(tmp_path: Path) -> None:
    frame = penguins().astype({"bill": "float64"})
    frame.loc[::9, "bill"] = np.nan
    data = written(frame, tmp_path / "p.csv")
    estimator, params = "sklearn.ensemble.HistGradientBoostingClassifier", {"min_samples_leaf": 2}
    result = given.run(given.config(tmp_path / "out", estimator, params, **data))
    assert result["metrics"]["accuracy"] > 0.5


def test_several_targets(tmp_path: Path) -> None:
    frame = penguins().rename(columns={"species": "first"}).assign(second=np.arange(60) % 5)
    frame["first"] = np.arange(60) % 3 * 1.5
    data = written(frame, tmp_path / "p.csv") | {"target": ["first", "second"]}
    given.run(given.config(tmp_path / "out", "sklearn.linear_model.Ridge", **data))
    golden = json.loads((tmp_path / "out" / contract.GOLDEN).read_bytes())
    assert len(golden["outputs"]["predict"][0]) == 2


def test_the_profile_repeats_no_values_of_wide_text_columns(tmp_path: Path) -> None:
    frame = penguins().assign(email=[f"p{i}@example.org" for i in range(60)])
    given.run(given.config(tmp_path / "out", **written(frame, tmp_path / "p.csv")))
    text = (tmp_path / "out" / contract.SCHEMA).read_text() + (tmp_path / "out" / contract.CARD).read_text()
    assert "p3@example.org" not in text
    assert "Torgersen" in text


def test_a_gzip_behind_csv_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import gzip

    (tmp_path / "p.csv").write_bytes(gzip.compress(penguins().to_csv().encode()))
    data = {"source": {"uri": f"file://{tmp_path}/p.csv"}, "target": "species"}
    assert "looks like gzip" in given.failure(given.config(tmp_path / "out", **data), capsys)["message"]


def test_a_cut_off_parquet_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = io.BytesIO()
    penguins().to_parquet(whole)
    (tmp_path / "p.parquet").write_bytes(whole.getvalue()[:400])
    data = {"source": {"uri": f"file://{tmp_path}/p.parquet"}, "target": "species"}
    assert given.failure(given.config(tmp_path / "out", **data), capsys)["reason"] == "NotThatFormat"


def test_times_are_numbers_on_the_scale_of_the_others(tmp_path: Path) -> None:
    frame = penguins()[["tagged"]]
    frame["seen"] = pd.date_range("2024-01-01", periods=len(frame), freq="9h", tz="Europe/Zurich")
    frame["species"] = np.where(np.arange(len(frame)) < 30, "early", "late")
    for suffix in (".parquet", ".csv"):
        data = written(frame, tmp_path / f"p{suffix}")
        result = given.run(given.config(tmp_path / f"out{suffix}", "sklearn.svm.SVC", **data))
        assert result["metrics"]["accuracy"] > 0.9
        assert any("scaled to mean 0" in note for note in result["notes"])
        model = joblib.load(tmp_path / f"out{suffix}" / contract.MODEL)
        assert model[0].named_transformers_["times"].feature_names_in_.tolist() == ["seen"]
        golden = json.loads((tmp_path / f"out{suffix}" / contract.GOLDEN).read_bytes())
        rows = pd.DataFrame(golden["rows"], columns=golden["columns"])
        assert model.predict(rows).tolist() == golden["outputs"]["predict"]


def test_a_target_that_looks_like_dates_stays_a_label(tmp_path: Path) -> None:
    frame = penguins().drop(columns=["island", "sex"])
    frame["species"] = [["2024-01-01", "2024-02-01"][place % 2] for place in range(len(frame))]
    given.run(given.config(tmp_path / "out", **written(frame, tmp_path / "p.csv")))
    metadata = json.loads((tmp_path / "out" / contract.METADATA).read_bytes())
    assert metadata["classes"] == ["2024-01-01", "2024-02-01"]
