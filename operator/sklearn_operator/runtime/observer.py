"""Looking: gathers everything that one decision rests on.

Invariant: what it returns is complete, and says what of it is missing; nothing is fetched lazily while deciding. Errors
of outside systems come along as they are, so that the reconciler can tell a person which system is in the way.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import orjson

from sklearn_operator.backends import errors, kserve, kubernetes, objects, ports
from sklearn_operator.core import inquiry, naming, observed, outcomes, serving
from sklearn_operator.core.settings import Settings
from sklearn_operator.runtime.cache import DEPLOYMENT, MODEL, SERVICE, VERSION, Cache
from sklearn_operator.runtime.ledger import Ledger
from sklearn_operator.runtime.runs import Runs
from sklearn_steps import contract

T = TypeVar("T")
_SERVICE_LABEL = "serving.kserve.io/inferenceservice"


@dataclass(frozen=True)
class Objects:
    """The Kubernetes side of one model, raw children included.

    ``deployment``, ``canary``: of the stable predictor and of the candidate's. ``orphans``: a leaving version of a
    former namesake.
    """

    model: observed.Model
    versions: tuple[observed.Version, ...]
    service: observed.Json | None
    deployment: observed.Json | None
    canary: observed.Json | None = None
    orphans: bool = False


@dataclass(frozen=True)
class _Remains:
    """What is left of a leaving version."""

    runs: tuple[observed.Run, ...]
    pods: tuple[str, ...]
    objects: int


class Observer:
    def __init__(
        self,
        client: kubernetes.KubernetesClient,
        cache: Cache,
        runs: Runs,
        stores: ports.Stores,
        prober: ports.Prober,
        settings: Settings,
        ledger: Ledger,
        clock: Callable[[], float] = time.monotonic,
        reached: Callable[[str], str] = str,
    ) -> None:
        """``reached``: where a pod with that address is found from here."""
        self._client = client
        self._clock = clock
        self._reached = reached
        self._cache = cache
        self._runs = runs
        self._stores = stores
        self._prober = prober
        self._settings = settings
        self.ledger = ledger

    def cached(self, key: observed.ModelKey) -> Objects | None:
        """The last seen objects; None when there is no such model."""
        raw = self._cache.one(MODEL, key, key.name)
        if raw is None:
            return None
        service = self._cache.one(SERVICE, key, key.name)
        return _objects(raw, self._cache.all(VERSION, key), service, self._cache.all(DEPLOYMENT, key))

    async def live_model(self, key: observed.ModelKey) -> observed.Model | None:
        """The model alone, whatever its children look like."""
        raw = await self._client.get(kubernetes.MODELS, key.namespace, key.name)
        return objects.model(raw) if raw is not None else None

    async def live(self, key: observed.ModelKey) -> Objects | None:
        """The objects as the API server has them now."""
        get, listing = self._client.get, self._client.list_objects
        labels = {naming.LABEL_MODEL: key.name}
        raw, versions, service, deployments = await asyncio.gather(
            get(kubernetes.MODELS, key.namespace, key.name),
            listing(kubernetes.VERSIONS, key.namespace, labels),
            get(kubernetes.INFERENCE_SERVICES, key.namespace, key.name),
            listing(kubernetes.DEPLOYMENTS, key.namespace, {_SERVICE_LABEL: key.name}),
        )
        if raw is None:
            return None
        return _objects(raw, versions, service, deployments)

    def questions(self, seen: Objects) -> inquiry.Questions:
        return inquiry.questions(
            seen.model,
            seen.versions,
            seen.service,
            seen.deployment,
            self._proven(seen),
            self._settings,
            canary_proven=self._known(seen, seen.canary),
        )

    def settled(self, seen: Objects) -> observed.Observed:
        """The observation of a model about which nothing has to be asked."""
        proven, key = self._proven(seen), seen.model.key
        return self._observed(
            seen,
            observed.Serving(
                seen.service, seen.deployment, proven=proven, canary=seen.canary, refusal=self.ledger.refusals.get(key)
            ),
        )

    async def observe(self, seen: Objects) -> tuple[observed.Observed, errors.BackendError | None]:
        """Asks all questions about the model; returns the picture, and what was in the way of the rest of it."""
        asked = self.questions(seen)
        attempts, remains, serving_seen = await asyncio.gather(
            _answers({question.version: self._attempt(seen.model, question) for question in asked.runs}),
            _answers({question.version: self._remains(seen.model, question) for question in asked.cleanups}),
            self._serving(seen, asked),
        )
        unanswered = attempts.unanswered | remains.unanswered
        picture = replace(
            self._observed(seen, serving_seen),
            attempts=attempts.answered,
            runs_left={name: left.runs for name, left in remains.answered.items()},
            pods_left={name: left.pods for name, left in remains.answered.items()},
            objects_left={name: left.objects for name, left in remains.answered.items()},
            unanswered={name: str(error) for name, error in unanswered.items()},
        )
        return picture, next(iter(unanswered.values()), None)

    def _observed(self, seen: Objects, serving_seen: observed.Serving) -> observed.Observed:
        return observed.Observed(
            model=seen.model,
            versions=seen.versions,
            serving=serving_seen,
            unsubmitted=frozenset(self.ledger.unsubmitted),
            submitted_at={version.name: self.ledger.last_sent(version.uid) for version in seen.versions},
            ending_since=dict(self.ledger.ending_since),
        )

    async def _attempt(self, model: observed.Model, question: inquiry.RunQuestion) -> observed.Attempt:
        namespace = model.key.namespace
        store = await self._stores.of(question.place)
        run = await self._runs.find(namespace, question.run_id, question.display_name)
        if run is not None and not run.state.terminal:
            troubles, failure, progress = await asyncio.gather(
                self._pod_troubles(namespace, {"pipeline/runid": run.id}),
                _early(store, question, contract.FAILURE),
                self._progress(model.key, store, question),
            )
            return observed.Attempt(run, outcomes.judge(None, failure, question.run_id), troubles, progress)
        try:
            result, failure = await asyncio.gather(
                store.read(question.uri + contract.RESULT), store.read(question.uri + contract.FAILURE)
            )
        except errors.Rejected as oversize:
            return observed.Attempt(run, observed.Outcome(invalid=str(oversize)))
        troubles = await self._pod_troubles(namespace, {"pipeline/runid": run.id}) if run and not result else ()
        return observed.Attempt(run, outcomes.judge(result, failure, question.run_id), troubles)

    async def _progress(
        self, key: observed.ModelKey, store: ports.ArtifactStore, question: inquiry.RunQuestion
    ) -> observed.Json | None:
        """How far a search is; looked up so seldom that its report costs at most one write in that time."""
        if not question.tuned:
            return None
        run_id, at, known = self.ledger.progress.get(key, ("", 0.0, None))
        if run_id == question.run_id and self._clock() - at < self._settings.progress_pause.total_seconds():
            return known
        found = outcomes.progress(await _early(store, question, contract.PROGRESS), question.run_id)
        if found is not None:
            self.ledger.progress[key] = question.run_id, self._clock(), found
        return found

    async def _pod_troubles(self, namespace: str, labels: Mapping[str, str]) -> tuple[observed.PodTrouble, ...]:
        return objects.pod_troubles(await self._client.list_objects(kubernetes.PODS, namespace, labels))

    async def _remains(self, model: observed.Model, question: inquiry.CleanupQuestion) -> _Remains:
        """Objects are counted last, and only when nobody is left who could write another."""
        namespace = model.key.namespace
        found = [await self._runs.find(namespace, run.run_id, run.display_name) for run in question.runs]
        runs = tuple(run for run in found if run is not None)
        pods: list[dict[str, Any]] = []
        for run_id in {run.run_id for run in question.runs} | {run.id for run in runs}:
            pods += await self._client.list_objects(kubernetes.PODS, namespace, {"pipeline/runid": run_id})
        running = objects.running_pods(pods)
        over = not runs and not running
        count = 0
        if question.objects and over:
            count = await (await self._stores.of(question.place)).count(question.root)
        return _Remains(runs, running, count)

    async def _serving(self, seen: Objects, asked: inquiry.Questions) -> observed.Serving:
        pods: list[dict[str, Any]] = []
        if asked.pods:
            labels = {_SERVICE_LABEL: seen.model.key.name}
            pods = await self._client.list_objects(kubernetes.PODS, seen.model.key.namespace, labels)
        error = await self._probe(seen.model.key, asked.probe, seen.deployment) if asked.probe else None
        canary_error = await self._probe_canary(seen, asked.share, pods) if asked.share else None
        return observed.Serving(
            service=seen.service,
            deployment=seen.deployment,
            ready_versions=objects.ready_versions(pods),
            troubles=objects.pod_troubles(pods),
            proven=self._proven(seen),
            probe_error=error.text if error else None,
            answered=error.answered if error else None,
            canary=seen.canary,
            canary_proven=self._known(seen, seen.canary),
            canary_error=canary_error.text if canary_error else None,
            traffic=await self._traffic(asked.share, pods) if asked.share else {},
            refusal=self.ledger.refusals.get(seen.model.key),
        )

    async def _probe_canary(
        self, seen: Objects, question: inquiry.ShareQuestion, pods: list[dict[str, Any]]
    ) -> observed.Objection | None:
        found = objects.addresses(pods, question.version)
        if question.probe is None or not found:
            return None
        asked = replace(question.probe, address=self._pod_address(found[0]))
        return await self._probe(seen.model.key, asked, seen.canary)

    async def _traffic(
        self, question: inquiry.ShareQuestion, pods: list[dict[str, Any]]
    ) -> dict[str, observed.Traffic]:
        """Summed over the pods of each of the two versions; one that does not tell counts for nothing."""
        found: dict[str, observed.Traffic] = {}
        for version in (question.version, question.stable):
            where = [self._pod_address(address) for address in objects.addresses(pods, version)]
            asked = (self._prober.traffic(address=address, model=question.model, version=version) for address in where)
            told = [answer for answer in await asyncio.gather(*asked) if answer is not None]
            found[version] = observed.Traffic(
                sum(one.requests for one in told), sum(one.failed for one in told), sum(one.refused for one in told)
            )
        return found

    def _pod_address(self, address: str) -> str:
        return f"http://{self._reached(address)}:{serving.PORT}"

    async def _probe(
        self, key: observed.ModelKey, question: inquiry.ProbeQuestion, deployment: observed.Json | None
    ) -> observed.Objection | None:
        try:
            golden = await (await self._stores.of(question.place)).read(question.uri + contract.GOLDEN)
        except errors.Transient as error:
            return observed.Objection(kserve.unreachable(error))
        except errors.Rejected as oversize:
            return observed.Objection(str(oversize))
        if golden is None:
            return observed.Objection(f"{question.uri}{contract.GOLDEN} is missing")
        version = question.version if question.named else None
        objection = await self._prober.check(
            address=question.address, model=question.model, version=version, golden=golden
        )
        if objection is None:
            self._remember(key, deployment, question.version)
        return objection

    def _proven(self, seen: Objects) -> str | None:
        """The version whose prediction was checked on this very Deployment, by this process or by the one before it."""
        rolled = serving.rolled_out(seen.service, seen.deployment)
        if rolled is None:
            return None
        key = seen.model.key
        if key not in self.ledger.proven and seen.model.status.get("servingVersion") == rolled:
            self._remember(key, seen.deployment, rolled)
        return rolled if self._known(seen, seen.deployment) == rolled else None

    def _known(self, seen: Objects, deployment: observed.Json | None) -> str | None:
        """The version proved on the Deployment as it is now; how many pods it has is no matter."""
        uid, template = _identity(deployment)
        version, proved = self.ledger.proven.get(seen.model.key, {}).get(uid, (None, None))
        return version if proved == template else None

    def _remember(self, key: observed.ModelKey, deployment: observed.Json | None, version: str) -> None:
        uid, template = _identity(deployment)
        others = [known for known in self.ledger.proven.get(key, {}).items() if known[0] != uid]
        self.ledger.proven[key] = dict(others[-1:]) | {uid: (version, template)}


async def _early(store: ports.ArtifactStore, question: inquiry.RunQuestion, name: str) -> bytes | None:
    """A task that failed for good says so while the pipeline still means to try it again; a search tells its state.

    A store that cannot be reached is no trouble yet: nothing else is asked of it before the run has ended.
    """
    try:
        return await store.read(question.uri + name)
    except (errors.Transient, errors.Rejected):
        return None


def _objects(
    raw: Mapping[str, Any],
    versions: Iterable[Mapping[str, Any]],
    service: observed.Json | None,
    deployments: Iterable[observed.Json],
) -> Objects:
    """A version counts only if it is the model's own; a label alone can be anybody's."""
    model = objects.model(raw)
    listed = [(item, objects.owned_by(item, model.uid)) for item in versions]
    own = tuple(objects.version(item) for item, is_own in listed if is_own)
    orphans = any("deletionTimestamp" in item["metadata"] for item, is_own in listed if not is_own)
    by_name = {item["metadata"]["name"]: item for item in deployments}
    stable = by_name.get(serving.deployment_name(service, model.key.name))
    canary = by_name.get(serving.canary_deployment_name(service, model.key.name) or "")
    return Objects(model, own, service, stable, canary, orphans)


@dataclass(frozen=True)
class _Answers(Generic[T]):
    answered: dict[str, T]
    unanswered: dict[str, errors.BackendError]


async def _answers(questions: Mapping[str, Awaitable[T]]) -> _Answers[T]:
    """One system that does not answer is no reason to leave the rest undone."""

    async def ask(question: Awaitable[T]) -> T | errors.BackendError:
        try:
            return await question
        except errors.BackendError as error:
            return error

    found = dict(zip(questions, await asyncio.gather(*map(ask, questions.values())), strict=True))
    return _Answers(
        {name: answer for name, answer in found.items() if not isinstance(answer, errors.BackendError)},
        {name: answer for name, answer in found.items() if isinstance(answer, errors.BackendError)},
    )


def _identity(deployment: observed.Json | None) -> tuple[str, str]:
    """Which Deployment it is, and what its pods are; compared in this process alone."""
    template = orjson.dumps(((deployment or {}).get("spec") or {}).get("template"), option=orjson.OPT_SORT_KEYS)
    return str(((deployment or {}).get("metadata") or {}).get("uid")), hashlib.sha256(template).hexdigest()
