"""OpenTelemetry's SDK, as far as it takes spans that are over and sends them in the background, by OTLP over HTTP.

Invariant: handing over a span waits for nobody, and of what becomes of it a number and a word are told. The SDK's own
lines are not: they come with every batch, and may hold headers or the collector's words.

It needs the extra ``tracing`` and is imported nowhere but where traces are switched on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, id_generator, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import sklearn_operator
from sklearn_operator.backends import errors
from sklearn_operator.core import tracing

#: So many spans were taken by the collector; or, with a word, were not.
Delivered = Callable[[int, str], None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ERROR = trace.StatusCode.ERROR


class Otlp:
    """Where to and how often is for OpenTelemetry's own environment variables to say."""

    def __init__(self, delivered: Delivered) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._ids = _Given()
        try:
            self._provider = TracerProvider(resource=_resource(), id_generator=self._ids, shutdown_on_exit=False)
            self._provider.add_span_processor(BatchSpanProcessor(_Watched(delivered)))
        except (ValueError, OSError, RuntimeError) as error:
            raise errors.Rejected(f"traces: OpenTelemetry does not take its OTEL_ variables: {error}") from error
        self._tracer = self._provider.get_tracer(sklearn_operator.__name__, sklearn_operator.__version__)

    def send(self, span: tracing.Span) -> None:
        self._ids.trace, self._ids.span = span.trace, span.id
        attributes = dict(span.attributes)
        begun = self._tracer.start_span(
            span.name, self._within(span), attributes=attributes, start_time=_nanoseconds(span.start)
        )
        if span.error is not None:
            begun.set_status(trace.Status(_ERROR, span.error))
        begun.end(_nanoseconds(span.end))

    def close(self, seconds: float) -> bool:
        """Sends what is left; whether that was done in time. A collector that does not answer is not waited for."""
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(seconds)
        return not ending.is_alive()

    def _within(self, span: tracing.Span) -> Context:
        if span.parent is None:
            return Context()
        # The root comes last, and yet decides: every part has to ask the sampler what the root will hear.
        decision = self._provider.sampler.should_sample(Context(), span.trace, tracing.ROOT).decision
        sampled = decision is sampling.Decision.RECORD_AND_SAMPLE
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
        root = trace.SpanContext(span.trace, span.parent, is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(trace.NonRecordingSpan(root), Context())


class _Given(id_generator.IdGenerator):
    """The ids of the span that is about to be started; one thread alone starts any."""

    trace = span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class _Watched(SpanExporter):
    """Says of every batch what became of it; called from the thread that sends."""

    def __init__(self, delivered: Delivered) -> None:
        self._delivered = delivered
        self._session = _Session()
        self._exporter = OTLPSpanExporter(session=self._session)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        taken = result is SpanExportResult.SUCCESS
        self._delivered(len(spans), "" if taken else self._session.answer)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _Session(requests.Session):
    """Remembers in a word what the last request came to."""

    answer = "no answer"

    def request(self, *args: Any, **options: Any) -> requests.Response:
        try:
            response = super().request(*args, **options)
        except Exception as error:
            self.answer = type(error).__name__
            raise
        self.answer = f"HTTP {response.status_code}"
        return response


def _resource() -> Resource:
    """Ours, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise."""
    ours = {SERVICE_NAME: "sklearn-operator", SERVICE_VERSION: sklearn_operator.__version__}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
