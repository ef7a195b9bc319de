"""Passes over one model whose outside systems are the memory twins."""

from __future__ import annotations

import contextlib
import json
import logging
from datetime import timedelta

import pytest

from sklearn_operator.backends import errors, kubernetes, s3
from sklearn_operator.core import actions, places
from sklearn_operator.core.observed import RunState
from sklearn_operator.runtime.executor import Pass
from sklearn_operator.runtime.ledger import Ledger
from unit.runtime_room.rooms import KEY, NOW, SPEC, Room


class Sticky(s3.MemoryArtifactStore):
    """Says that it deleted, and did not."""

    async def delete(self, root: str) -> int:
        return await self.count(root)


async def trained(room: Room) -> None:
    await room.create()
    await room.settle()
    await room.succeed()


async def test_a_new_model_gets_one_version_and_one_run() -> None:
    room = Room()
    await room.create()
    await room.settle()
    assert room.names("sklearnmodelversions") == ["digits-v1"]
    assert list(room.kfp.posts.values()) == [1]
    assert room.condition("Valid")["status"] == "True"


async def test_a_new_process_with_an_empty_ledger_starts_no_second_run() -> None:
    room = Room()
    await room.create()
    await room.settle()
    again = Room(cluster=room.cluster, kfp=room.kfp, store=room.store)
    await again.settle()
    assert list(room.kfp.posts.values()) == [1]


async def test_a_bad_manifest_is_said_once() -> None:
    room = Room()
    await room.create({**SPEC, "model": {"estimator": {"class": "sklearn.svm.SVX"}}})
    await room.settle()
    assert room.condition("Valid")["status"] == "False"
    before = room.cluster.writes
    await room.reconciler.reconcile(KEY)
    assert room.cluster.writes == before


async def test_a_refused_service_is_shown_at_once_retried_quietly_and_healed_by_a_change() -> None:
    room = Room()
    await trained(room)
    room.cluster.refuse_apply = errors.Rejected("kubernetes: 422 minReplicas must be a number")
    with pytest.raises(errors.Rejected):
        await room.reconciler.reconcile(KEY)
    served, stalled = room.condition("Served"), room.condition("Stalled")
    assert (served["status"], served["reason"]) == ("False", "Refused")
    assert stalled["status"] == "True" and "minReplicas" in stalled["message"]
    before = room.cluster.writes
    for _ in range(3):
        with pytest.raises(errors.Rejected):
            await room.reconciler.reconcile(KEY)
    assert room.cluster.writes == before
    assert room.condition("Stalled")["status"] == "True"
    room.cluster.refuse_apply = None
    await room.settle()
    assert room.names("inferenceservices") == ["digits"]
    assert room.condition("Stalled")["status"] == "False"
    assert room.ledger.refusals == {}


async def test_a_refusal_counts_for_its_own_manifest_alone() -> None:
    room = Room()
    await trained(room)
    room.cluster.refuse_apply = errors.Rejected("kubernetes: 422 no")
    with pytest.raises(errors.Rejected):
        await room.reconciler.reconcile(KEY)
    room.cluster.refuse_apply = errors.Transient("kubernetes: 503")
    room.model["spec"] = {**SPEC, "serving": {"minReplicas": 2, "maxReplicas": 2}}
    for _ in range(2):
        with pytest.raises(errors.Transient):
            await room.reconciler.reconcile(KEY)
    assert room.condition("Stalled")["status"] == "False"


async def test_lasting_trouble_is_told_once_and_a_corrected_manifest_shows_in_it() -> None:
    room = Room()
    await room.create({**SPEC, "model": {"estimator": {"class": "sklearn.svm.SVX"}}})
    await room.settle()
    room.model["spec"] = SPEC
    await room.reconciler.reconcile(KEY)
    for count in range(4):
        room.kfp.fail_next("find_run", errors.Transient("kfp: cannot connect"))
        with pytest.raises(errors.Transient):
            await room.reconciler.reconcile(KEY)
        if count == 1:
            before = room.cluster.writes
    assert room.cluster.writes == before
    assert room.condition("Reconciling")["reason"] == "Retrying"
    assert room.condition("Valid")["status"] == "True"


async def test_one_line_for_each_failing_pass(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    await room.create()
    room.cluster.refuse_reads = errors.Transient("kubernetes: first line\nsecond line")
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.Transient):
        await room.reconciler.reconcile(KEY)
    assert [record.getMessage() for record in caplog.records] == ["kubernetes: first line second line"]


async def test_endless_conflicts_slow_down() -> None:
    room = Room()
    room.cluster.refuse_reads = errors.Conflict("somebody was faster")
    delays = [await room.reconciler.reconcile(KEY) for _ in range(9)]
    assert delays[0] == 0.05 and delays[-1] == 5.0
    assert delays == sorted(delay for delay in delays if delay is not None)


async def test_no_action_begins_while_the_process_ends() -> None:
    room = Room(stopping=True)
    await room.create()
    before = room.cluster.writes
    await room.reconciler.reconcile(KEY)
    assert room.cluster.writes == before


async def test_a_model_that_is_gone_leaves_nothing_in_the_ledger() -> None:
    room = Room()
    room.ledger.proven[KEY] = ("uid", 1, "digits-v1")
    assert await room.reconciler.reconcile(KEY) is None
    assert room.ledger.proven == {}


async def test_a_released_version_leaves_the_ledger() -> None:
    room = Room()
    room.ledger.unsubmitted |= {("one", 1), ("one", 2), ("two", 1)}
    room.ledger.ending_since |= {"run-of-one": NOW, "run-of-two": NOW}
    room.ledger.forget_version("one", ["run-of-one"])
    assert room.ledger.unsubmitted == {("two", 1)}
    assert room.ledger.ending_since == {"run-of-two": NOW}


async def test_actions_done_twice_lead_to_the_same_place() -> None:
    room = Room()
    await room.create()
    await room.settle()
    seen = await room.observer.live(KEY)
    assert seen is not None
    current = Pass(seen.model, {version.name: version for version in seen.versions}, seen.model.resource_version)
    run_id = next(iter(room.kfp.posts))
    again = [
        actions.AddFinalizer(),
        actions.SubmitRun("digits-v1", 1),
        actions.TerminateRun(run_id, "digits-v1"),
        actions.DeleteRun(run_id, "digits-v1"),
        actions.DeleteInferenceService("digits", ""),
        actions.DeleteArtifacts("digits-v1", "s3://models/x", places.Place("default", "s3://models")),
        actions.DeleteVersion("digits-v1"),
    ]
    for action in again:
        await room.executor.execute(current, action)
        before = dict(room.cluster.objects)
        await room.executor.execute(current, action)
        assert room.cluster.objects == before
    assert list(room.kfp.posts.values()) == [1]


async def test_what_the_api_server_has_decides_not_what_was_seen() -> None:
    room = Room()
    await room.create()
    await room.settle()
    for plural, kind in ((kubernetes.MODELS, "model"), (kubernetes.VERSIONS, "version")):
        for item in await room.cluster.list_objects(plural, KEY.namespace):
            room.cache.put(kind, KEY, item)
    await room.cluster.delete(kubernetes.MODELS, KEY.namespace, KEY.name)
    await room.reconciler.reconcile(KEY)
    assert "deletionTimestamp" in room.model["metadata"]


async def test_a_search_under_way_is_reported_at_most_every_five_seconds() -> None:
    room = Room()
    parameter = {"name": "C", "type": "Double", "min": 0.1, "max": 1.0}
    await room.create(SPEC | {"tuning": {"parameters": [parameter]}})
    await room.settle()
    run_id = next(iter(room.kfp.posts))
    uid = room.cluster.objects["sklearnmodelversions", KEY.namespace, "digits-v1"]["metadata"]["uid"]
    uri = f"s3://models/default/digits/v1-{uid[:8]}/progress.json"

    async def told(completed: int) -> int:
        progress = {"runId": run_id, "version": "digits-v1", "attempt": 1, "completed": completed, "failed": 0}
        progress |= {"total": 12, "bestScore": 0.5, "bestParams": {"C": 1.0}, "at": "2026-01-01T12:00:00Z"}
        room.store.objects[uri] = json.dumps(progress).encode()
        await room.reconciler.reconcile(KEY)
        return int(room.model["status"]["tuning"]["completed"])

    assert room.model["status"]["tuning"] == {"completed": 0, "failed": 0, "total": 12}
    assert await told(1) == 1
    before = room.cluster.writes
    room.seconds = 4.9
    assert await told(2) == 1
    assert room.cluster.writes == before
    room.seconds = 5.0
    assert await told(3) == 3
    assert room.cluster.writes == before + 1
    assert room.model["status"]["tuning"]["bestParams"] == {"C": 1.0}


def test_what_was_sent_before_this_process_began_counts_from_its_beginning() -> None:
    ledger = Ledger(NOW)
    assert ledger.last_sent("never-seen") == NOW
    ledger.submitted_at["seen"] = NOW + timedelta(seconds=5)
    assert ledger.last_sent("seen") == NOW + timedelta(seconds=5)


async def test_a_pipeline_server_that_is_down_does_not_keep_a_deleted_model_serving() -> None:
    room = Room()
    await trained(room)
    await room.settle()
    assert room.names("inferenceservices") == ["digits"]
    await room.cluster.delete(kubernetes.MODELS, KEY.namespace, KEY.name)
    room = Room(cluster=room.cluster, kfp=room.kfp, store=room.store)
    for _ in range(3):
        room.kfp.fail_next("find_run", errors.Transient("kfp: cannot connect"))
        with pytest.raises(errors.Transient):
            await room.reconciler.reconcile(KEY)
    assert room.names("inferenceservices") == []
    assert "kfp: cannot connect" in room.condition("Reconciling")["message"]
    before = room.cluster.writes
    room.kfp.fail_next("find_run", errors.Transient("kfp: cannot connect"))
    with pytest.raises(errors.Transient):
        await room.reconciler.reconcile(KEY)
    assert room.cluster.writes == before


async def test_a_version_of_somebody_else_is_not_counted_and_not_overwritten() -> None:
    room = Room()
    await room.create()
    labels = {"sklearn-operator.io/model": "digits"}
    body = {"metadata": {"name": "digits-v1", "labels": labels}, "spec": {"number": 1, "trainingHash": "x"}}
    await room.cluster.create(kubernetes.VERSIONS, KEY.namespace, body)
    with pytest.raises(errors.Rejected, match="digits-v1 exists and does not belong to this SklearnModel; delete it"):
        await room.reconciler.reconcile(KEY)
    assert "delete it" in room.condition("Reconciling")["message"]
    await room.cluster.delete(kubernetes.VERSIONS, KEY.namespace, "digits-v1")
    await room.settle()
    assert list(room.kfp.posts.values()) == [1]


async def test_the_versions_of_a_former_namesake_are_let_go() -> None:
    room = Room()
    await room.create()
    metadata = {
        "name": "digits-v7",
        "labels": {"sklearn-operator.io/model": "digits"},
        "ownerReferences": [{"uid": "of-another-life"}],
        "finalizers": ["sklearn-operator.io/cleanup"],
    }
    body = {"metadata": metadata, "spec": {"number": 7, "trainingHash": "x"}}
    await room.cluster.create(kubernetes.VERSIONS, KEY.namespace, body)
    await room.cluster.delete(kubernetes.VERSIONS, KEY.namespace, "digits-v7")
    await room.settle()
    assert room.names("sklearnmodelversions") == ["digits-v1"]


async def test_a_document_that_is_too_large_fails_its_version_and_nothing_else() -> None:
    room = Room()
    await room.create()
    await room.settle()
    uid = room.cluster.objects["sklearnmodelversions", KEY.namespace, "digits-v1"]["metadata"]["uid"]
    room.store.objects[f"s3://models/default/digits/v1-{uid[:8]}/result.json"] = b" " * (5 * 1024 * 1024)
    room.kfp.move(next(iter(room.kfp.posts)), RunState.SUCCEEDED)
    room = Room(cluster=room.cluster, kfp=room.kfp, store=room.store)
    await room.settle()
    assert "larger than" in room.condition("Trained")["message"]


async def test_artifacts_that_will_not_go_are_told_and_not_deleted_as_fast_as_we_can() -> None:
    room = Room()
    await trained(room)
    uid = room.cluster.objects["sklearnmodelversions", KEY.namespace, "digits-v1"]["metadata"]["uid"]
    room.kfp.move(next(iter(room.kfp.posts)), RunState.SUCCEEDED)
    room.store = Sticky()
    room.store.objects[f"s3://models/default/digits/v1-{uid[:8]}/model.joblib"] = b"x"
    room.__post_init__()
    await room.cluster.delete(kubernetes.MODELS, KEY.namespace, KEY.name)
    for _ in range(6):
        with contextlib.suppress(errors.Transient):
            await room.reconciler.reconcile(KEY)
    assert "still there" in room.condition("Reconciling")["message"]


async def test_a_settled_model_that_waits_for_its_slot_is_not_read_again_until_then() -> None:
    room = Room()
    spec = {name: part for name, part in SPEC.items() if name != "serving"}
    await room.create(spec | {"retraining": {"schedule": "0 3 * * *"}})
    await room.settle()
    await room.succeed()
    await room.settle()
    for plural, kind in ((kubernetes.MODELS, "model"), (kubernetes.VERSIONS, "version")):
        for item in await room.cluster.list_objects(plural, KEY.namespace):
            room.cache.put(kind, KEY, item)
    room.cluster.refuse_reads = errors.Transient("nobody may read")
    assert await room.reconciler.reconcile(KEY) == 15 * 3600.0
