"""Every line says what it is about, in both formats; trouble that lasts is told once, and when it is over."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from sklearn_operator.backends import errors
from sklearn_operator.runtime import logs
from unit.runtime_room.rooms import KEY, Room


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The lines of logger ``test`` as JSON."""
    sink, log = io.StringIO(), logging.getLogger("sklearn_operator")
    handler = logging.StreamHandler(sink)
    handler.setFormatter(logs.JsonFormatter())
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield sink
    log.removeHandler(handler)
    log.setLevel(before)


def lines(sink: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def record(message: str, name: str = "sklearn_operator.x", *args: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.INFO, "here", 1, message, args, None)


def test_a_record_is_one_object_on_one_line() -> None:
    with logs.about(model="team/a", version="a-v1", run=""):
        line = logs.JsonFormatter().format(record("first\nsecond %s", "sklearn_operator.x", "third"))
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "info",
        "logger": "sklearn_operator.x",
        "message": "first\nsecond third",
        "model": "team/a",
        "version": "a-v1",
    }


def test_a_trace_is_named_for_programs_alone() -> None:
    with logs.about(model="team/a", version="a-v1", trace_id="ab" * 16):
        assert json.loads(logs.JsonFormatter().format(record("hello")))["trace_id"] == "ab" * 16
        assert logs.TextFormatter().format(record("hello")).endswith("sklearn_operator.x: [team/a a-v1] hello")


def test_text_says_it_too() -> None:
    with logs.about(model="team/a", version="a-v1"):
        assert logs.TextFormatter().format(record("hello")).endswith("sklearn_operator.x: [team/a a-v1] hello")
    assert logs.TextFormatter().format(record("hello")).endswith("sklearn_operator.x: hello")


async def test_passes_side_by_side_do_not_mix() -> None:
    async def one(name: str) -> dict[str, str]:
        with logs.about(model=name):
            await asyncio.sleep(0)
            return logs.subject()

    assert await asyncio.gather(one("team/a"), one("team/b")) == [{"model": "team/a"}, {"model": "team/b"}]
    assert logs.subject() == {}


async def test_every_line_of_a_pass_names_the_model_and_what_it_works_on(written: io.StringIO) -> None:
    room = Room()
    await room.create()
    await room.settle()
    found = lines(written)
    assert {line["model"] for line in found} == {"default/digits"}
    submitted = next(line for line in found if line["message"].startswith("SubmitRun"))
    assert submitted["version"] == "digits-v1"
    later = [line for line in found if line["message"].startswith("ReportVersion")]
    assert all(line["version"] == "digits-v1" for line in later)


async def test_trouble_that_lasts_is_two_lines(written: io.StringIO) -> None:
    room = Room()
    await room.create()
    await room.settle()
    before = len(lines(written))
    for port in range(20):
        room.cluster.refuse_reads = errors.Transient(f"kubernetes: cannot connect from port {port}")
        with pytest.raises(errors.Transient):
            await room.reconciler.reconcile(KEY)
    room.cluster.refuse_reads = None
    await room.reconciler.reconcile(KEY)
    told = [line for line in lines(written)[before:] if "Report" not in line["message"]]
    assert [(line["level"], line["message"]) for line in told] == [
        ("warning", "kubernetes: cannot connect from port 0"),
        ("info", "the trouble is over"),
    ]
    assert all("traceback" not in line for line in lines(written))


def test_kopf_repeats_itself_seldom() -> None:
    now = 0.0
    seldom = logs.Seldom("kopf", lambda: now)
    attempts = [seldom.filter(record("Request attempt #%s failed", "kopf._cogs", number)) for number in range(9)]
    assert attempts == [True] + [False] * 8
    assert seldom.filter(record("Request attempt #%s failed", "sklearn_operator.x", 1))
    now = 301.0
    assert seldom.filter(record("Request attempt #%s failed", "kopf._cogs", 10))
