"""The prober's contract, against the real serving runtime with a trained model, and against the memory twin."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

import waiting
from sklearn_operator.backends import kserve, memory_kserve, ports
from sklearn_operator.core import observed
from sklearn_sandbox import paths

MODEL, VERSION = "flower", "flower-v1"
CONFIG: dict[str, Any] = {
    "formatVersion": 1, "namespace": "default", "model": MODEL, "version": VERSION, "number": 1, "attempt": 1,
    "runId": "0a1b2c3d-0000-5000-8000-000000000001", "trainingHash": "ab", "image": "trainer:1", "seed": 0,
    "trigger": {"type": "SpecChange", "key": "1"}, "data": {"source": {"builtin": "iris"}},
    "estimator": {"class": "sklearn.tree.DecisionTreeClassifier", "params": {}},
}  # fmt: skip


@dataclass
class Served:
    address: str
    golden: bytes


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/v2/models/{MODEL}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model trained by the real steps, answered for by the real runtime."""
    folder = tmp_path_factory.mktemp("artifact")
    python = str(paths.trainer_python())
    script = "import sys; from sklearn_steps import tasks; tasks.run_all(sys.argv[1])"
    config = json.dumps(CONFIG | {"artifactUri": f"file://{folder}/"})
    subprocess.run([python, "-c", script, config], check=True, timeout=300)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [python, "-m", "sklearn_runtime", f"--model_name={MODEL}", f"--model_dir={folder}"]
    environment = {"SKLEARN_POD_HOST": "127.0.0.1", "SKLEARN_MODEL_VERSION": VERSION}
    process = subprocess.Popen([*command, f"--http_port={port}"], env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        waiting.wait_for("the model to be ready", lambda: answers(address), 60)
        yield Served(address, (folder / "golden.json").read_bytes())
    finally:
        process.terminate()
        process.wait(30)


@pytest_asyncio.fixture(params=["memory", "runtime"])
async def prober(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[ports.Prober]:
    if request.param == "memory":
        document = json.loads(served.golden)
        known = dict(zip(map(tuple, document["rows"]), document["outputs"]["predict"], strict=True))
        twin = memory_kserve.MemoryProber()
        twin.served[served.address, MODEL] = (VERSION, lambda values: known.get(tuple(values)))
        yield twin
        return
    client = await kserve.probe_client()
    async with client:
        yield kserve.HttpProber(client)


async def check(prober: ports.Prober, served: Served, **changes: Any) -> str | None:
    said = await objection(prober, served, **changes)
    return said.text if said is not None else None


async def objection(prober: ports.Prober, served: Served, **changes: Any) -> observed.Objection | None:
    fields = {"address": served.address, "model": MODEL, "version": VERSION, "golden": served.golden} | changes
    return await prober.check(**fields)


async def test_the_version_that_answers_as_recorded_is_proved(prober: ports.Prober, served: Served) -> None:
    assert await check(prober, served) is None


async def test_another_version_is_not(prober: ports.Prober, served: Served) -> None:
    said = await objection(prober, served, version="flower-v2")
    assert said == observed.Objection("version flower-v1 answered instead of flower-v2", answered="flower-v1")


async def test_where_no_version_is_told_the_recorded_answer_is_enough(prober: ports.Prober, served: Served) -> None:
    assert await check(prober, served, version=None) is None


async def test_another_answer_is_not(prober: ports.Prober, served: Served) -> None:
    document = json.loads(served.golden)
    document["outputs"]["predict"] = [7 for _ in document["outputs"]["predict"]]
    said = await check(prober, served, golden=json.dumps(document).encode())
    assert said is not None and said.startswith("a recorded row is answered with [") and said.endswith("instead of [7]")


async def test_another_model_is_not(prober: ports.Prober, served: Served) -> None:
    assert await check(prober, served, model="tree") == f"{served.address}/v2/models/tree/infer answers 404"


async def test_silence_is_not(prober: ports.Prober, served: Served) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    said = await check(prober, served, address=address)
    assert said == f"no answer from {address}/v2/models/{MODEL}/infer: ConnectError"


async def test_requests_are_counted_by_version(prober: ports.Prober, served: Served) -> None:
    where: dict[str, str] = {"address": served.address, "model": MODEL}
    before = await prober.traffic(**where, version=VERSION)
    assert before is not None
    assert await check(prober, served) is None
    after = await prober.traffic(**where, version=VERSION)
    assert after is not None and after.requests == before.requests + 1
    assert (after.failed, after.refused) == (before.failed, before.refused)
    assert await prober.traffic(**where, version="flower-v2") == observed.Traffic()


async def test_a_refused_request_is_counted_as_that(served: Served) -> None:
    async with await kserve.probe_client() as client:
        real = kserve.HttpProber(client)
        before = await real.traffic(address=served.address, model=MODEL, version=VERSION)
        wrong = await client.post(f"{served.address}/v2/models/{MODEL}/infer", content=b'{"inputs": []}')
        after = await real.traffic(address=served.address, model=MODEL, version=VERSION)
    assert wrong.status_code == 400 and before is not None and after is not None
    assert (after.requests, after.refused, after.failed) == (before.requests + 1, before.refused + 1, before.failed)


async def test_who_is_silent_has_counted_nothing(prober: ports.Prober) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert await prober.traffic(address=address, model=MODEL, version=VERSION) is None


@pytest.mark.parametrize("golden", [b"", b"{}", b"[]", b'{"columns": [], "rows": [], "outputs": {"predict": []}}'])
async def test_rows_that_cannot_be_read_prove_nothing(prober: ports.Prober, served: Served, golden: bytes) -> None:
    assert "golden.json cannot be read" in str(await check(prober, served, golden=golden))
