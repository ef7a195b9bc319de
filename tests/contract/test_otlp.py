"""What a collector gets of spans, by the real exporter; and what a collector that gets none costs."""

from __future__ import annotations

import logging
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Lock

import pytest

import collector as collectors
import sklearn_operator
import waiting
from sklearn_operator.backends import otlp
from sklearn_operator.core import tracing

BEGAN = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
NANOSECONDS = 1_767_268_800_250_000_000


class Told:
    """What became of the spans, in the order in which it was told."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, str]] = []
        self._lock = Lock()

    def __call__(self, count: int, trouble: str) -> None:
        with self._lock:
            self.batches.append((count, trouble))


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[collectors.Collector]:
    with collectors.collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
        yield running


def span(name: str = tracing.ROOT, trace: int = 7, error: str | None = None) -> tracing.Span:
    parent = None if name == tracing.ROOT else 1
    attributes = {"k8s.namespace.name": "team", "sklearn_operator.gates.failed": ("recall",)}
    length = timedelta(seconds=75)
    return tracing.Span(trace, 2 if parent else 1, parent, name, BEGAN, BEGAN + length, attributes, error)


def test_a_trace_arrives_as_it_was_told(collector: collectors.Collector) -> None:
    told = Told()
    sender = otlp.Otlp(told)
    sender.send(span("train", error="RunFailed"))
    waiting.wait_for("the part, which comes first", lambda: collector.spans)
    sender.send(span())
    assert sender.close(30)
    part, root = collector.spans
    assert (part.name, root.name) == ("train", "apply to ready")
    assert part.trace_id == root.trace_id == (7).to_bytes(16, "big")
    assert (root.span_id, root.parent_span_id) == ((1).to_bytes(8, "big"), b"")
    assert (part.span_id, part.parent_span_id) == ((2).to_bytes(8, "big"), root.span_id)
    assert (part.start_time_unix_nano, part.end_time_unix_nano) == (NANOSECONDS, NANOSECONDS + 75 * 10**9)
    assert collectors.attributes(part.attributes) == {
        "k8s.namespace.name": "team",
        "sklearn_operator.gates.failed": ["recall"],
    }
    assert (part.status.code, part.status.message) == (part.status.STATUS_CODE_ERROR, "RunFailed")
    assert root.status.code == root.status.STATUS_CODE_UNSET
    assert told.batches == [(1, ""), (1, "")]


def test_who_sends_is_said_unless_the_environment_says_it(
    collector: collectors.Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=models,deployment.environment.name=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20word")
    sender = otlp.Otlp(Told())
    sender.send(span())
    assert sender.close(30)
    assert collector.resource["service.name"] == "models"
    assert collector.resource["service.version"] == sklearn_operator.__version__
    assert collector.resource["deployment.environment.name"] == "test"
    assert collector.headers[0]["authorization"] == "Bearer word"


def test_a_sampler_takes_a_trace_as_a_whole_or_not_at_all(
    collector: collectors.Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    sender = otlp.Otlp(Told())
    traces = [tracing.trace_id(str(uuid.UUID(int=number * 2**96, version=4))) for number in range(64)]
    for trace in traces:
        sender.send(span("train", trace))
        sender.send(span(tracing.ROOT, trace))
    assert sender.close(30)
    found = [found.trace_id for found in collector.spans]
    assert 0 < len(set(found)) < len(traces)
    assert all(found.count(trace) == 2 for trace in found)


@pytest.mark.parametrize(("status", "trouble"), [(403, "HTTP 403"), (503, "HTTP 503"), (0, "ConnectionError")])
def test_a_collector_that_takes_nothing_is_told_in_a_word_that_is_not_its_own(
    collector: collectors.Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
    trouble: str,
) -> None:
    collector.status = status
    if not status:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
    told = Told()
    sender = otlp.Otlp(told)
    with caplog.at_level(logging.INFO):
        sender.send(span())
        waiting.wait_for("the word", lambda: told.batches)
        collector.status = 200
        assert sender.close(30)
    assert told.batches == [(1, trouble)]
    assert caplog.records == []


def test_a_collector_that_does_not_answer_holds_up_nobody(collector: collectors.Collector) -> None:
    collector.held.clear()
    sender = otlp.Otlp(Told())
    began = time.monotonic()
    for number in range(3000):
        sender.send(span(trace=number + 1))
    assert not sender.close(0.1)
    assert time.monotonic() - began < 20
