"""How the local server executes runs: environment, time limits, ending, and its own restart."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

import waiting
from contract import kfp_rig
from sklearn_operator.core.observed import RunState
from sklearn_sandbox import processes

Rig, Server = kfp_rig.Rig, kfp_rig.Server


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server that may be killed."""
    server = Server(tmp_path / "state", "--no-spare")
    yield server
    server.stop()


@pytest.fixture
async def mortal(own: Server, tmp_path: Path) -> AsyncIterator[Rig]:
    async with kfp_rig.connected(own) as backend:
        yield Rig(backend, own, tmp_path)


async def _running(rig: Rig) -> tuple[str, int]:
    """A `waiting` run whose task has begun, and its process."""
    assert rig.server is not None
    run_id = (await rig.submit("waiting")).id
    server = rig.server

    async def begun() -> bool:
        return bool(server.run(run_id).get("run_details"))

    await waiting.until("the task's begin", begun, kfp_rig.PATIENCE, pause=0.02)
    return run_id, int(rig.server.executions(run_id)[0]["pid"])


async def _again(rig: Rig) -> AsyncIterator[Rig]:
    assert rig.server is not None
    rig.server.start()
    async with kfp_rig.connected(rig.server) as backend:
        yield Rig(backend, rig.server, rig.folder, rig.namespace)


async def test_a_run_outlives_the_server(mortal: Rig) -> None:
    assert mortal.server is not None
    run_id, pid = await _running(mortal)
    mortal.server.kill()
    async for rig in _again(mortal):
        assert psutil.pid_exists(pid)
        run = await rig.until(run_id, lambda run: run is not None)
        assert run is not None
        assert run.state is RunState.RUNNING
        rig.gate(run_id).touch()
        assert (await rig.ends(run_id, RunState.SUCCEEDED)).state is RunState.SUCCEEDED


async def test_a_run_that_died_with_the_server_has_failed(mortal: Rig) -> None:
    assert mortal.server is not None
    run_id, pid = await _running(mortal)
    mortal.server.kill()
    os.killpg(pid, 9)
    async for rig in _again(mortal):
        assert (await rig.ends(run_id, RunState.FAILED)).state is RunState.FAILED


async def test_a_run_that_ended_while_the_server_was_away_has_its_result(mortal: Rig) -> None:
    assert mortal.server is not None
    run_id, pid = await _running(mortal)
    mortal.server.kill()
    mortal.gate(run_id).touch()
    psutil.wait_procs([psutil.Process(pid)], kfp_rig.PATIENCE)
    async for rig in _again(mortal):
        assert (await rig.ends(run_id, RunState.SUCCEEDED)).state is RunState.SUCCEEDED


@pytest.mark.parametrize("ending", ["terminate", "delete"])
async def test_an_ending_that_a_killed_server_began_is_finished_by_the_next(mortal: Rig, ending: str) -> None:
    assert mortal.server is not None
    run_id, pid = await _running(mortal)
    await getattr(mortal.backend, ending)(run_id)
    mortal.server.kill()
    async for rig in _again(mortal):
        await rig.until(run_id, lambda run: run is None or run.state is RunState.FAILED)
        with contextlib.suppress(psutil.NoSuchProcess):
            assert processes.wait_gone([psutil.Process(pid)], kfp_rig.PATIENCE)


async def test_terminating_ends_every_process_of_the_run(live: Rig) -> None:
    run_id, pid = await _running(live)
    family = psutil.Process(pid).children(recursive=True)
    assert family
    await live.backend.terminate(run_id)
    assert (await live.ends(run_id, RunState.FAILED)).finished_at is not None
    assert processes.wait_gone(family, 5)


async def test_a_task_over_its_deadline_fails_the_run(live: Rig) -> None:
    """kubernetes.set_timeout becomes the pod's activeDeadlineSeconds."""
    run = await live.submit("limited")
    assert (await live.ends(run.id, RunState.FAILED)).state is RunState.FAILED
    assert live.server is not None
    log = live.server.http.get(f"/apis/v1alpha1/runs/{run.id}/nodes/x/log").text
    assert "longer than the specified deadline" in log


async def test_tasks_show_state_and_times_but_no_outputs(live: Rig) -> None:
    """source: toApiPipelineTaskDetail; outputs have been empty since 2023 (kubeflow/pipelines#9858)."""
    assert live.server is not None
    run = await live.submit()
    await live.ends(run.id, RunState.SUCCEEDED)
    tasks = live.server.run(run.id)["run_details"]["task_details"]
    assert [(task["display_name"], task["state"]) for task in tasks] == [("say", "SUCCEEDED"), ("say-2", "SUCCEEDED")]
    assert not any(task.keys() & {"outputs", "inputs", "pod_name", "error"} for task in tasks)


async def test_a_run_of_a_foreign_image_waits(live: Rig) -> None:
    run = await live.submit("foreign")
    await live.until(run.id, lambda run: run is not None and run.state is RunState.RUNNING)
    await live.backend.terminate(run.id)
    assert (await live.ends(run.id, RunState.FAILED)).state is RunState.FAILED


async def test_a_task_sees_nothing_of_the_servers_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for tasks")
    server = Server(tmp_path / "state", "--no-spare")
    try:
        async with kfp_rig.connected(server) as backend:
            rig = Rig(backend, server, tmp_path)
            document, _ = kfp_rig.pipeline("secretive")
            seen = tmp_path / "environment.json"
            run = await rig.submit(run_id=str(uuid.uuid4()), pipeline=document, parameters={"path": str(seen)})
            await rig.ends(run.id, RunState.SUCCEEDED)
    finally:
        server.stop()
    environment = json.loads(seen.read_text())
    assert environment["PLAIN"] == "value"
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert Path(environment["TMPDIR"]).is_relative_to(tmp_path / "state")


async def test_the_page_shows_runs_and_logs(live: Rig) -> None:
    assert live.server is not None
    run = await live.submit()
    await live.ends(run.id, RunState.SUCCEEDED)
    assert run.name in live.server.http.get("/").text
    assert "again" in live.server.http.get(f"/files/{run.id}/run.log").text
    assert live.server.http.get(f"/files/{run.id}/../../state.db").status_code == 404
