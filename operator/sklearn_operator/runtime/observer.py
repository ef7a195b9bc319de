"""Looking: gathers everything that one decision rests on.

Invariant: what it returns is complete; nothing is fetched lazily while deciding. Errors of outside systems pass
through as they are, so that the reconciler can tell a person which system is in the way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sklearn_operator.backends import errors, kserve, kubernetes, objects, ports
from sklearn_operator.core import inquiry, naming, observed, outcomes, serving
from sklearn_operator.core.settings import Settings
from sklearn_operator.runtime.cache import DEPLOYMENT, MODEL, SERVICE, VERSION, Cache
from sklearn_operator.runtime.runs import Runs
from sklearn_steps import contract


@dataclass(frozen=True)
class Objects:
    """The Kubernetes side of one model, raw children included."""

    model: observed.Model
    versions: tuple[observed.Version, ...]
    service: observed.Json | None
    deployment: observed.Json | None


class Ledger:
    """What this process alone can know: versions it recorded and has not submitted, and when it last submitted.

    Losing it costs waiting, never a second run.
    """

    def __init__(self, started: datetime) -> None:
        self._started = started
        self.unsubmitted: set[tuple[str, int]] = set()
        self.submitted_at: dict[str, datetime] = {}
        self.proven: dict[observed.ModelKey, tuple[str, int, str]] = {}
        self.refusals: dict[observed.ModelKey, observed.Refusal] = {}
        self.progress: dict[observed.ModelKey, tuple[str, float, observed.Json]] = {}

    def last_sent(self, uid: str) -> datetime:
        """When this process last tried to submit; before it, somebody else may have, up to the moment it started."""
        return self.submitted_at.get(uid, self._started)

    def forget_model(self, key: observed.ModelKey) -> None:
        self.proven.pop(key, None)
        self.refusals.pop(key, None)
        self.progress.pop(key, None)

    def forget_version(self, uid: str) -> None:
        self.submitted_at.pop(uid, None)
        self.unsubmitted = {known for known in self.unsubmitted if known[0] != uid}


class Observer:
    def __init__(
        self,
        client: kubernetes.KubernetesClient,
        cache: Cache,
        runs: Runs,
        store: ports.ArtifactStore,
        prober: kserve.HttpProber,
        settings: Settings,
        ledger: Ledger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._clock = clock
        self._cache = cache
        self._runs = runs
        self._store = store
        self._prober = prober
        self._settings = settings
        self.ledger = ledger

    def cached(self, key: observed.ModelKey) -> Objects | None:
        """The last seen objects; None when there is no such model."""
        raw = self._cache.one(MODEL, key, key.name)
        if raw is None:
            return None
        versions = tuple(objects.version(item) for item in self._cache.all(VERSION, key))
        service = self._cache.one(SERVICE, key, key.name)
        deployment = self._cache.one(DEPLOYMENT, key, f"{key.name}-predictor")
        return Objects(objects.model(raw), versions, service, deployment)

    async def live(self, key: observed.ModelKey) -> Objects | None:
        """The objects as the API server has them now."""
        get, listing = self._client.get, self._client.list_objects
        labels = {naming.LABEL_MODEL: key.name}
        raw, versions, service, deployment = await asyncio.gather(
            get(kubernetes.MODELS, key.namespace, key.name),
            listing(kubernetes.VERSIONS, key.namespace, labels),
            get(kubernetes.INFERENCE_SERVICES, key.namespace, key.name),
            get(kubernetes.DEPLOYMENTS, key.namespace, f"{key.name}-predictor"),
        )
        if raw is None:
            return None
        return Objects(objects.model(raw), tuple(map(objects.version, versions)), service, deployment)

    def questions(self, seen: Objects) -> inquiry.Questions:
        proven = self._proven(seen)
        return inquiry.questions(seen.model, seen.versions, seen.service, seen.deployment, proven, self._settings)

    def settled(self, seen: Objects) -> observed.Observed:
        """The observation of a model about which nothing has to be asked."""
        proven = self._proven(seen)
        refusal = self.ledger.refusals.get(seen.model.key)
        return self._observed(seen, observed.Serving(seen.service, seen.deployment, proven=proven, refusal=refusal))

    async def observe(self, seen: Objects) -> observed.Observed:
        """Asks all questions about the model and returns the whole picture."""
        asked = self.questions(seen)
        attempts, cleanups, serving_seen = await asyncio.gather(
            self._attempts(seen.model, asked.runs),
            self._cleanups(seen.model, asked.cleanups),
            self._serving(seen, asked),
        )
        runs_left, objects_left = cleanups
        return self._observed(seen, serving_seen, attempts, runs_left, objects_left)

    def _observed(
        self,
        seen: Objects,
        serving_seen: observed.Serving,
        attempts: Mapping[str, observed.Attempt] | None = None,
        runs_left: Mapping[str, tuple[observed.Run, ...]] | None = None,
        objects_left: Mapping[str, int] | None = None,
    ) -> observed.Observed:
        return observed.Observed(
            model=seen.model,
            versions=seen.versions,
            attempts=attempts or {},
            serving=serving_seen,
            unsubmitted=frozenset(self.ledger.unsubmitted),
            submitted_at={version.name: self.ledger.last_sent(version.uid) for version in seen.versions},
            runs_left=runs_left or {},
            objects_left=objects_left or {},
        )

    async def _attempts(
        self, model: observed.Model, asked: tuple[inquiry.RunQuestion, ...]
    ) -> dict[str, observed.Attempt]:
        found = await asyncio.gather(*(self._attempt(model, question) for question in asked))
        return dict(zip((question.version for question in asked), found, strict=True))

    async def _attempt(self, model: observed.Model, question: inquiry.RunQuestion) -> observed.Attempt:
        namespace = model.key.namespace
        run = await self._runs.find(namespace, question.run_id, question.display_name)
        if run is not None and not run.state.terminal:
            troubles, failure, progress = await asyncio.gather(
                self._pod_troubles(namespace, {"pipeline/runid": run.id}),
                self._early(question, contract.FAILURE),
                self._progress(model.key, question),
            )
            return observed.Attempt(run, outcomes.judge(None, failure, question.run_id), troubles, progress)
        result, failure = await asyncio.gather(
            self._store.read(question.uri + contract.RESULT), self._store.read(question.uri + contract.FAILURE)
        )
        troubles = await self._pod_troubles(namespace, {"pipeline/runid": run.id}) if run and not result else ()
        return observed.Attempt(run, outcomes.judge(result, failure, question.run_id), troubles)

    async def _progress(self, key: observed.ModelKey, question: inquiry.RunQuestion) -> observed.Json | None:
        """How far a search is; looked up so seldom that its report costs at most one write in that time."""
        if not question.tuned:
            return None
        run_id, at, known = self.ledger.progress.get(key, ("", 0.0, None))
        if run_id == question.run_id and self._clock() - at < self._settings.progress_pause.total_seconds():
            return known
        found = outcomes.progress(await self._early(question, contract.PROGRESS), question.run_id)
        if found is not None:
            self.ledger.progress[key] = question.run_id, self._clock(), found
        return found

    async def _early(self, question: inquiry.RunQuestion, name: str) -> bytes | None:
        """A task that failed for good says so while the pipeline still means to try it again; a search tells its state.

        A store that cannot be reached is no trouble yet: nothing else is asked of it before the run has ended.
        """
        try:
            return await self._store.read(question.uri + name)
        except errors.Transient:
            return None

    async def _pod_troubles(self, namespace: str, labels: Mapping[str, str]) -> tuple[observed.PodTrouble, ...]:
        return objects.pod_troubles(await self._client.list_objects(kubernetes.PODS, namespace, labels))

    async def _cleanups(
        self, model: observed.Model, asked: tuple[inquiry.CleanupQuestion, ...]
    ) -> tuple[dict[str, tuple[observed.Run, ...]], dict[str, int]]:
        runs_left, objects_left = {}, {}
        for question in asked:
            found = [await self._runs.find(model.key.namespace, run.run_id, run.display_name) for run in question.runs]
            runs_left[question.version] = tuple(run for run in found if run is not None)
            objects_left[question.version] = await self._store.count(question.root) if question.objects else 0
        return runs_left, objects_left

    async def _serving(self, seen: Objects, asked: inquiry.Questions) -> observed.Serving:
        pods: list[dict[str, Any]] = []
        if asked.pods:
            labels = {"serving.kserve.io/inferenceservice": seen.model.key.name}
            pods = await self._client.list_objects(kubernetes.PODS, seen.model.key.namespace, labels)
        error = await self._probe(seen, asked.probe) if asked.probe else None
        return observed.Serving(
            service=seen.service,
            deployment=seen.deployment,
            ready_versions=objects.ready_versions(pods),
            troubles=objects.pod_troubles(pods),
            proven=self._proven(seen),
            probe_error=error,
            refusal=self.ledger.refusals.get(seen.model.key),
        )

    async def _probe(self, seen: Objects, question: inquiry.ProbeQuestion) -> str | None:
        try:
            golden = await self._store.read(question.uri + contract.GOLDEN)
        except errors.Transient as error:
            return kserve.unreachable(error)
        if golden is None:
            return f"{question.uri}{contract.GOLDEN} is missing"
        error_text = await self._prober.check(
            address=question.address, model=question.model, version=question.version, golden=golden
        )
        if error_text is None:
            self.ledger.proven[seen.model.key] = (*_deployment_identity(seen.deployment), question.version)
        return error_text

    def _proven(self, seen: Objects) -> str | None:
        """The version whose prediction was checked on this very Deployment, by this process or by the one before it."""
        rolled = serving.rolled_out(seen.service, seen.deployment)
        if rolled is None:
            return None
        identity = _deployment_identity(seen.deployment)
        known = self.ledger.proven.get(seen.model.key)
        if known is None and seen.model.status.get("servingVersion") == rolled:
            known = self.ledger.proven[seen.model.key] = (*identity, rolled)
        return rolled if known == (*identity, rolled) else None


def _deployment_identity(deployment: observed.Json | None) -> tuple[str, int]:
    metadata = (deployment or {}).get("metadata") or {}
    return str(metadata.get("uid")), int(metadata.get("generation") or 0)
