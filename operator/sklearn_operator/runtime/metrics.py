"""What the operator counts about itself.

Invariant: labels are bounded (action kinds, results); no object's name is ever a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import prometheus_client as prometheus

import sklearn_operator
from sklearn_operator.core import actions


class Metrics:
    """Own registry, so that two operators in one process (tests) do not meet."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self.registry)
        self._passes = prometheus.Counter(
            "sklearn_operator_reconciles", "Passes by result.", ["result"], registry=self.registry
        )
        self._seconds = prometheus.Histogram(
            "sklearn_operator_reconcile_seconds",
            "Duration of one pass.",
            registry=self.registry,
            buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30),
        )
        self._actions = prometheus.Counter(
            "sklearn_operator_actions", "Actions carried out, by kind.", ["action"], registry=self.registry
        )
        self._depth = prometheus.Gauge(
            "sklearn_operator_queue_depth", "Models waiting for a worker.", registry=self.registry
        )
        self._models = prometheus.Gauge("sklearn_operator_models", "Models known.", registry=self.registry)
        self._failing = prometheus.Gauge(
            "sklearn_operator_failing_models", "Models whose last pass failed.", registry=self.registry
        )
        self._longest = prometheus.Gauge(
            "sklearn_operator_longest_pass_seconds", "Age of the oldest pass under way.", registry=self.registry
        )
        self._leader = prometheus.Gauge(
            "sklearn_operator_leader", "1 where this process acts, 0 where it stands by.", registry=self.registry
        )
        self._listings = prometheus.Counter(
            "sklearn_operator_listings", "Listings of a whole kind, by result.", ["result"], registry=self.registry
        )
        build = prometheus.Gauge(
            "sklearn_operator_build_info", "1, labelled with the version.", ["version"], registry=self.registry
        )
        build.labels(sklearn_operator.__version__).set(1)

    @contextmanager
    def reconciling(self) -> Iterator[None]:
        with self._seconds.time():
            try:
                yield
            except BaseException:
                self._passes.labels("error").inc()
                raise
            self._passes.labels("ok").inc()

    def acted(self, action: actions.Action) -> None:
        self._actions.labels(type(action).__name__).inc()

    def listed(self, result: str) -> None:
        self._listings.labels(result).inc()

    def watch(
        self,
        *,
        depth: Callable[[], float],
        models: Callable[[], float],
        failing: Callable[[], float],
        longest: Callable[[], float],
        leading: Callable[[], float],
    ) -> None:
        """Gauges that are read when they are scraped."""
        self._depth.set_function(depth)
        self._models.set_function(models)
        self._failing.set_function(failing)
        self._longest.set_function(longest)
        self._leader.set_function(leading)

    def render(self) -> bytes:
        return prometheus.generate_latest(self.registry)
