"""The contract of PipelineBackend, kept by the memory twin and by the adapter against the local server alike."""

from __future__ import annotations

import uuid

import pytest

from contract import kfp_rig
from sklearn_operator.backends import errors
from sklearn_operator.core.observed import RunState

Rig = kfp_rig.Rig


async def test_a_run_that_nobody_submitted_is_absent(rig: Rig) -> None:
    unknown = str(uuid.uuid4())
    assert await rig.backend.find_run(namespace=rig.namespace, run_id=unknown, display_name="x") is None
    assert await rig.backend.list_runs(namespace=rig.namespace, run_ids=[unknown]) == {}


async def test_ending_or_deleting_an_absent_run_is_done_at_once(rig: Rig) -> None:
    await rig.backend.terminate(str(uuid.uuid4()))
    await rig.backend.delete(str(uuid.uuid4()))


async def test_a_submitted_run_has_our_id_and_ends_well(rig: Rig) -> None:
    submitted = await rig.submit()
    assert submitted.state in (RunState.PENDING, RunState.RUNNING)
    assert submitted.created_at is not None
    assert submitted.finished_at is None
    ended = await rig.ends(submitted.id, RunState.SUCCEEDED)
    assert ended.state is RunState.SUCCEEDED
    assert ended.finished_at is not None
    assert ended.finished_at >= submitted.created_at


async def test_a_run_is_found_by_its_name_when_the_id_is_not_known(rig: Rig) -> None:
    """The way out where a server ignores the client's run id (undocumented, facts: server source 2.0.5 to 2.17)."""
    submitted = await rig.submit()
    found = await rig.backend.find_run(
        namespace=rig.namespace, run_id=str(uuid.uuid4()), display_name=kfp_rig.display_name(submitted.id)
    )
    assert found is not None
    assert found.id == submitted.id


async def test_a_name_counts_in_its_own_namespace_only(rig: Rig) -> None:
    submitted = await rig.submit()
    name = kfp_rig.display_name(submitted.id)
    assert await rig.backend.find_run(namespace="elsewhere", run_id=str(uuid.uuid4()), display_name=name) is None


async def test_submitting_again_returns_the_run_and_starts_nothing(rig: Rig) -> None:
    first = await rig.submit()
    again = await rig.submit(run_id=first.id)
    assert again.id == first.id
    assert rig.executed(first.id) == 1


async def test_a_failing_run_fails_without_saying_why(rig: Rig) -> None:
    """`error` of a run is only about conversion problems, never the failure (live server; run_server.go)."""
    submitted = await rig.submit("failing")
    ended = await rig.ends(submitted.id, RunState.FAILED)
    assert (ended.state, ended.error) == (RunState.FAILED, None)


async def test_a_terminated_run_ends_as_failed(rig: Rig) -> None:
    """Argo ends a shut-down Workflow in phase Failed, so CANCELED is never seen (server source, run state mapping)."""
    submitted = await rig.submit("waiting")
    await rig.backend.terminate(submitted.id)
    await rig.backend.terminate(submitted.id)
    ended = await rig.ends(submitted.id, RunState.FAILED)
    assert ended.state is RunState.FAILED
    await rig.backend.terminate(submitted.id)


async def test_terminating_an_ended_run_changes_nothing(rig: Rig) -> None:
    submitted = await rig.submit()
    await rig.ends(submitted.id, RunState.SUCCEEDED)
    await rig.backend.terminate(submitted.id)
    run = await rig.until(submitted.id, lambda run: True)
    assert run is not None
    assert run.state is RunState.SUCCEEDED


async def test_a_deleted_run_is_gone_whatever_it_was_doing(rig: Rig) -> None:
    submitted = await rig.submit("waiting")
    await rig.backend.delete(submitted.id)
    await rig.backend.delete(submitted.id)
    assert await rig.until(submitted.id, lambda run: True) is None


async def test_one_listing_tells_of_those_that_exist(rig: Rig) -> None:
    ids = [(await rig.submit("waiting")).id for _ in range(2)]
    unknown = str(uuid.uuid4())
    found = await rig.backend.list_runs(namespace=rig.namespace, run_ids=[*ids, unknown])
    assert found.keys() == set(ids)
    for run_id in ids:
        await rig.backend.delete(run_id)


async def test_a_lost_answer_is_ambiguous_and_the_run_is_found(rig: Rig) -> None:
    run_id = str(uuid.uuid4())
    rig.lose_the_answer()
    with pytest.raises(errors.Ambiguous):
        await rig.submit(run_id=run_id)
    assert await rig.until(run_id, lambda run: True) is not None
    assert (await rig.submit(run_id=run_id)).id == run_id
    assert rig.executed(run_id) == 1


async def test_missing_permission_is_transient_but_not_ambiguous(rig: Rig) -> None:
    run_id = str(uuid.uuid4())
    rig.refuse("403")
    with pytest.raises(errors.Transient) as caught:
        await rig.submit(run_id=run_id)
    assert not isinstance(caught.value, errors.Ambiguous)
    assert rig.executed(run_id) == 0
    assert (await rig.submit(run_id=run_id)).id == run_id


async def test_a_pipeline_of_another_schema_is_rejected(rig: Rig) -> None:
    """The server takes schema 2.1.0 alone (template/v2_template.go)."""
    document, _ = kfp_rig.pipeline("saying")
    with pytest.raises(errors.Rejected):
        await rig.submit(pipeline={**document, "schemaVersion": "3.0.0"})


async def test_a_missing_or_unknown_parameter_is_rejected(rig: Rig) -> None:
    """validatePipelineJobInputs, before anything starts."""
    run_id = str(uuid.uuid4())
    with pytest.raises(errors.Rejected, match="path"):
        await rig.submit("waiting", run_id=run_id, parameters={})
    with pytest.raises(errors.Rejected, match="colour"):
        await rig.submit(run_id=run_id, parameters={"colour": "red"})
    assert rig.executed(run_id) == 0


async def test_the_server_says_what_it_is(rig: Rig) -> None:
    assert (await rig.backend.healthy()).multi_user
