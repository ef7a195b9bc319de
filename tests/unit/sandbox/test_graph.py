"""Steps run as early as their needs allow, and a failure stops the rest."""

from __future__ import annotations

import threading

import pytest

from sklearn_sandbox import graph


def test_a_step_runs_after_what_it_needs() -> None:
    order: list[str] = []
    steps = {
        "roof": graph.Step(lambda _: order.append("roof"), ("walls",)),
        "walls": graph.Step(lambda _: order.append("walls"), ("floor",)),
        "floor": graph.Step(lambda _: order.append("floor"), ("somewhere else",)),
    }
    graph.run(steps)
    assert order == ["floor", "walls", "roof"]


def test_independent_steps_run_at_once() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def meet(_: threading.Event) -> None:
        meeting.wait()

    graph.run({"one": graph.Step(meet), "other": graph.Step(meet)})


def test_a_failure_is_raised_tells_the_others_and_starts_nothing_more() -> None:
    begun: list[str] = []
    waiting = threading.Event()

    def wait(stopping: threading.Event) -> None:
        waiting.set()
        assert stopping.wait(10)

    def fail(_: threading.Event) -> None:
        waiting.wait(10)
        raise LookupError("no luck")

    steps = {
        "waits": graph.Step(wait),
        "fails": graph.Step(fail),
        "after": graph.Step(lambda _: begun.append("after"), ("fails",)),
    }
    with pytest.raises(LookupError, match="no luck"):
        graph.run(steps)
    assert begun == []


def test_a_circle_is_named() -> None:
    steps = {"a": graph.Step(lambda _: None, ("b",)), "b": graph.Step(lambda _: None, ("a",))}
    with pytest.raises(ValueError, match=r"\['a', 'b'\]"):
        graph.run(steps)
