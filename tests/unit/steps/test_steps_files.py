"""Many files, large files, and which of their bytes are read at all."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import steps_given as given
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from obstore.store import S3Store

from sklearn_steps import contract, csvfiles, errors, files, gathering, jsonlines, memory, prepare, reading, sources

PLACE = np.arange(20_000)
ROOMY = memory.Budget(1 << 40, "here")


def iris(rows: int = 40) -> pd.DataFrame:
    place = np.arange(rows)
    return pd.DataFrame({"a": place / 2, "b": [f"t{number % 3}" for number in place], "y": place % 2})


def written(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)


def read(folder: Path, limit: int = 1 << 40, **data: Any) -> pd.DataFrame:
    """Both parts in file order, with the target."""
    uri = f"file://{folder}/" if folder.is_dir() else f"file://{folder}"
    fields: dict[str, Any] = {"source": {"uri": uri}, "target": "y", "split": {"strategy": "None"}} | data
    part, _ = prepare.prepare(
        given.parsed(given.config(folder.parent / "out", **fields)), {contract.MEMORY_LIMIT_ENV: str(limit)}
    )
    return part.X.assign(y=part.y)


def refused(folder: Path, **data: Any) -> errors.StepError:
    with pytest.raises(errors.StepError) as found:
        read(folder, **data)
    return found.value


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_prefix_is_one_table_in_the_order_of_the_keys(suffix: str, tmp_path: Path) -> None:
    frame, folder = iris(), tmp_path / "data"
    for name, rows in {"B": slice(0, 10), "a/0": slice(10, 20), "a10": slice(20, 25), "a2": slice(25, 40)}.items():
        written(frame.iloc[rows], folder / f"{name}{suffix}")
    for name in ("_SUCCESS", ".hidden" + suffix, "_tmp/x" + suffix, ".git/config"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no data")
    pd.testing.assert_frame_equal(read(folder), frame, check_dtype=False)


def test_a_volume_is_read_as_any_folder(tmp_path: Path) -> None:
    mounted = tmp_path / "volume"
    (mounted / "a b").mkdir(parents=True)
    (mounted / "a b" / "rows.csv").write_text(CSV_OF_A_VOLUME)
    env = {contract.DATA_VOLUME_ENV: str(mounted)}
    one, all_of_them = ({"source": {"uri": uri}, "target": "y"} for uri in ("pvc://c/a b/rows.csv", "pvc://c/"))
    tables = [sources.fetch(given.parsed(given.config("s3://b/k/", **data)), env) for data in (one, all_of_them)]
    assert [len(table.frame) for table in tables if isinstance(table, sources.Table)] == [2, 2]
    assert tables[0].sha256 == hashlib.sha256(CSV_OF_A_VOLUME.encode()).hexdigest()
    assert sources.digest(given.parsed(given.config("s3://b/k/", **one)), env) == tables[0].sha256


CSV_OF_A_VOLUME = "a,y\n1,x\n2,z\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("gone.csv", "ObjectMissing"), ("out/secret.csv", "PathOutside"), ("../secret.csv", "PathOutside"),
     ("link.csv", "PathOutside"), ("", "LinkedFolder"), ("in/", "PathOutside")],
)  # fmt: skip
def test_nothing_outside_of_the_volume_is_read(path: str, reason: str, tmp_path: Path) -> None:
    mounted = tmp_path / "volume"
    mounted.mkdir()
    (tmp_path / "secret.csv").write_text(CSV_OF_A_VOLUME)
    (mounted / "out").symlink_to(tmp_path)
    (mounted / "link.csv").symlink_to(tmp_path / "secret.csv")
    (mounted / "in").mkdir()
    (mounted / "in" / "link.csv").symlink_to(tmp_path / "secret.csv")
    config = given.parsed(given.config("s3://b/k/", source={"uri": f"pvc://c/{path}"}, target="y"))
    with pytest.raises(errors.UserError) as refusal:
        sources.fetch(config, {contract.DATA_VOLUME_ENV: str(mounted)})
    assert refusal.value.reason == reason and f"pvc://c/{path}" in refusal.value.message


def test_without_a_volume_the_message_says_so() -> None:
    config = given.parsed(given.config("s3://b/k/", source={"uri": "pvc://c/rows.csv"}, target="y"))
    with pytest.raises(errors.UserError, match="no volume is mounted"):
        sources.fetch(config, {contract.DATA_VOLUME_ENV: "/nowhere/at/all"})


def test_the_hash_of_a_prefix_is_what_sha256sum_says(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name in ("b.csv", "a.csv"):
        written(iris(), folder / name)
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in ("a.csv", "b.csv")]
    result = given.run(given.config(tmp_path / "out", source={"uri": f"file://{folder}/"}, target="y"))
    assert result["lineage"]["dataSha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert result["lineage"]["rows"] == 80


def test_a_prefix_in_the_object_store(store: dict[str, str], tmp_path: Path) -> None:
    bucket = S3Store(
        store["bucket"], endpoint=store["AWS_ENDPOINT_URL"], region=store["AWS_REGION"],
        access_key_id=store["AWS_ACCESS_KEY_ID"], secret_access_key=store["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True}, virtual_hosted_style_request=False,
    )  # fmt: skip
    for number in range(3):
        content = iris().iloc[number * 10 : number * 10 + 10].to_csv(index=False).encode()
        obstore.put(bucket, f"in/data set/{number} é%20.csv", content)
    obstore.put(bucket, "in/data set/_SUCCESS", b"")
    obstore.put(bucket, "in/data setting/other.parquet", b"not below the prefix")
    source = {"uri": f"s3://{store['bucket']}/in/data set/"}
    result = given.run(given.config(tmp_path, source=source, target="y"))
    assert result["lineage"]["rows"] == 30


def test_files_that_do_not_fit_together(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    written(iris(), folder / "1.csv")
    written(iris()[["y", "b", "a"]], folder / "2.csv")
    assert len(read(folder)) == 80
    written(iris().rename(columns={"b": "c"}), folder / "3.csv")
    wrong = refused(folder)
    assert wrong.reason == "ColumnsDiffer"
    assert "data/3.csv: lacks b and has c besides, compared with 1.csv" in wrong.message
    written(iris(), folder / "3.parquet")
    wrong = refused(folder)
    assert (wrong.reason, "'1.csv' and '3.parquet'" in wrong.message) == ("SuffixesDiffer", True)
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").reason == "ObjectMissing"
    (tmp_path / "empty" / "_SUCCESS").touch()
    assert "1 hidden files and markers are not counted" in refused(tmp_path / "empty").message
    (tmp_path / "empty" / "a.csv").touch()
    assert refused(tmp_path / "empty").reason == "EmptyData"


def test_types_that_do_not_fit_together(tmp_path: Path) -> None:
    written(iris(), tmp_path / "data" / "1.parquet")
    written(iris().assign(a="text"), tmp_path / "data" / "2.parquet")
    wrong = refused(tmp_path / "data")
    assert wrong.reason == "ColumnsDiffer" and "different types" in wrong.message
    written(iris().assign(a=[*range(39), None]).astype({"a": "Int64"}), tmp_path / "data" / "2.parquet")
    assert read(tmp_path / "data")["a"].isna().sum() == 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    written(iris(), tmp_path / "data" / "1.csv")
    (tmp_path / "data" / "2.csv").write_bytes(b"PAR1....")
    wrong = refused(tmp_path / "data")
    assert wrong.reason == "NotThatFormat" and "data/2.csv" in wrong.message and "looks like Parquet" in wrong.message


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_table_over_the_limit_is_refused_with_the_limit(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"k{suffix}"
    written(pd.DataFrame({f"c{n}": np.arange(20_000.0) + n for n in range(12)}).assign(y=PLACE % 2), path)
    wrong = refused(path, limit=4 << 20)
    assert wrong.reason == "DataTooLarge" and wrong.permanent
    assert "a third of the task's memory limit (4.0 MiB)" in wrong.message
    assert "training.resources.limits.memory" in wrong.message
    few = {"features": {"include": ["c3", "c1"]}}
    assert list(read(path, limit=4 << 20, **few).columns) == ["c3", "c1", "y"]


def test_columns_that_nobody_needs_are_not_read(tmp_path: Path) -> None:
    wide = pd.DataFrame({f"c{n}": np.random.default_rng(n).random(50_000) for n in range(60)}).assign(y=1.0)
    wide.to_parquet(tmp_path / "k.parquet", index=False)
    found = files.Files((files.File("k.parquet", tmp_path / "k.parquet"),), "")
    data = given.parsed(given.config(tmp_path, target="y", source={"uri": "file:///k.parquet"})).data
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    frame = reading.table(found, data, ROOMY, lambda names: ["c7", "y"])
    used = tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before
    tracemalloc.stop()
    assert list(frame.columns) == ["c7", "y"]
    assert used < wide.memory_usage().sum() / 3


def test_the_limit_is_the_smallest_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "some").write_text("1000\n")
    groups = (tmp_path / "max", tmp_path / "none", tmp_path / "some")
    assert memory.budget("x", {}, groups).limit == 1000
    assert memory.budget("x", {contract.MEMORY_LIMIT_ENV: "500"}, groups).limit == 500
    assert memory.budget("x", {contract.MEMORY_LIMIT_ENV: "much"}, groups[:2]).limit > 1 << 26


# A column has the type that it has when everything is read at once.

CELLS = st.sampled_from(["", "1", "2", "-3", "1.5", "nan", "NA", "x", "True", "False", "1e3", "007", "inf", " 4", "é"])


@settings(max_examples=150, deadline=None)
@hypothesis_given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.integers(1, 5))
def test_csv_by_chunks_is_csv_at_once(tmp_path_factory: pytest.TempPathFactory, rows: Any, size: int) -> None:
    path = tmp_path_factory.getbasetemp() / "chunks.csv"
    path.write_text("k,a,b\n" + "".join(f"{n},{a},{b}\n" for n, (a, b) in enumerate(rows)))
    data = contract.Data(source=contract.DataSource(uri="s3://b/k.csv"))
    gathered = gathering.Gathered(ROOMY)
    for frame in csvfiles._frames(path, ["k", "a", "b"], data, size):
        gathered.add(frame)
    for name in gathered.undecided():
        gathered.replace(name, list(csvfiles.texts(path, name, data)))
    pd.testing.assert_frame_equal(gathered.table(), pd.read_csv(path, low_memory=False))


VALUES = st.sampled_from([None, 1, 2.5, True, "x", "é\u2028", 2**60, [1], {"a": 1}])
LINES = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, min_size=1), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@hypothesis_given(LINES, st.integers(1, 60))
def test_json_lines_by_chunks_are_json_lines_at_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "chunks.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8-sig")
    chunked = gathering.Gathered(ROOMY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonlines, "_CHUNK", size)
        keys = jsonlines.read(path, (), chunked)
    found, wanted = chunked.table(), pd.DataFrame(rows)
    assert keys == list(wanted.columns) == list(found.columns)
    for name in keys:
        for one, other in zip(found[name], wanted[name], strict=True):
            assert one == other or (pd.isna(one) and pd.isna(other))


@settings(max_examples=100, deadline=None)
@hypothesis_given(st.binary(max_size=200), st.sampled_from(["csv", "parquet", "jsonl"]))
def test_any_bytes_are_a_table_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    data = contract.Data(source=contract.DataSource(uri="s3://b/k"), format=kind)
    try:
        frame = reading.table(files.Files((files.File("k", path),), ""), data, ROOMY, list)
    except errors.UserError as wrong:
        assert wrong.reason in ("NotThatFormat", "EmptyData", "DuplicateColumn")
        return
    assert len(frame)


def test_parquet_is_what_pandas_makes_of_it(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", None, "c"] * 50,
            "kind": pd.Categorical(["x", "y", None] * 50),
            "whole": pd.array([1, None, 3] * 50, dtype="Int64"),
            "flag": [True, False, True] * 50,
            "when": pd.date_range("2026-01-01", periods=150),
            "small": np.arange(150, dtype="int8"),
        },
        index=pd.Index(range(1, 151), name="id"),
    )
    frame.to_parquet(tmp_path / "k.parquet", row_group_size=40)
    found = files.Files((files.File("k.parquet", tmp_path / "k.parquet"),), "")
    data = contract.Data(source=contract.DataSource(uri="s3://b/k.parquet"))
    wanted = pd.read_parquet(tmp_path / "k.parquet").reset_index(drop=True)
    pd.testing.assert_frame_equal(reading.table(found, data, ROOMY, list), wanted)
    nested = pa.table({"a": [[1], [2]], "a.b": [1, 2]})
    pq.write_table(nested, tmp_path / "k.parquet")
    assert list(reading.table(found, data, ROOMY, lambda names: ["a.b"]).columns) == ["a.b"]
