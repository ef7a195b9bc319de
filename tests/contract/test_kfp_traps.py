"""What the real API server does that nobody would expect: the local server does it too, and the client copes.

"live": seen on a running 2.17 server. "source": read in kubeflow/pipelines, backend/src/apiserver, same version.
"""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

import pytest

from contract import kfp_rig
from sklearn_operator.backends import errors, kfp
from sklearn_operator.core.observed import RunState

Rig, Server = kfp_rig.Rig, kfp_rig.Server
API = "/apis/v2beta1"


async def _posted(live: Rig) -> tuple[dict[str, Any], Server]:
    """The body of a run that exists, ready to be posted again."""
    assert live.server is not None
    run = live.server.run((await live.submit("waiting")).id)
    kept = ("run_id", "display_name", "experiment_id", "pipeline_version_reference", "runtime_config")
    return {name: run[name] for name in kept}, live.server


async def test_a_second_post_of_a_run_is_an_error_and_a_second_execution(live: Rig) -> None:
    """live: 500 "Duplicate entry" and a second Workflow with the same label; so a POST is never repeated."""
    body, server = await _posted(live)
    answer = server.http.post(f"{API}/runs", json=body)
    assert answer.status_code == 500
    assert answer.json()["code"] == 13
    assert "Duplicate entry" in answer.json()["message"]
    assert len(server.executions(body["run_id"])) == 2
    await live.backend.delete(body["run_id"])


async def test_terminating_twice_is_a_400(live: Rig) -> None:
    """live: state CANCELING, then 400 "Row not found" (run_store.go, TerminateRun)."""
    body, server = await _posted(live)
    path = f"{API}/runs/{body['run_id']}:terminate"
    assert server.http.post(path).status_code == 200
    second = server.http.post(path)
    assert (second.status_code, second.json()["code"]) == (400, 3)
    assert "Row not found" in second.json()["message"]


async def test_an_unfinished_run_finished_in_1970(live: Rig) -> None:
    """live and source: finished_at is epoch 0, unset fields are left out (EmitUnpopulated false)."""
    body, server = await _posted(live)
    run = server.run(body["run_id"])
    assert run["finished_at"] == "1970-01-01T00:00:00Z"
    assert not run.keys() & {"error", "recurring_run_id", "pipeline_spec"}
    await live.backend.delete(body["run_id"])


async def test_an_unknown_field_is_refused(server: Server) -> None:
    """source: DiscardUnknown false in common/utils.go; so newer fields must not be sent to older servers."""
    answer = server.http.post(f"{API}/experiments", json={"display_name": "x", "namespace": "y", "colour": "red"})
    assert answer.status_code == 400
    assert 'unknown field "colour"' in answer.json()["message"]


async def test_listing_without_a_scope_is_refused_in_multi_user_mode(server: Server) -> None:
    """source: run_server.go, canAccessRun."""
    assert server.http.get(f"{API}/runs").status_code == 400


async def test_pages_hold_at_most_200_and_their_token_carries_the_filter(server: Server) -> None:
    """source: list.go clamps silently, and refuses a token together with another filter."""
    namespace = f"ns-{uuid.uuid4().hex[:8]}"
    for number in range(3):
        body = {"display_name": f"e{number}", "namespace": namespace}
        server.http.post(f"{API}/experiments", json=body).raise_for_status()
    first = server.http.get(f"{API}/experiments", params={"namespace": namespace, "page_size": 2}).json()
    assert (len(first["experiments"]), first["total_size"]) == (2, 3)
    scope = {"namespace": namespace, "page_token": first["next_page_token"]}
    second = server.http.get(f"{API}/experiments", params=scope).json()
    assert len(second["experiments"]) == 1
    assert "next_page_token" not in second
    names = {one["display_name"] for one in first["experiments"] + second["experiments"]}
    assert names == {"e0", "e1", "e2"}
    other = {**scope, "filter": json.dumps({"predicates": []}), "sort_by": "display_name"}
    assert server.http.get(f"{API}/experiments", params=other).status_code == 400
    wide = server.http.get(f"{API}/experiments", params={"namespace": namespace, "page_size": 5000})
    assert wide.status_code == 200


async def test_a_filter_is_unescaped_twice(live: Rig) -> None:
    """source: parseAPIFilter calls url.QueryUnescape on what HTTP already unescaped: a plus becomes a space."""
    name = "a+b%20c"
    run = await live.submit(display_name=name)
    assert live.server is not None
    experiment = live.server.run(run.id)["experiment_id"]
    text = json.dumps({"predicates": [{"key": "display_name", "operation": "EQUALS", "string_value": name}]})
    once = live.server.http.get(f"{API}/runs", params={"experiment_id": experiment, "filter": text})
    assert once.json() == {}
    twice = {"experiment_id": experiment, "filter": urllib.parse.quote(text)}
    assert len(live.server.http.get(f"{API}/runs", params=twice).json()["runs"]) == 1
    found = await live.backend.find_run(namespace=live.namespace, run_id=str(uuid.uuid4()), display_name=name)
    assert found is not None


async def test_uploading_to_a_pipeline_that_is_gone_is_a_bare_400(live: Rig) -> None:
    """source: pipeline_upload_server.go; the same sentence as for a missing permission, and no code."""
    assert live.server is not None
    await live.submit()
    answer = live.server.http.post(
        f"{API}/pipelines/upload_version",
        params={"name": "v", "pipelineid": str(uuid.uuid4())},
        files={"uploadfile": ("pipeline.yaml", b"{}", "application/octet-stream")},
    )
    assert answer.status_code == 400
    assert answer.json()["error_message"] == "Failed to create a pipeline version"
    assert "code" not in answer.json()


async def test_places_that_were_deleted_are_made_again(live: Rig) -> None:
    """Ids are remembered; whoever cleans up the pipeline server must not stop training for good."""
    assert live.server is not None
    first = live.server.run((await live.submit()).id)
    pipeline = first["pipeline_version_reference"]["pipeline_id"]
    live.server.http.delete(f"{API}/pipelines/{pipeline}", params={"cascade": "true"}).raise_for_status()
    with pytest.raises(errors.Transient):
        await live.submit()
    second = live.server.run((await live.submit()).id)
    assert second["pipeline_version_reference"]["pipeline_id"] != pipeline
    live.server.http.delete(f"{API}/experiments/{first['experiment_id']}").raise_for_status()
    with pytest.raises(errors.Transient, match="somebody deleted it"):
        await live.submit()
    assert live.server.run((await live.submit()).id)["experiment_id"] != first["experiment_id"]


async def test_a_version_is_uploaded_once_for_the_same_content(live: Rig) -> None:
    assert live.server is not None
    runs = [live.server.run((await live.submit()).id) for _ in range(2)]
    async with kfp_rig.connected(live.server) as restarted:
        third = await Rig(restarted, live.server, live.folder, live.namespace).submit()
    references = {json.dumps(run["pipeline_version_reference"]) for run in [*runs, live.server.run(third.id)]}
    assert len(references) == 1
    assert live.server.requests("POST", f"{API}/pipelines/upload_version") == 1


@pytest.mark.parametrize("action", ["500", "500_after", "reset_before", "reset_after", "garbage_after"])
async def test_a_post_is_sent_once_whatever_comes_back(live: Rig, action: str) -> None:
    assert live.server is not None
    live.server.fault("POST", "/runs$", action, times=5)
    with pytest.raises(errors.Ambiguous):
        await live.submit("waiting")
    assert live.server.requests("POST", f"{API}/runs") == 1


async def test_a_lost_get_is_repeated(live: Rig) -> None:
    assert live.server is not None
    run = await live.submit()
    live.server.fault("GET", f"/runs/{run.id}$", "reset_before", times=2)
    found = await live.backend.find_run(namespace=live.namespace, run_id=run.id, display_name="x")
    assert found is not None


async def test_many_runs_cost_one_listing(live: Rig) -> None:
    assert live.server is not None
    ids = [(await live.submit("waiting")).id for _ in range(3)]
    live.server.forget_requests()
    assert len(await live.backend.list_runs(namespace=live.namespace, run_ids=ids)) == 3
    logged = live.server.http.get("/sandbox/log").json()["requests"]
    assert len(logged) == 1
    for run_id in ids:
        await live.backend.delete(run_id)


async def test_a_wrong_path_does_not_make_runs_absent(server: Server) -> None:
    """grpc-gateway answers an unknown path with the very code of an unknown run."""
    async with kfp.connect(f"{server.url}/apis") as backend:
        with pytest.raises(errors.Transient, match="check its URL"):
            await backend.find_run(namespace="n", run_id="r", display_name="d")
        with pytest.raises(errors.Transient):
            await backend.delete("r")


async def test_nothing_listening_is_transient_for_writes_too() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with kfp.connect(f"http://127.0.0.1:{taken.getsockname()[1]}") as backend:
            with pytest.raises(errors.Transient) as caught:
                await backend.terminate("r")
    assert not isinstance(caught.value, errors.Ambiguous)


async def test_standalone_keeps_namespaces_apart_by_the_experiments_name(tmp_path: Path) -> None:
    """source: ReplaceNamespace empties every namespace where MULTIUSER is not set."""
    server = Server(tmp_path, "--standalone", "kubeflow", "--no-spare")
    try:
        async with kfp_rig.connected(server) as backend:
            rig = Rig(backend, server, tmp_path)
            run = server.run((await rig.submit("waiting")).id)
            experiment = server.http.get(f"{API}/experiments/{run['experiment_id']}").json()
            assert experiment["display_name"] == f"sklearn-operator-{rig.namespace}"
            assert "namespace" not in experiment
            await backend.delete(run["run_id"])
    finally:
        server.stop()


async def test_macros_in_parameters_are_expanded(live: Rig) -> None:
    """source: parameter_formatter.go; nested lists such as [[1,2]] are left alone."""
    assert live.server is not None
    run = await live.submit(parameters={"text": 'id [[RunUUID]] list {"a": [[1, 2]]}'})
    await live.ends(run.id, RunState.SUCCEEDED)
    log = live.server.http.get(f"/apis/v1alpha1/runs/{run.id}/nodes/x/log").text
    assert f"id {run.id} list" in log
    assert "[[1, 2]]" in log


async def test_a_task_that_asks_for_the_run_gets_its_id(live: Rig) -> None:
    """source: backend/src/v2/driver/resolve.go; ``dsl.PIPELINE_JOB_ID_PLACEHOLDER`` as an argument of a task."""
    assert live.server is not None
    document, _ = kfp_rig.pipeline("saying")
    tasks = document["root"]["dag"]["tasks"]
    tasks["say-2"]["inputs"]["parameters"]["text"]["runtimeValue"]["constant"] = "{{$.pipeline_job_uuid}}"
    run = await live.submit(pipeline=document)
    await live.ends(run.id, RunState.SUCCEEDED)
    assert run.id in live.server.http.get(f"/apis/v1alpha1/runs/{run.id}/nodes/x/log").text.split()


async def test_parallel_first_submissions_meet_in_one_place(live: Rig) -> None:
    """409 of the unique names is a look-up, not an error."""
    assert live.server is not None
    runs = await asyncio.gather(*(live.submit() for _ in range(4)))
    experiments = {live.server.run(run.id)["experiment_id"] for run in runs}
    assert len(experiments) == 1
