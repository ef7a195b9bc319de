"""What the suite needs of either side: the local server in a process of its own, and one word list for both."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

import waiting
from sklearn_operator.backends import errors, kfp, memory_kfp, ports
from sklearn_operator.core.observed import Run, RunState
from sklearn_sandbox import paths, processes
from sklearn_sandbox import state as state_marker

DATA = Path(__file__).parents[1] / "data" / "kfp"
PATIENCE = 30.0


def pipeline(name: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    documents = list(yaml.safe_load_all((DATA / f"{name}.yaml").read_text()))
    return documents[0], documents[1] if len(documents) > 1 else None


class Server:
    """``python -m sklearn_sandbox.kfp``, started, killed and started again on the same state."""

    def __init__(self, state: Path, *arguments: str, kubeconfig: str = "", ca: Path | None = None) -> None:
        """``ca``: whose certificate it shows, where it is told to show one."""
        self.state = state
        self.trusted = ssl.create_default_context(cafile=str(ca)) if ca is not None else None
        self._arguments = arguments
        self._environment = {**os.environ, "SKLEARN_TRAINER_PYTHON": str(paths.trainer_python())}
        self._environment["KUBECONFIG"] = kubeconfig
        self._environment[state_marker.MARKER] = str(state)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "sklearn_sandbox.kfp", "--state", str(self.state), "--port", "0"]
        self._process = subprocess.Popen(
            [*command, *self._arguments], stdout=subprocess.PIPE, text=True, env=self._environment
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().removeprefix("listening on ").strip()
        assert self.url.startswith("http"), "the server did not start"
        self.http = httpx.Client(base_url=self.url, timeout=10, trust_env=False, verify=self.trusted or True)

    def kill(self) -> None:
        self._process.kill()
        self._close()

    def stop(self) -> None:
        """Ends the server, which leaves its runs alone, and then the runs."""
        self._process.terminate()
        self._close()
        processes.kill(processes.marked(self.state))

    def _close(self) -> None:
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self.http.close()

    def fault(self, method: str, path_regex: str, action: str, times: int = 1, **more: Any) -> None:
        body = {"method": method, "path_regex": path_regex, "action": action, "times": times, **more}
        self.http.post("/sandbox/faults", json=body).raise_for_status()

    def requests(self, method: str, path: str) -> int:
        logged = self.http.get("/sandbox/log").json()["requests"]
        return sum(1 for one in logged if one["method"] == method and one["path"] == path)

    def forget_requests(self) -> None:
        self.http.delete("/sandbox/log")
        self.http.delete("/sandbox/faults")

    def executions(self, run_id: str) -> list[dict[str, Any]]:
        answer = self.http.get("/sandbox/executions", params={"run_id": run_id}).json()
        found: list[dict[str, Any]] = answer["executions"]
        return found

    def run(self, run_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get(f"/apis/v2beta1/runs/{run_id}").json()
        return answer


@dataclass
class Rig:
    """A backend and the power to see and break what is behind it."""

    backend: ports.PipelineBackend
    server: Server | None
    folder: Path
    namespace: str = field(default_factory=lambda: f"ns-{uuid.uuid4().hex[:8]}")

    async def submit(self, name: str = "saying", run_id: str | None = None, **changes: Any) -> Run:
        run_id = run_id or str(uuid.uuid4())
        document, platform = pipeline(name)
        given: dict[str, Any] = {
            "namespace": self.namespace,
            "run_id": run_id,
            "display_name": display_name(run_id),
            "description": "a test",
            "pipeline": document,
            "platform": platform,
            "parameters": {"path": str(self.gate(run_id))} if name in ("waiting", "limited", "secretive") else {},
            "service_account": None,
        }
        return await self.backend.submit(**{**given, **changes})

    def gate(self, run_id: str) -> Path:
        """A `waiting` run ends when this file appears."""
        return self.folder / f"{run_id}.gate"

    async def until(self, run_id: str, wanted: Callable[[Run | None], bool]) -> Run | None:
        seen: list[Run | None] = []

        async def as_wanted() -> bool:
            run = await self.backend.find_run(
                namespace=self.namespace, run_id=run_id, display_name=display_name(run_id)
            )
            seen[:] = [run]
            return wanted(run)

        try:
            await waiting.until("the wanted state", as_wanted, PATIENCE, pause=0.02)
        except AssertionError as late:
            raise AssertionError(f"the run is still {seen[0]}") from late
        return seen[0]

    async def ends(self, run_id: str, outcome: RunState) -> Run:
        """Waits for the end; in memory it is the suite that ends the run."""
        if isinstance(self.backend, memory_kfp.MemoryKfp):
            self.backend.move(run_id, outcome)
        run = await self.until(run_id, lambda run: run is not None and run.state.terminal)
        assert run is not None
        return run

    def executed(self, run_id: str) -> int:
        if isinstance(self.backend, memory_kfp.MemoryKfp):
            return self.backend.posts[run_id]
        assert self.server is not None
        return len(self.server.executions(run_id))

    def lose_the_answer(self) -> None:
        """The next submission reaches the server, its answer does not reach us."""
        if isinstance(self.backend, memory_kfp.MemoryKfp):
            self.backend.fail_next("submit", errors.Ambiguous("connection lost"), executed=True)
        else:
            assert self.server is not None
            self.server.fault("POST", "/runs$", "reset_after")

    def refuse(self, status: str) -> None:
        """The next submission is refused without being carried out."""
        if isinstance(self.backend, memory_kfp.MemoryKfp):
            self.backend.fail_next("submit", errors.Transient(status))
        else:
            assert self.server is not None
            self.server.fault("POST", "/runs$", status)


def display_name(run_id: str) -> str:
    return f"default.digits-v1-1-{run_id[:8]}"


def connected(server: Server, **options: Any) -> Any:
    return kfp.connect(server.url, **options)
