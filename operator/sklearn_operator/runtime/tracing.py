"""Traces: told where their turns are recorded, switched on by OpenTelemetry's own environment variables.

Invariant: nothing here delays or fails a pass, only who acts tells anything, and of OpenTelemetry nothing is imported
unless it is switched on. A span is handed over after the record that it follows from.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from sklearn_operator.backends import objects
from sklearn_operator.core import actions, observed, tracing
from sklearn_operator.runtime import cache as caching
from sklearn_operator.runtime import logs
from sklearn_operator.runtime.metrics import Metrics

_log = logging.getLogger(__name__)

#: Either of them switches it on; that of traces comes first.
ENDPOINT, ENDPOINT_OF_TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_EXPORTER, _PROTOCOL = "OTEL_TRACES_EXPORTER", "http/protobuf"
#: What can be asked for and is not the only thing that there is.
SPOKEN = {
    _EXPORTER: "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": _PROTOCOL,
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": _PROTOCOL,
}
HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")

#: What ended longer ago than this was sent by whoever acted then: a batch waits seconds, a Lease less than a minute.
_AGAIN = timedelta(minutes=5)
#: Beside the other deadlines of an end, of which Kubernetes' is 30 s.
_LAST_SPANS = 2.0


class Sink(Protocol):
    """Takes spans; ``backends.otlp``, and a list in tests."""

    def send(self, span: tracing.Span) -> None: ...

    def close(self, seconds: float) -> bool: ...


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether there are to be traces."""
    off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or environment.get(_EXPORTER) == "none"
    return bool(endpoint(environment)[1]) and not off


def endpoint(environment: Mapping[str, str]) -> tuple[str, str]:
    """Name and value of the variable that says where traces go; no value: none does."""
    name = ENDPOINT_OF_TRACES if environment.get(ENDPOINT_OF_TRACES) else ENDPOINT
    return name, environment.get(name, "")


class Tracer:
    """Without a sink it does nothing."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        self._bugs = logs.Troubles(_log)

    def trace_id(self, version: observed.Version) -> str:
        """As the log writes it; empty where there are no traces."""
        return f"{tracing.trace_id(version.uid):032x}" if self._sink is not None else ""

    def done(self, model: observed.Model, versions: Mapping[str, observed.Version], action: actions.Action) -> None:
        """An action was carried out; ``versions`` are as they were before it."""
        if isinstance(action, actions.ReportVersion):
            self.recorded(model, versions[action.version], action.status)

    def recorded(self, model: observed.Model, before: observed.Version, status: observed.Json) -> None:
        """The status of a version was written; ``before`` is the version as it was."""
        with self._harmless():
            if self._sink is not None:
                self._send(tracing.news(model, before, status))

    def reported(
        self,
        model: observed.Model,
        versions: Mapping[str, observed.Version],
        status: observed.Json,
        now: datetime,
    ) -> None:
        """The status of the model was written; ``model`` is as it was."""
        with self._harmless():
            version = versions.get(str(status.get("candidateVersion")))
            if self._sink is not None and version is not None:
                self._send(tracing.steps(model, version, status, now))

    async def resume(self, cache: caching.Cache, now: datetime) -> None:
        """What ended shortly before may be lost with whoever acted then; told again, it is the same."""
        if self._sink is None:
            return
        for key in cache.keys(caching.VERSION):
            with self._harmless():
                for found in _lives(cache, key):
                    if any(span.end >= now - _AGAIN for span in found):
                        self._send(found)
            await asyncio.sleep(0)

    def close(self) -> None:
        """To be called when nothing more is recorded."""
        if self._sink is not None and not self._sink.close(_LAST_SPANS):
            _log.warning("the last spans could not be sent in time")
        self._sink = None

    def _send(self, spans: tuple[tracing.Span, ...]) -> None:
        for span in spans:
            if self._sink is not None:
                self._sink.send(span)

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """A trace is never worth a pass."""
        try:
            yield
        except Exception as bug:
            self._bugs.met("spans", f"a span could not be told: {bug!r}")


def _lives(cache: caching.Cache, key: observed.ModelKey) -> Iterator[tuple[tracing.Span, ...]]:
    """All that is over of each of a model's versions."""
    raw = cache.one(caching.MODEL, key, key.name)
    if raw is not None:
        model = objects.model(raw)
        yield from (tracing.spans(model, objects.version(one)) for one in cache.all(caching.VERSION, key))


def start(environment: Mapping[str, str], metrics: Metrics) -> Tracer:
    """A tracer that sends to where the environment says; raises Rejected where it says what cannot be."""
    if not wanted(environment):
        return Tracer()
    from sklearn_operator.backends import otlp

    address = endpoint(environment)[1]
    _log.info("traces go to %s", address)
    return Tracer(otlp.Otlp(deliveries(address, metrics)))


def deliveries(address: str, metrics: Metrics) -> Callable[[int, str], None]:
    """Counts what became of spans, and says it when it changes; called from the thread that sends."""
    troubles = logs.Troubles(_log)

    def delivered(count: int, trouble: str) -> None:
        metrics.traced("lost" if trouble else "sent", count)
        if trouble:
            troubles.met(address, f"spans are lost, the collector at {address} does not take them: {trouble}")
        else:
            troubles.over(address, f"the collector at {address} takes spans again")

    return delivered
