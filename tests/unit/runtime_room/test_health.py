"""What /readyz says in words: what is waited for, who acts, and that the pipeline server is there."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

import pytest

import waiting
from sklearn_operator.backends import errors, ports
from sklearn_operator.runtime import contact, health


def test_what_is_waited_for_is_said_until_it_comes() -> None:
    state = health.State(longest_pass=lambda: 0.0)
    assert state.note("inferenceservices", "404")
    assert not state.note("inferenceservices", "404")
    assert state.told == "not ready\nwaiting for inferenceservices: 404\n"
    assert state.note("inferenceservices", "")
    assert not state.note("inferenceservices", "")
    state.ready, state.standing_by = True, lambda: "standing by: the Lease is held by b"
    assert state.told == "ok\nstanding by: the Lease is held by b\n"


class Pipelines:
    def __init__(self, answer: ports.ServerInfo | errors.BackendError) -> None:
        self.answer = answer

    async def healthy(self) -> ports.ServerInfo:
        if isinstance(self.answer, errors.BackendError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "has_token", "said"),
    [
        (errors.Transient("cannot connect"), False, "waiting for Kubeflow Pipelines: cannot connect"),
        (ports.ServerInfo(False, "2.17.0"), False, "answers: version 2.17.0, standalone"),
        (ports.ServerInfo(True, "2.17.0"), True, "answers: version 2.17.0, multi-user"),
        (ports.ServerInfo(True, ""), False, "is multi-user, and SKLEARN_OPERATOR_KFP_TOKEN_FILE is not set"),
    ],
    ids=["away", "standalone", "multi-user", "without a token"],
)
async def test_the_log_says_how_the_pipeline_server_is(
    caplog: pytest.LogCaptureFixture,
    answer: ports.ServerInfo | errors.BackendError,
    has_token: bool,
    said: str,
) -> None:
    caplog.set_level("INFO")
    state = health.State(longest_pass=lambda: 0.0)
    backend = cast(ports.PipelineBackend, Pipelines(answer))
    task = asyncio.create_task(contact.watch(backend, has_token, state.note))

    async def logged() -> bool:
        return said in caplog.text

    await waiting.until(said, logged)
    assert ("waiting for" in state.told) == isinstance(answer, errors.BackendError)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
