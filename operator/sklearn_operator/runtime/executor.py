"""Doing: the one interpreter of actions.

Invariant: every branch is idempotent by name or fenced by a resource version, so that dying before, during or after it
and starting over leads to the same place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from sklearn_operator.backends import errors, kubernetes, objects, ports
from sklearn_operator.core import actions, attempts, naming, observed, parameters, pipeline, training
from sklearn_operator.core.settings import Settings
from sklearn_operator.runtime.ledger import Ledger
from sklearn_operator.runtime.runs import Runs


@dataclass
class Pass:
    """One pass over one model; ``resource_version`` follows our own writes within the pass."""

    model: observed.Model
    versions: dict[str, observed.Version]
    resource_version: str


class Executor:
    def __init__(
        self,
        client: kubernetes.KubernetesClient,
        backend: ports.PipelineBackend,
        stores: ports.Stores,
        runs: Runs,
        settings: Settings,
        catalogue: parameters.Catalogue,
        base_pipelines: pipeline.BasePipelines,
        ledger: Ledger,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._backend = backend
        self._stores = stores
        self._runs = runs
        self._settings = settings
        self._catalogue = catalogue
        self._pipelines = base_pipelines
        self._ledger = ledger
        self._now = now

    async def execute(self, current: Pass, action: actions.Action) -> None:
        """Carries out one action; raises ``backends.errors`` when it cannot."""
        namespace = current.model.key.namespace
        match action:
            case actions.AddFinalizer():
                await self._edit_finalizers(current, add=True)
            case actions.RemoveFinalizer():
                await self._edit_finalizers(current, add=False)
            case actions.CreateVersion():
                await self._create_version(current.model, action)
            case actions.SubmitRun():
                await self._submit(current, current.versions[action.version])
            case actions.TerminateRun():
                await self._backend.terminate(action.run_id)
                self._runs.forget(namespace, action.run_id)
                self._ledger.ending_since[action.run_id] = self._now()
            case actions.DeleteRun():
                await self._backend.delete(action.run_id)
                self._runs.forget(namespace, action.run_id)
                self._ledger.ending_since.pop(action.run_id, None)
            case actions.ReportVersion():
                await self._report_version(current, current.versions[action.version], action.status)
            case actions.ApplyInferenceService():
                await self._apply_service(current.model.key, action)
            case actions.DeleteInferenceService():
                await self._client.delete(kubernetes.INFERENCE_SERVICES, namespace, action.name, uid=action.uid or None)
            case actions.DeleteArtifacts():
                await self._delete_artifacts(action)
            case actions.DeleteVersion():
                version = current.versions[action.name]
                await self._client.delete(kubernetes.VERSIONS, namespace, action.name, uid=version.uid)
            case actions.ReleaseVersion():
                await self._release(namespace, current.versions[action.name])
            case actions.Announce():
                # The name follows from what it tells: telling it again meets itself. A refusal holds up nothing.
                with contextlib.suppress(errors.Conflict, errors.Rejected):
                    body = objects.event(current.model, action, self._now())
                    await self._client.create(kubernetes.EVENTS, namespace, body)
            case _:
                assert_never(action)

    async def report(self, current: Pass, status: observed.Json) -> None:
        """Writes the model's status, fenced by the resource version that was decided on."""
        key = current.model.key
        identity = {"name": key.name, "namespace": key.namespace, "resourceVersion": current.resource_version}
        body = objects.with_status("SklearnModel", identity, status)
        await self._client.replace_status(kubernetes.MODELS, key.namespace, key.name, body)

    async def refuse(self, current: Pass, version: observed.Version, message: str) -> observed.Json:
        """Records that the pipeline server will not take the version's run; returns the record."""
        status = attempts.refused(version, message, self._now())
        await self._report_version(current, version, status)
        return status

    async def release_orphans(self, key: observed.ModelKey, uid: str | None) -> None:
        """Lets go of leaving versions whose model is gone; with it went the word on their artifacts, which stay.

        ``uid``: of the model that has the name now, if there is one.
        """
        left = await self._client.list_objects(kubernetes.VERSIONS, key.namespace, {naming.LABEL_MODEL: key.name})
        for raw in left:
            if "deletionTimestamp" in raw["metadata"] and not (uid and objects.owned_by(raw, uid)):
                await self._release(key.namespace, objects.version(raw))

    async def _delete_artifacts(self, action: actions.DeleteArtifacts) -> None:
        """What stays although it was deleted would be deleted for ever, as fast as we can."""
        store = await self._stores.of(action.place)
        await store.delete(action.uri)
        left = await store.count(action.uri)
        if left:
            raise errors.Transient(f"s3: {left} object(s) under {action.uri} are still there after they were deleted")

    async def _create_version(self, model: observed.Model, action: actions.CreateVersion) -> None:
        namespace = model.key.namespace
        try:
            body = objects.new_version(model, action)
            created = await self._client.create(kubernetes.VERSIONS, namespace, body)
        except errors.Conflict:
            found = await self._client.get(kubernetes.VERSIONS, namespace, action.name)
            if found is None or objects.owned_by(found, model.uid):
                raise
            if "deletionTimestamp" in found["metadata"]:
                raise errors.Transient(f"waiting for the former SklearnModelVersion {action.name} to go") from None
            text = f"SklearnModelVersion {action.name} exists and does not belong to this SklearnModel; delete it"
            raise errors.Rejected(text) from None
        self._ledger.unsubmitted.add((created["metadata"]["uid"], 1))

    async def _apply_service(self, key: observed.ModelKey, action: actions.ApplyInferenceService) -> None:
        try:
            await self._client.apply(
                kubernetes.INFERENCE_SERVICES, key.namespace, action.manifest, revision=action.revision
            )
        except errors.Rejected as refusal:
            self._ledger.refusals[key] = observed.Refusal(action.manifest, str(refusal))
            raise
        self._ledger.refusals.pop(key, None)

    async def _submit(self, current: Pass, version: observed.Version) -> None:
        key = current.model.key
        run_id = naming.run_id(version.uid, version.attempt)
        # From here on the run may exist: until the pause is over, its absence proves nothing.
        self._ledger.unsubmitted.discard((version.uid, version.attempt))
        self._ledger.submitted_at[version.uid] = self._now()
        try:
            run = await self._create_run(current, version, run_id)
        finally:
            # The pause counts from the unclear answer: until then the server may have been about to create the run.
            self._ledger.submitted_at[version.uid] = self._now()
        self._runs.put(key.namespace, run)

    async def _create_run(self, current: Pass, version: observed.Version, run_id: str) -> observed.Run:
        key, known = current.model.key, current.versions.values()
        config = training.run_config(current.model, version, self._settings, self._catalogue, known)
        rendered = pipeline.render(self._pipelines, version, self._settings, config)
        return await self._backend.submit(
            namespace=key.namespace,
            run_id=run_id,
            display_name=naming.run_display_name(key.namespace, version.name, version.attempt, run_id),
            description=f"{version.name}: {version.trigger_type}, training hash {version.training_hash[:12]}",
            pipeline=rendered.pipeline,
            platform=rendered.platform,
            parameters=training.parameters_of(version, config),
            service_account=rendered.service_account,
        )

    async def _report_version(self, current: Pass, version: observed.Version, status: observed.Json) -> None:
        namespace = current.model.key.namespace
        identity = {"name": version.name, "namespace": namespace, "resourceVersion": version.resource_version}
        body = objects.with_status("SklearnModelVersion", identity, status)
        await self._client.replace_status(kubernetes.VERSIONS, namespace, version.name, body)
        run: dict[str, Any] = status.get("run") or {}
        if run.get("state") == "SUBMITTING":
            self._ledger.unsubmitted.add((version.uid, int(run["attempt"])))

    async def _edit_finalizers(self, current: Pass, *, add: bool) -> None:
        key = current.model.key
        present = naming.FINALIZER in current.model.finalizers
        if present == add:
            return
        edit = objects.finalizer_edit(current.model.finalizers, add=add)
        guard = {"op": "test", "path": "/metadata/uid", "value": current.model.uid}
        try:
            written = await self._client.edit(kubernetes.MODELS, key.namespace, key.name, [guard, *edit])
        except errors.NotFound:
            return
        current.resource_version = written["metadata"]["resourceVersion"]

    async def _release(self, namespace: str, version: observed.Version) -> None:
        if naming.FINALIZER not in version.finalizers:
            return
        guard = {"op": "test", "path": "/metadata/uid", "value": version.uid}
        edit = [guard, *objects.finalizer_edit(version.finalizers, add=False)]
        with contextlib.suppress(errors.NotFound):
            await self._client.edit(kubernetes.VERSIONS, namespace, version.name, edit)
        self._ledger.forget_version(version.uid, (naming.run_id(version.uid, n) for n in range(1, version.attempt + 1)))
