"""The three servers of one published model, as processes: the project's own, KServe's stock one, and MLServer.

All get the same file, one process, one thread for arithmetic as in the serving pods, and no log line per request.
KServe's is its ``ModelServer`` around a model that does what its scikit-learn server does; MLServer has an environment
of its own, because it needs other versions than the trainer.

Invariant: a server runs only inside its block, and is gone when the block is left, however it is left.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench import place as places
from sklearn_sandbox import paths, state, wheels

OURS, KSERVE, MLSERVER = "sklearn_runtime", "KServe", "MLServer"
HOST, MODEL = "127.0.0.1", "iris"
PATIENCE, POLL = 60.0, 0.005

KSERVE_SCRIPT = f"""
import sys
import joblib, kserve
from kserve.utils import utils
class Iris(kserve.Model):
    def load(self):
        self.estimator = joblib.load(sys.argv[1])
        self.ready = True
        return self.ready
    def predict(self, payload, headers=None):
        rows = utils.get_predict_input(payload)
        return utils.get_predict_response(payload, self.estimator.predict(rows), self.name)
model = Iris("{MODEL}")
model.load()
http_port, grpc_port = map(int, sys.argv[2:])
kserve.ModelServer(http_port=http_port, grpc_port=grpc_port, enable_latency_logging=False).start([model])
"""


@dataclass(frozen=True)
class Server:
    """One that runs; ``ready``: the seconds from its start to its first answer that the model is ready."""

    name: str
    port: int
    ready: float
    process: psutil.Popen

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/v2/models/{MODEL}/infer"

    def rss(self) -> int:
        """Of the process and whatever it started."""
        return sum(p.memory_info().rss for p in (self.process, *self.process.children(recursive=True)))

    def cpu(self) -> float:
        """Seconds of processor time since its start."""
        times = [p.cpu_times() for p in (self.process, *self.process.children(recursive=True))]
        return sum(time.user + time.system for time in times)

    def predicted(self, body: bytes) -> list[Any]:
        """The labels, whatever shape the server gives them."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST", f"/v2/models/{MODEL}/infer", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        if answer.status != 200:
            raise places.NotMeasured(f"serving: {self.name} answers {answer.status}: {text[:200]!r}")
        labels: list[Any] = json.loads(text)["outputs"][0]["data"]
        return labels


@contextlib.contextmanager
def running(name: str, artifact: Path, home: Path) -> Iterator[Server]:
    """The server ``name`` with the published model in ``artifact``, once it is ready."""
    ports: list[int] = []
    for _ in range(3):
        ports.append(state.free_port(ports))
    command, environment = _started_by(name, artifact, home, ports)
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith(("SKLEARN_", "MLSERVER_"))}
    surroundings |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment}
    log = home / f"{name}.log"
    began = time.perf_counter()
    with log.open("wb") as said:
        process = psutil.Popen(command, env=surroundings, cwd=home, stdout=said, stderr=subprocess.STDOUT)
    try:
        _await_ready(name, process, ports[0], log)
        yield Server(name, ports[0], time.perf_counter() - began, process)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for left in (*process.children(recursive=True), process):
                left.kill()
        process.wait()


def mlserver() -> Path:
    """The folder of MLServer's environment's executables; made where it is missing."""
    pins = Path(__file__).with_name("mlserver.txt")
    digest = hashlib.sha256(pins.read_bytes() + str(_base_python()).encode()).hexdigest()[:16]
    environment = paths.cache_folder() / "bench" / f"mlserver-{digest}"
    complete = environment / "complete"
    if not complete.exists():
        uv = shutil.which("uv") or shutil.which("uv", path=str(paths.cache_folder() / "uv" / "bin"))
        if uv is None:
            raise places.NotMeasured("serving: no uv to install MLServer with; run `make setup` first")
        shutil.rmtree(environment, ignore_errors=True)
        _run([uv, "venv", "--quiet", "--python", str(_base_python()), str(environment)])
        python = str(environment / "bin" / "python")
        _run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--requirements", str(pins)])
        complete.touch()
    return environment / "bin"


def _started_by(name: str, artifact: Path, home: Path, ports: Sequence[int]) -> tuple[list[str], dict[str, str]]:
    trainer = str(paths.trainer_python())
    if name == OURS:
        arguments = [f"--model_name={MODEL}", f"--model_dir={artifact}", f"--http_port={ports[0]}"]
        return [trainer, "-m", "sklearn_runtime", *arguments], {"SKLEARN_POD_HOST": HOST}
    if name == KSERVE:
        return [trainer, "-c", KSERVE_SCRIPT, str(artifact / "model.joblib"), *map(str, ports[:2])], {}
    folder = home / "mlserver"
    folder.mkdir(exist_ok=True)
    settings = dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True))
    _write(folder / "settings.json", {"host": HOST, "parallel_workers": 0, "debug": False, **settings})
    model = {"name": MODEL, "implementation": "mlserver_sklearn.SKLearnModel"}
    _write(folder / "model-settings.json", {**model, "parameters": {"uri": str(artifact / "model.joblib")}})
    return [str(mlserver() / "mlserver"), "start", str(folder)], {}


def _await_ready(name: str, process: psutil.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise places.NotMeasured(f"serving: {name} does not become ready: {last}")
        time.sleep(POLL)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    with contextlib.closing(connection):
        try:
            connection.request("GET", f"/v2/models/{MODEL}/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _base_python() -> Path:
    """What the trainer's environment was made with, so that all three run on the same Python."""
    return paths.trainer_python().resolve()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=wheels.environment())
    if done.returncode:
        raise places.NotMeasured(f"serving: MLServer could not be installed: {done.stderr.strip()[-800:]}")


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document))
