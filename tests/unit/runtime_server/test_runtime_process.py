"""The real server process over loopback: what Kubernetes, KServe and a client see of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
import runtime_models
from sklearn.datasets import load_digits

from waiting import wait_for

DEADLINE = 60.0
HOST = "127.0.0.1"
PIXELS = load_digits().data


@dataclass
class Runtime:
    """A started server; the log is read until it says where it listens."""

    process: subprocess.Popen[str]
    host: str
    port: int
    log: queue.Queue[str]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The next log line that matches."""
        while True:
            line = self.log.get(timeout=DEADLINE)
            if found := re.search(pattern, line):
                return found

    def stopped(self) -> int:
        return self.process.wait(DEADLINE)


def command(directory: Path, *more: str) -> list[str]:
    arguments = [f"--model_name={directory.name}", f"--model_dir={directory}", "--http_port=0", *more]
    return [sys.executable, "-m", "sklearn_runtime", *arguments]


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SKLEARN_")}
    return kept | {"SKLEARN_POD_HOST": HOST, "SKLEARN_DRAIN_SECONDS": "0", "OMP_NUM_THREADS": "1"} | more


def copy_lines(stream: IO[str], lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)


@contextlib.contextmanager
def running(directory: Path, *more: str, **env: str) -> Iterator[Runtime]:
    process = subprocess.Popen(command(directory, *more), env=environment(**env), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=copy_lines, args=(process.stderr, lines))
    reader.start()
    runtime = Runtime(process, env.get("SKLEARN_POD_HOST", HOST), 0, lines)
    try:
        runtime.port = int(runtime.wait_for(r"serving on [\d.]+:(\d+)")[1])
        yield runtime
    finally:
        process.kill()
        process.wait(DEADLINE)
        reader.join(DEADLINE)
        process.stderr.close()


def pixels_request(*rows: int) -> dict[str, Any]:
    data = PIXELS[list(rows)].ravel().tolist()
    return {"inputs": [{"name": "pixels", "shape": [len(rows), 64], "datatype": "FP64", "data": data}]}


def test_predictions_metadata_and_metrics(published: dict[str, Path]) -> None:
    digest = json.loads((published["digits"] / "metadata.json").read_text())["sha256"]
    env = {"SKLEARN_MODEL_VERSION": "digits-v7", "SKLEARN_MODEL_SHA256": digest, "SKLEARN_POD_HOST": "127.88.3.7"}
    with running(published["digits"], **env) as runtime, httpx.Client(base_url=runtime.url) as client:
        answer = client.post("/v2/models/digits/infer", json=pixels_request(-1, 0)).json()
        assert (answer["model_version"], answer["outputs"][0]["data"]) == ("digits-v7", [8, 0])
        instances = PIXELS[[-1, 0]].tolist()
        assert client.post("/v1/models/digits:predict", json={"instances": instances}).json() == {"predictions": [8, 0]}
        refused = client.post("/v2/models/digits/infer", content=b"no")
        assert (refused.status_code, list(refused.json())) == (400, ["error"])
        assert client.get("/v2/models/digits").json()["versions"] == ["digits-v7"]
        text = client.get("/metrics").text
        assert 'sklearn_runtime_requests_total{code="200",model="digits",version="digits-v7"} 2.0' in text
        assert 'sklearn_runtime_requests_total{code="400",model="digits",version="digits-v7"} 1.0' in text
        assert "process_resident_memory_bytes" in text


def test_new_connections_do_not_wait_for_as_many_answers_to_a_busy_one(published: dict[str, Path]) -> None:
    """All come while the process stands still, so that it finds them at once."""
    content = json.dumps(pixels_request(0)).encode()
    path, headers = "/v2/models/digits/infer", {"Content-Type": "application/json"}
    with running(published["digits"]) as runtime, contextlib.ExitStack() as stack:
        busy, *others = (stack.enter_context(contextlib.closing(connected(runtime.port))) for _ in range(13))
        busy.request("POST", path, content, headers)
        busy.getresponse().read()
        runtime.process.send_signal(signal.SIGSTOP)
        for one in (busy, *others):
            one.request("POST", path, content, headers)
        runtime.process.send_signal(signal.SIGCONT)
        answers, waiting = 0, {one.sock for one in others}
        while waiting:
            assert busy.getresponse().read()
            answers += 1
            waiting -= set(select.select(waiting, (), (), 0)[0])
            busy.request("POST", path, content, headers)
        assert answers <= len(others) // 2


def test_a_table_model_needs_no_place_to_write(published: dict[str, Path]) -> None:
    table, _ = runtime_models.penguins()
    row = json.loads(table.head(1).to_json(orient="records"))
    nowhere = "/proc/nowhere"
    with running(published["penguins"], HOME=nowhere, TMPDIR=nowhere) as runtime:
        answer = httpx.post(f"{runtime.url}/v1/models/penguins:predict", json={"instances": row})
        assert answer.json()["predictions"][0] in ("Adelie", "Gentoo")


def test_a_probe_that_comes_early_waits_for_its_answer(published: dict[str, Path], tmp_path: Path) -> None:
    """The start is held up at a pipe in the place of metadata.json, so early is certain."""
    directory = Path(shutil.copytree(published["digits"], tmp_path / "digits"))
    metadata = directory / "metadata.json"
    content = metadata.read_bytes()
    metadata.unlink()
    os.mkfifo(metadata)
    with socket.create_server((HOST, 0)) as found:
        port = found.getsockname()[1]
    process = subprocess.Popen(command(directory, f"--http_port={port}"), env=environment(), stderr=subprocess.DEVNULL)
    try:
        connection = connected(port)
        connection.request("GET", "/v2/models/digits/ready")
        metadata.write_bytes(content)
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        process.kill()
        process.wait(DEADLINE)


def connected(port: int) -> http.client.HTTPConnection:
    """As soon as the socket listens."""

    def listening() -> http.client.HTTPConnection | None:
        connection = http.client.HTTPConnection(HOST, port, timeout=DEADLINE)
        with contextlib.suppress(ConnectionRefusedError):
            connection.connect()
            return connection
        return None

    return wait_for("a socket that listens", listening, DEADLINE, pause=0.02)


def failed(directory: Path, *more: str, **env: str) -> str:
    """The last line of a start that must fail."""
    done = subprocess.run(
        command(directory, *more), env=environment(**env), stderr=subprocess.PIPE, text=True, timeout=DEADLINE
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_a_failed_start_ends_with_one_line_that_says_why(published: dict[str, Path], tmp_path: Path) -> None:
    directory = Path(shutil.copytree(published["digits"], tmp_path / "digits"))
    assert failed(tmp_path / "gone").startswith("sklearn_runtime cannot serve gone: ")
    outputs = {"predict": [0, 3]}
    runtime_models.rewrite(directory / "golden.json", outputs=outputs)
    line = failed(directory, SKLEARN_MODEL_VERSION="digits-v7")
    assert line == "sklearn_runtime cannot serve digits-v7: golden.json row 1: predict gives 8 here, 3 at training"
    (directory / "model.joblib").write_bytes(b"broken")
    assert "model.joblib has 6 bytes, metadata.json says" in failed(directory)


def test_a_taken_port_is_named(published: dict[str, Path]) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on {HOST}:{port}" in failed(published["iris"], f"--http_port={port}")


@pytest.mark.parametrize("drain", ["0", "30"])
def test_a_request_in_flight_at_sigterm_is_answered(published: dict[str, Path], drain: str) -> None:
    with running(published["digits"], SKLEARN_DRAIN_SECONDS=drain) as runtime:
        body = json.dumps(pixels_request(-1)).encode()
        connection = http.client.HTTPConnection(runtime.host, runtime.port, timeout=DEADLINE)
        connection.putrequest("POST", "/v2/models/digits/infer")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:100])
        # An answer on another connection, asked for later, shows that the server has read the headers of the first.
        assert httpx.get(f"{runtime.url}/v2/health/ready").status_code == 200
        runtime.process.send_signal(signal.SIGTERM)
        until_draining(runtime) if drain != "0" else until_refused(runtime)
        connection.send(body[100:])
        answer = connection.getresponse()
        assert json.loads(answer.read())["outputs"][0]["data"] == [8]
        connection.close()
        if drain != "0":
            runtime.process.send_signal(signal.SIGTERM)  # the second one does not wait any longer
        assert runtime.stopped() == 0


def until_draining(runtime: Runtime) -> None:
    while httpx.get(f"{runtime.url}/v2/health/ready", timeout=DEADLINE).status_code == 200:
        pass


def until_refused(runtime: Runtime) -> None:
    while True:
        try:
            socket.create_connection((runtime.host, runtime.port), timeout=DEADLINE).close()
        except ConnectionError:
            return


def test_a_rolling_update_loses_no_request(published: dict[str, Path]) -> None:
    """Clients leave a draining server only when it says so, as a cluster takes a while to notice."""
    failures: list[str] = []
    answered: list[int] = []
    body = json.dumps(pixels_request(-1))

    def predict_until_told_to_leave(runtime: Runtime, keep: bool) -> None:
        connection = http.client.HTTPConnection(runtime.host, runtime.port, timeout=DEADLINE)
        while True:
            try:
                connection.request("POST", "/v2/models/digits/infer", body)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as exc:
                failures.append(repr(exc))
                return
            if answer.status != 200:
                failures.append(content.decode())
            answered.append(answer.status)
            if answer.headers["connection"] == "close":
                return
            if not keep:
                connection.close()

    with running(published["digits"], SKLEARN_DRAIN_SECONDS="3") as runtime:
        clients = [
            threading.Thread(target=predict_until_told_to_leave, args=(runtime, keep)) for keep in (True, True, False)
        ]
        for client in clients:
            client.start()
        while len(answered) < 30 and not failures:
            assert httpx.get(f"{runtime.url}/v2/health/ready").status_code == 200
        runtime.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(DEADLINE)
        assert runtime.stopped() == 0
    assert failures == []
    assert len(answered) >= 30


GRPC_CLIENT = """
import sys, grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb, grpc_predict_v2_pb2_grpc as rpc
service = rpc.GRPCInferenceServiceStub(grpc.insecure_channel(sys.argv[1]))
def ask(name, datatype, values, shape, **outputs):
    tensor = pb.ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=shape)
    tensor.contents.fp64_contents.extend(values)
    return service.ModelInfer(pb.ModelInferRequest(model_name="outliers", id="g1", inputs=[tensor]), timeout=30)
answer = ask("x", "FP64", [5.1, 3.5, 1.4, 0.2, 50, 50, 50, 50], [2, 4])
print(answer.id, answer.model_version, answer.outputs[0].name, *answer.outputs[0].contents.int64_contents)
print(service.ModelReady(pb.ModelReadyRequest(name="outliers")).ready)
try:
    ask("x", "FP64", [1.0], [1, 1])
except grpc.RpcError as error:
    print(error.code().name, error.details())
"""


def test_grpc_gives_the_same_answers_where_it_is_asked_for(published: dict[str, Path]) -> None:
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    more = ("--enable_grpc=true", f"--grpc_port={port}")
    with running(published["outliers"], *more) as runtime:
        rows = [[5.1, 3.5, 1.4, 0.2], [50.0] * 4]
        expected = httpx.post(f"{runtime.url}/v1/models/outliers:predict", json={"instances": rows}).json()
        client = [sys.executable, "-c", GRPC_CLIENT, f"{HOST}:{port}"]
        done = subprocess.run(client, capture_output=True, text=True, timeout=DEADLINE)
        lines = done.stdout.splitlines()
        assert lines[0] == f"g1 outliers-v1 predict {' '.join(map(str, expected['predictions']))}", done.stderr
        assert lines[1] == "True"
        assert lines[2].startswith("INVALID_ARGUMENT input 'x': 1 features, the model takes 4")
        assert 'code="400"' in httpx.get(f"{runtime.url}/metrics").text
        runtime.process.send_signal(signal.SIGTERM)
        assert runtime.stopped() == 0
