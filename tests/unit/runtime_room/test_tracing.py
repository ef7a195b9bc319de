"""When spans are told and by whom; that they never matter to a pass; and that nothing is imported for nobody."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from sklearn_operator.backends import errors, kubernetes, memory_kfp
from sklearn_operator.core import tracing as spans
from sklearn_operator.core.observed import RunState
from sklearn_operator.runtime import cache as caching
from sklearn_operator.runtime import preflight, tracing
from sklearn_operator.runtime.metrics import Metrics
from unit.runtime_room.rooms import KEY, NOW, Room

COUNTED = "sklearn_operator_spans_total"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
ON = {ENDPOINT: "http://collector.observability.svc:4318"}


class Kept:
    """A sink that keeps what it is given, or breaks."""

    def __init__(self, *, broken: bool = False) -> None:
        self.spans: list[spans.Span] = []
        self._broken = broken

    def send(self, span: spans.Span) -> None:
        if self._broken:
            raise RuntimeError("a bug")
        self.spans.append(span)

    def close(self, seconds: float) -> bool:
        return not self._broken

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


async def failed(kept: Kept) -> Room:
    """A model that was applied, and whose training failed."""
    room = Room(kfp=memory_kfp.MemoryKfp(lambda: NOW), tracer=tracing.Tracer(kept))
    await room.create()
    await room.settle()
    (run,) = room.kfp.posts
    room.kfp.move(run, RunState.FAILED)
    room.runs.forget(KEY.namespace, run)
    await room.settle()
    return room


async def test_passes_tell_one_trace_from_the_apply_to_the_end() -> None:
    kept = Kept()
    room = await failed(kept)
    version = room.cluster.objects["sklearnmodelversions", KEY.namespace, "digits-v1"]
    assert version["status"]["phase"] == "Failed"
    assert kept.names == ["submit", "train", "apply to ready"]
    assert {span.trace for span in kept.spans} == {spans.trace_id(version["metadata"]["uid"])}
    assert kept.spans[-1].error == "RunFailed"


async def test_a_version_that_the_pipeline_server_refuses_has_its_end_told() -> None:
    kept = Kept()
    room = Room(tracer=tracing.Tracer(kept))
    await room.create()
    room.kfp.fail_next("submit", errors.Rejected("kfp: 400 no"))
    await room.settle()
    assert [(span.name, span.error) for span in kept.spans] == [("apply to ready", "RunRefused")]


async def test_a_span_that_cannot_be_told_is_said_once_and_costs_no_pass(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        room = await failed(Kept(broken=True))
        room.tracer.close()
    assert room.condition("Trained")["reason"] == "RunFailed"
    told = [record.getMessage() for record in caplog.records]
    assert told == ["a span could not be told: RuntimeError('a bug')", "the last spans could not be sent in time"]


async def test_who_takes_over_tells_again_what_ended_shortly_before_and_nothing_else() -> None:
    kept, again = Kept(), Kept()
    room = await failed(kept)
    for kind, resource in ((caching.MODEL, kubernetes.MODELS), (caching.VERSION, kubernetes.VERSIONS)):
        for (plural, *_), raw in room.cluster.objects.items():
            if plural == resource.plural:
                room.cache.put(kind, KEY, raw)
    successor = tracing.Tracer(again)
    end = max(span.end for span in kept.spans)
    await successor.resume(room.cache, end + timedelta(minutes=6))
    assert again.spans == []
    await successor.resume(room.cache, end + timedelta(seconds=20))
    assert again.spans == kept.spans
    await tracing.Tracer().resume(room.cache, NOW)


async def test_the_log_names_the_trace_where_there_are_traces() -> None:
    room = await failed(Kept())
    seen = await room.observer.live(KEY)
    assert seen is not None
    (version,) = seen.versions
    assert room.tracer.trace_id(version) == f"{spans.trace_id(version.uid):032x}"
    assert tracing.Tracer().trace_id(version) == ""


def test_a_collector_that_is_away_is_two_lines_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    delivered = tracing.deliveries("http://collector:4318", metrics)
    with caplog.at_level(logging.INFO):
        for trouble in ("", "ConnectionError", "ConnectionError", "", ""):
            delivered(2, trouble)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "spans are lost, the collector at http://collector:4318 does not take them: ConnectionError"),
        ("INFO", "the collector at http://collector:4318 takes spans again"),
    ]
    counted = {result: metrics.registry.get_sample_value(COUNTED, {"result": result}) for result in ("sent", "lost")}
    assert counted == {"sent": 6, "lost": 4}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        (ON, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({ENDPOINT: ""}, False),
        ({**ON, "OTEL_SDK_DISABLED": "True"}, False),
        ({**ON, "OTEL_SDK_DISABLED": "false"}, True),
        ({**ON, "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_opentelemetrys_own_variables_switch_it_on(environment: dict[str, str], wanted: bool) -> None:
    assert tracing.wanted(environment) is wanted
    assert preflight.of_tracing(environment) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({ENDPOINT: "collector:4318"}, ENDPOINT),
        ({ENDPOINT: "http://user:never-shown@collector:4318"}, ENDPOINT),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "never-shown"}, "OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_what_it_cannot_do_is_told_by_the_variable(changes: dict[str, str], told: str) -> None:
    (line,) = preflight.of_tracing(ON | changes)
    assert line.startswith(f"{told}: must be ") and "never-shown" not in line


def test_headers_may_be_several() -> None:
    assert preflight.of_tracing(ON | {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20word, x-tenant=ml"}) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, False), ({**ON, "OTEL_SDK_DISABLED": "true"}, False), (ON, True)],
    ids=["nothing said", "disabled", "on"],
)
def test_nothing_of_opentelemetry_is_imported_unless_it_is_switched_on(
    environment: dict[str, str], expected: bool
) -> None:
    program = (
        "import os, sys\nfrom sklearn_operator.cli import lean\nlean.load()\nimport sklearn_operator.cli.run\n"
        "from sklearn_operator.runtime import metrics, preflight, tracing\n"
        "assert preflight.of_tracing(os.environ) == []\n"
        "tracer = tracing.start(os.environ, metrics.Metrics())\n"
        "print(any(name.partition('.')[0] in ('opentelemetry', 'requests', 'google') for name in sys.modules))\n"
        "tracer.close()"
    )
    done: subprocess.CompletedProcess[Any] = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(expected)), done.stderr
