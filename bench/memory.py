"""A file of 1 GB against what a user would run instead: the most memory at any time, and copies on disk.

The file is Parquet with 20 columns of numbers that do not compress, in the sandbox's object store. Plain is
``pandas.read_parquet`` of a local copy, split and fit. Both are whole processes of the trainer's environment.

Invariant: memory is what the kernel counted for a process that has ended; nothing is sampled but the disk.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import obstore

from bench import figures
from bench import place as places
from sklearn_sandbox import embedded, paths, services, state
from sklearn_steps import contract

GOAL, COPIES_GOAL = 2.5, 1.0
BYTES, COLUMNS, CHUNK = 10**9, 20, 500_000

GENERATE = f"""
import sys
import numpy, pyarrow, pyarrow.parquet
rows, random = {BYTES // (COLUMNS * 8)}, numpy.random.default_rng(0)
names = [f"x{{place}}" for place in range({COLUMNS - 1})]
schema = pyarrow.schema([(name, pyarrow.float64()) for name in (*names, "y")])
with pyarrow.parquet.ParquetWriter(sys.argv[1], schema, use_dictionary=False) as writer:
    for start in range(0, rows, {CHUNK}):
        columns = random.normal(size=(len(names), min({CHUNK}, rows - start)))
        y = columns.sum(axis=0) + random.normal(size=columns.shape[1])
        writer.write_table(pyarrow.table([*columns, y], schema=schema))
"""
PLAIN = """
import sys
import pandas
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
table = pandas.read_parquet(sys.argv[1])
y = table.pop("y")
X, X_test, y, y_test = train_test_split(table, y, random_state=0)
print(Ridge().fit(X, y).score(X_test, y_test))
"""
STAGED = {
    "prepare": ("train-data", "test-data"),
    "train": ("train-data", "model"),
    "evaluate": ("model", "test-data", "evaluation"),
    "publish": ("model", "evaluation"),
}


def measure() -> Iterator[figures.Figure]:
    """One file, each way once: what is counted does not vary."""
    home = Path(tempfile.mkdtemp(prefix="sklearn-bench-"))
    try:
        with embedded.cluster(home, only={"minio"}) as cluster:
            yield from _measure(home, cluster.sandbox)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _measure(home: Path, sandbox: state.Sandbox) -> Iterator[figures.Figure]:
    file = home / "rows.parquet"
    _python(["-c", GENERATE, str(file)], {}, home)
    size = file.stat().st_size
    plain, _ = _python(["-c", PLAIN, str(file)], {}, home)
    with file.open("rb") as content:
        obstore.put(places.store(sandbox), "rows.parquet", content)
    file.unlink()
    part = f"memory: a Parquet file of {size / 1e9:.1f} GB, {COLUMNS} columns"
    yield figures.Figure(part, "plain pandas and fit", "MB", (plain,))
    fused, copied = _python(["-m", "sklearn_steps", "run-all", *_config(home)], _secrets(sandbox), home)
    yield _ratio(part, "Fused", fused, plain)
    yield figures.Figure(part, "  copies of the file on disk", "x", (copied / size,), COPIES_GOAL)
    peaks, copies = _staged(home, sandbox)
    for step, peak in peaks.items():
        yield _ratio(part, f"Staged: {step}", peak, plain)
    yield figures.Figure(part, "  copies of the file on disk", "x", (copies / size,), COPIES_GOAL)


def _ratio(part: str, what: str, peak: float, plain: float) -> figures.Figure:
    return figures.Figure(part, what, "x", (peak / plain,), GOAL, f"{peak:.0f} MB")


def _staged(home: Path, sandbox: state.Sandbox) -> tuple[dict[str, float], int]:
    """Artifacts between the tasks are in the object store, so what counts is what a task has beside them."""
    artifacts, peaks, most = home / "artifacts", {}, 0
    for step, names in STAGED.items():
        folders = [item for name in names for item in (f"--{name}", str(artifacts / name))]
        command = ["-m", "sklearn_steps", step, *_config(home), *folders]
        peaks[step], copied = _python(command, _secrets(sandbox), home)
        most = max(most, copied)
    return peaks, most


def _python(arguments: Sequence[str], environment: Mapping[str, str], home: Path) -> tuple[float, int]:
    """The most memory in MB, and the most bytes in its folder for temporary files."""
    scratch = home / "scratch"
    scratch.mkdir(exist_ok=True)
    surroundings = {**os.environ, "TMPDIR": str(scratch), **environment}
    with subprocess.Popen(
        [str(paths.trainer_python()), *arguments], env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process, _Watched(scratch) as watched:  # fmt: skip
        said = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise places.NotMeasured(f"memory: {said.decode(errors='replace').strip().splitlines()[-1:]}")
    return usage.ru_maxrss / 1000, watched.most


class _Watched:
    """``most``: the bytes that a folder had at any time, as often as one can look."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.most = 0

    def __enter__(self) -> _Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            self.most = max(self.most, _bytes(self._folder))


def _bytes(folder: Path) -> int:
    """Files and folders may go while they are counted."""
    return sum(_size(Path(place, name)) for place, _, names in os.walk(folder) for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _config(home: Path) -> list[str]:
    fields: dict[str, Any] = {"namespace": "default", "model": "m", "version": "m-v1", "number": 1, "runId": "bench"}
    fields |= {
        "data": {"source": {"uri": f"s3://{services.BUCKET}/rows.parquet"}, "target": "y"},
        "estimator": {"class": "sklearn.linear_model.Ridge"},
        "artifactUri": f"s3://{services.BUCKET}/{len(list(home.glob('config-*')))}/",
    }
    path = home / f"config-{len(list(home.glob('config-*')))}.json"
    path.write_text(json.dumps(fields))
    return ["--config", str(path)]


def _secrets(sandbox: state.Sandbox) -> dict[str, str]:
    values = (sandbox.access_key, sandbox.secret_key, sandbox.store_endpoint, services.REGION)
    return {contract.STORE_ENV_PREFIX + key: value for key, value in zip(contract.AWS_KEYS, values, strict=True)}
