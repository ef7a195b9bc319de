"""What Prometheus may know: how many requests, how they ended, how long they took, and which version answered.

Invariant: every request that names this model is counted once, with the status code it was answered with, so that an
error rate can be read per version. The stage histograms carry KServe's own names, so that its dashboards keep working.
"""

from __future__ import annotations

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from sklearn_runtime import artifact

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


def new_registry() -> CollectorRegistry:
    """A registry with the process's own figures; not the global one, where kserve registers the same stage names."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


class Metrics:
    """The counters of one served model."""

    def __init__(self, served: artifact.Served, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._labels = {"model": served.name, "version": served.version}
        self._requests = Counter(
            "sklearn_runtime_requests",
            "Inference requests by the status code they were answered with",
            ("model", "version", "code"),
            registry=registry,
        )
        latency = Histogram(
            "sklearn_runtime_request_seconds",
            "Time from the complete request to the encoded response",
            ("model", "version"),
            buckets=_BUCKETS,
            registry=registry,
        )
        rows = Counter("sklearn_runtime_rows", "Rows predicted", ("model", "version"), registry=registry)
        info = Gauge(
            "sklearn_runtime_model_info",
            "Always 1; the labels describe the model that answers",
            ("model", "version", "estimator", "sha256"),
            registry=registry,
        )
        info.labels(**self._labels, estimator=served.estimator, sha256=served.sha256).set(1)
        self._latency = latency.labels(**self._labels)
        self._rows = rows.labels(**self._labels)
        self._by_code = {200: self._requests.labels(**self._labels, code="200")}
        self._stages = [
            Histogram(
                f"request_{stage}_seconds", f"{stage} request latency", ("model_name",), registry=registry
            ).labels(model_name=served.name)
            for stage in ("preprocess", "predict", "postprocess")
        ]

    def answered(self, code: int, seconds: float) -> None:
        """One request is over."""
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._by_code[code] = self._requests.labels(**self._labels, code=str(code))
        counter.inc()
        self._latency.observe(seconds)

    def predicted(self, rows: int, decoded: float, ran: float, encoded: float) -> None:
        """One prediction was made; how long each of its three stages took."""
        self._rows.inc(rows)
        for histogram, seconds in zip(self._stages, (decoded, ran, encoded), strict=True):
            histogram.observe(seconds)

    def exposition(self) -> bytes:
        """The page that Prometheus scrapes."""
        return prometheus_client.generate_latest(self._registry)
