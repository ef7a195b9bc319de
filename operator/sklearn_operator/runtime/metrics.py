"""What the operator counts about itself; what it knows of the models is in ``fleet``.

Invariant: labels are bounded by words of ours and by namespaces; no object's name is a label here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import prometheus_client as prometheus

import sklearn_operator
from sklearn_operator.backends import errors
from sklearn_operator.core import actions, observed, version_report
from sklearn_operator.runtime import fleet as fleets

_PASS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30)
_CALL = (0.005, 0.02, 0.1, 0.5, 2, 10, 30)
_WAIT = (0.001, 0.01, 0.1, 0.5, 1, 5, 30, 300)
_TRAINING = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 10800, 28800, 86400)


_ENDS = frozenset({"Succeeded", "Rejected", "Failed", "Canceled"})


@dataclass
class Passing:
    """One pass; ``result``: how it ended."""

    result: str = "ok"


class Metrics:
    """Own registry, so that two operators in one process (tests) do not meet."""

    def __init__(self) -> None:
        self.registry = registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> prometheus.Counter:
            return prometheus.Counter(f"sklearn_operator_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> prometheus.Gauge:
            return prometheus.Gauge(f"sklearn_operator_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> prometheus.Histogram:
            return prometheus.Histogram(f"sklearn_operator_{name}", text, labels, registry=registry, buckets=buckets)

        self._passes = counter(
            "reconciles",
            "Passes by result: ok, conflict (looked again), unavailable (some system), refused, error (a bug).",
            "result",
        )
        self._seconds = histogram("reconcile_seconds", "Duration of one pass.", _PASS)
        self._actions = counter("actions", "Actions carried out, by kind.", "action")
        self._trainings = counter(
            "trainings",
            "Trainings that ended, by result: succeeded, rejected, failed, canceled.",
            "namespace",
            "result",
        )
        self._durations = histogram(
            "training_duration_seconds",
            "From the version's creation to its end, retries included.",
            _TRAINING,
            "result",
        )
        self._rollouts = counter(
            "rollouts", "Versions that came to answer (served) or were taken back (rolled_back).", "namespace", "result"
        )
        self._repairs = counter(
            "drift_repairs",
            "InferenceServices that others had changed or deleted and that were put right.",
            "namespace",
        )
        self._calls = counter(
            "backend_requests",
            "Calls to kubernetes, kfp, s3 and kserve; code: the HTTP status, or timeout, no_answer, canceled, refused.",
            "backend",
            "operation",
            "code",
        )
        self._latency = histogram(
            "backend_request_seconds", "Duration of one such call.", _CALL, "backend", "operation"
        )
        self._depth = gauge("queue_depth", "Models waiting for a worker.")
        self._waits = histogram("queue_wait_seconds", "From a wake-up to the beginning of its pass.", _WAIT)
        self._retries = counter("queue_retries", "Passes that failed and are to be made again.")
        self._failing = gauge("failing_models", "Models whose last pass failed.")
        self._longest = gauge("longest_pass_seconds", "Age of the oldest pass under way.")
        self._listings = counter("listings", "Listings of a whole kind, by result.", "result")
        self._spans = counter(
            "spans",
            "Spans by what became of them: sent, or lost, when the collector did not take them.",
            "result",
        )
        self._leader = gauge("leader", "1 where this process acts, 0 where it stands by.")
        self._namespaces: set[str] = set()
        self._fleet: fleets.Fleet | None = None
        gauge("build_info", "1, labelled with the version.", "version").labels(sklearn_operator.__version__).set(1)

    @contextmanager
    def reconciling(self, namespace: str) -> Iterator[Passing]:
        self._expect(namespace)
        passing = Passing()
        with self._seconds.time():
            try:
                yield passing
            except errors.BackendError as error:
                passing.result = "refused" if isinstance(error, errors.Rejected) else "unavailable"
                raise
            except BaseException:
                passing.result = "error"
                raise
            finally:
                self._passes.labels(passing.result).inc()

    def acted(self, action: actions.Action) -> None:
        self._actions.labels(type(action).__name__).inc()

    def reported(self, namespace: str, before: observed.Version, status: observed.Json, now: datetime) -> None:
        """The status of a version was written; ``before`` is the version as it was."""
        phase = str(status.get("phase") or "")
        if not before.finished and phase in _ENDS:
            result = phase.lower()
            self._trainings.labels(namespace, result).inc()
            self._durations.labels(result).observe(max(0.0, (now - before.created_at).total_seconds()))
        if status.get("rolledBack") and status.get("rolledBack") != before.status.get("rolledBack"):
            self._rollouts.labels(namespace, "rolled_back").inc()
        after = replace(before, status=status)
        if version_report.says(after, "Served") == "True" != version_report.says(before, "Served"):
            self._rollouts.labels(namespace, "served").inc()

    def done(
        self, namespace: str, versions: Mapping[str, observed.Version], action: actions.Action, now: datetime
    ) -> None:
        """An action was carried out; ``versions`` are as they were before it."""
        match action:
            case actions.ReportVersion():
                self.reported(namespace, versions[action.version], action.status, now)
            case actions.ApplyInferenceService() if action.repairs:
                self._repairs.labels(namespace).inc()

    def called(self, backend: str, operation: str, code: str, seconds: float) -> None:
        """See ``backends.metering.Meter``."""
        self._calls.labels(backend, operation, code).inc()
        self._latency.labels(backend, operation).observe(seconds)

    def waited(self, seconds: float) -> None:
        self._waits.observe(seconds)

    def retried(self) -> None:
        self._retries.inc()

    def listed(self, result: str) -> None:
        self._listings.labels(result).inc()

    def traced(self, result: str, count: int) -> None:
        """Called from the thread that sends."""
        self._spans.labels(result).inc(count)

    def forget_all_but(self, namespaces: Collection[str]) -> None:
        """Series of namespaces without models end; a new model there begins at nothing again."""
        for namespace in self._namespaces - set(namespaces):
            for counter, labels in self._of(namespace):
                counter.remove(*labels)
            self._namespaces.discard(namespace)

    def _expect(self, namespace: str) -> None:
        """Series begin at nought: of one that begins with its first event Prometheus sees no increase."""
        if namespace in self._namespaces:
            return
        self._namespaces.add(namespace)
        for counter, labels in self._of(namespace):
            counter.labels(*labels)

    def _of(self, namespace: str) -> Iterator[tuple[prometheus.Counter, tuple[str, ...]]]:
        yield from ((self._trainings, (namespace, phase.lower())) for phase in sorted(_ENDS))
        yield from ((self._rollouts, (namespace, result)) for result in ("served", "rolled_back"))
        yield self._repairs, (namespace,)

    def watch(
        self,
        *,
        depth: Callable[[], float],
        failing: Callable[[], float],
        longest: Callable[[], float],
        leading: Callable[[], float],
        fleet: fleets.Fleet,
    ) -> None:
        """What is looked up when it is scraped."""
        self._fleet = fleet
        self._depth.set_function(depth)
        self._failing.set_function(failing)
        self._longest.set_function(longest)
        self._leader.set_function(leading)
        self.registry.register(fleet)

    def render(self) -> bytes:
        if self._fleet is not None:
            self.forget_all_but(self._fleet.namespaces())
        return prometheus.generate_latest(self.registry)
