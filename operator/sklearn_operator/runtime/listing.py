"""Reading every watched kind as a whole: once before anything is decided, and again from time to time.

Watches lose events: they are cut, they die, and what was deleted while one was down is never told. A listing finds it.

Invariant: a listing writes nothing, and tells the queue only of what it found changed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sklearn_operator.backends import errors, kubernetes
from sklearn_operator.core import naming, observed
from sklearn_operator.runtime import cache as caching
from sklearn_operator.runtime import handlers, logs
from sklearn_operator.runtime.metrics import Metrics
from sklearn_operator.runtime.workqueue import WorkQueue

_log = logging.getLogger(__name__)
_CHILDREN = {naming.LABEL_MANAGED_BY: naming.FIELD_MANAGER}


@dataclass(frozen=True)
class Watched:
    """A kind that wakes models up."""

    kind: str
    resource: kubernetes.Resource
    selector: dict[str, str] | None = None
    comes_with: str = "Kubernetes"


_OURS = "the CRDs of sklearn-operator (`sklearn-operator crds | kubectl apply --server-side -f -`)"
WATCHED = (
    Watched(caching.MODEL, kubernetes.MODELS, comes_with=_OURS),
    Watched(caching.VERSION, kubernetes.VERSIONS, comes_with=_OURS),
    Watched(caching.SERVICE, kubernetes.INFERENCE_SERVICES, _CHILDREN, "KServe"),
    Watched(caching.DEPLOYMENT, kubernetes.DEPLOYMENTS, _CHILDREN),
)


def paths(namespaces: Sequence[str]) -> dict[str, str]:
    """Where each watched kind is listed and watched, and which kind it is."""
    return {watched.resource.path(place): watched.kind for watched in WATCHED for place in namespaces or (None,)}


class Lister:
    """Keeps the cache honest."""

    def __init__(
        self, client: kubernetes.KubernetesClient, cache: caching.Cache, namespaces: Sequence[str], metrics: Metrics
    ) -> None:
        self._client = client
        self._cache = cache
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._metrics = metrics
        self._troubles = logs.Troubles(_log)
        #: At which revision each path was listed last.
        self.revisions: dict[str, int] = {}

    async def prime(self, stop: asyncio.Event, note: Callable[[str, str], bool]) -> None:
        """Lists every kind once; waits, and says so, while that is not possible. ``note``: what is waited for, and why.

        Whether something is not there yet or never will be, it cannot know; a person who reads it can.
        """
        await asyncio.gather(*(self._prime(watched, stop, note) for watched in WATCHED))

    async def _prime(self, watched: Watched, stop: asyncio.Event, note: Callable[[str, str], bool]) -> None:
        delay, plural = 0.5, watched.resource.plural
        while not stop.is_set():
            try:
                await self._list(watched)
            except errors.BackendError as error:
                why = f"{error}{_remedy(watched, error)}"
                if note(plural, why):
                    _log.error("waiting for %s: %s", plural, why)
            else:
                if note(plural, ""):
                    _log.info("%s are there now", plural)
                return
            await _pause(stop, delay)
            delay = min(delay * 2, 5.0)

    async def relist(self) -> set[observed.ModelKey]:
        """Lists every kind again; the keys about which that told something new. A kind that fails waits its turn."""
        news: set[observed.ModelKey] = set()
        for watched in WATCHED:
            try:
                news |= await self._list(watched)
                self._metrics.listed("ok")
                self._troubles.over(watched.kind, f"{watched.resource.plural} can be listed again")
            except errors.BackendError as error:
                self._metrics.listed("error")
                self._troubles.met(watched.kind, f"cannot list {watched.resource.plural}: {error}")
        return news

    async def resync(self, queue: WorkQueue[observed.ModelKey], period: float) -> None:
        """For ever: what no event told is found within about a period, and everything is thought over once in it."""
        while True:
            await asyncio.sleep(period * random.uniform(0.9, 1.1))
            for key in await self.relist():
                queue.add(key)
            for key in {*self._cache.keys(caching.MODEL), *self._cache.keys(caching.VERSION)}:
                if not queue.failures(key):  # what backs off has its appointment
                    queue.add_after(key, random.uniform(0, period / 4))

    async def _list(self, watched: Watched) -> set[observed.ModelKey]:
        news: set[observed.ModelKey] = set()
        for namespace in self._namespaces:
            self._cache.expect_listing(watched.kind)
            listed: set[tuple[observed.ModelKey, str]] = set()
            revision = 0
            async for page in self._client.pages(watched.resource, namespace, watched.selector):
                found = [(key, raw) for raw in page.items if (key := handlers.key_of(watched.kind, raw)) is not None]
                news |= {key for key, raw in found if self._cache.put(watched.kind, key, raw)}
                listed |= {(key, raw["metadata"]["name"]) for key, raw in found}
                revision = page.revision
            news |= self._cache.settle(watched.kind, listed, revision, namespace)
            self.revisions[watched.resource.path(namespace)] = revision
        return news


def _remedy(watched: Watched, error: errors.BackendError) -> str:
    if isinstance(error, errors.NotFound):
        return f" (it comes with {watched.comes_with}; is that installed?)"
    return " (grant it to the operator's service account)" if "forbidden" in str(error) else ""


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
