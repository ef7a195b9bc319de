"""A reconciler whose outside systems are the memory twins, on a clock that the test turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from sklearn_operator.backends import errors, kserve, kubernetes, memory_kfp, memory_kubernetes, s3
from sklearn_operator.core import observed, parameters, pipeline
from sklearn_operator.core.settings import Settings
from sklearn_operator.runtime import cache as caching
from sklearn_operator.runtime import resources
from sklearn_operator.runtime.executor import Executor
from sklearn_operator.runtime.ledger import Ledger
from sklearn_operator.runtime.metrics import Metrics
from sklearn_operator.runtime.observer import Observer
from sklearn_operator.runtime.reconciler import Reconciler
from sklearn_operator.runtime.runs import Runs
from sklearn_operator.runtime.tracing import Tracer

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
KEY = observed.ModelKey("default", "digits")
SPEC: dict[str, Any] = {
    "data": {"source": {"builtin": "digits"}},
    "model": {"estimator": {"class": "sklearn.svm.SVC", "params": {"gamma": 0.001}}},
    "serving": {},
}


class Cluster(memory_kubernetes.MemoryKubernetes):
    """Counts writes, and refuses what it is told to refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.refuse_apply: errors.BackendError | None = None
        self.refuse_reads: errors.BackendError | None = None

    def _store(self, key: Any, item: dict[str, Any]) -> dict[str, Any]:
        self.writes += 1
        return super()._store(key, item)

    async def get(self, resource: Any, namespace: str | None, name: str) -> dict[str, Any] | None:
        if self.refuse_reads is not None:
            raise self.refuse_reads
        return await super().get(resource, namespace, name)

    async def apply(self, resource: Any, namespace: str, body: Any, *, revision: str | None) -> dict[str, Any]:
        if self.refuse_apply is not None:
            raise self.refuse_apply
        return await super().apply(resource, namespace, body, revision=revision)


class Prober:
    """Answers what the test says."""

    def __init__(self) -> None:
        self.answer: str | None = None

    async def check(self, **_: Any) -> str | None:
        return self.answer


@dataclass
class Room:
    """Everything of one operator, in memory."""

    cluster: Cluster = field(default_factory=Cluster)
    kfp: memory_kfp.MemoryKfp = field(default_factory=memory_kfp.MemoryKfp)
    store: s3.MemoryArtifactStore = field(default_factory=s3.MemoryArtifactStore)
    cache: caching.Cache = field(default_factory=caching.Cache)
    ledger: Ledger = field(default_factory=lambda: Ledger(NOW))
    metrics: Metrics = field(default_factory=Metrics)
    tracer: Tracer = field(default_factory=Tracer)
    stopping: bool = False
    seconds: float = 0.0

    def __post_init__(self) -> None:
        client = cast(kubernetes.KubernetesClient, self.cluster)
        prober = cast(kserve.HttpProber, Prober())
        settings = Settings()
        catalogue = parameters.Catalogue.parse(resources.catalogue())
        pipelines = pipeline.BasePipelines.parse(resources.pipelines())
        self.runs = Runs(self.kfp, 0.0, lambda: 0.0)
        self.observer = Observer(
            client, self.cache, self.runs, self.store, prober, settings, self.ledger, lambda: self.seconds
        )
        self.executor = Executor(
            client, self.kfp, self.store, self.runs, settings, catalogue, pipelines, self.ledger, lambda: NOW
        )
        self.reconciler = Reconciler(
            self.observer,
            self.executor,
            settings,
            catalogue,
            self.metrics,
            lambda: NOW,
            lambda: self.stopping,
            self.tracer,
        )

    async def create(self, spec: dict[str, Any] | None = None) -> None:
        body = {"metadata": {"name": KEY.name}, "spec": SPEC if spec is None else spec}
        await self.cluster.create(kubernetes.MODELS, KEY.namespace, body)

    async def settle(self, passes: int = 12) -> None:
        """Passes until two in a row change nothing, in the cluster or on the pipeline server."""
        quiet = 0
        for _ in range(passes):
            before = (self.cluster.writes, self.kfp.posts.total())
            await self.reconciler.reconcile(KEY)
            quiet = quiet + 1 if (self.cluster.writes, self.kfp.posts.total()) == before else 0
            if quiet == 2:
                return
        raise AssertionError(f"still writing after {passes} passes")

    @property
    def model(self) -> dict[str, Any]:
        return self.cluster.objects["sklearnmodels", KEY.namespace, KEY.name]

    def names(self, plural: str) -> list[str]:
        return sorted(name for kind, _, name in self.cluster.objects if kind == plural)

    def condition(self, kind: str) -> dict[str, Any]:
        rows = self.model.get("status", {}).get("conditions", [])
        return next((row for row in rows if row["type"] == kind), {})

    async def succeed(self, name: str = "digits-v1") -> None:
        """As if the version had been trained."""
        version = self.cluster.objects["sklearnmodelversions", KEY.namespace, name]
        run = dict(version["status"]["run"]) | {"state": "SUCCEEDED"}
        artifact = {"uri": "s3://models/x/", "sha256": "ab" * 32, "size": 1}
        status = dict(version["status"]) | {"phase": "Succeeded", "run": run, "artifact": artifact}
        body = {"metadata": {"name": name}, "status": status}
        await self.cluster.replace_status(kubernetes.VERSIONS, KEY.namespace, name, body)
