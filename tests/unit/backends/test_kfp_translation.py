"""What the answers of a pipeline server, and of what stands before it, mean."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from sklearn_operator.backends import errors, kfp, kfp_http
from sklearn_operator.core.observed import RunState

UNKNOWN = {"code": 5, "message": "Failed to get a run: ResourceNotFoundError: Run r not found", "details": []}
HTML = "<html>nginx</html>"


def backend(answer: Callable[[httpx.Request], httpx.Response], token: Path | None = None) -> kfp.KfpBackend:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://kfp/prefix")
    return kfp.KfpBackend(kfp_http.Transport(client, token), ui_url="http://ui/")


async def find(server: kfp.KfpBackend) -> Any:
    return await server.find_run(namespace="n", run_id="r", display_name="d")


ANSWERS = {
    "404 with code 5 is absence": ("DELETE", 404, UNKNOWN, errors.NotFound),
    "404 of the gateway for a wrong path": ("DELETE", 404, {"code": 5, "message": "Not Found"}, errors.Transient),
    "404 of a proxy": ("DELETE", 404, HTML, errors.Transient),
    "400 with a code": ("POST", 400, {"code": 3, "message": "Invalid input error: x"}, errors.Rejected),
    "400 of a proxy": ("POST", 400, HTML, errors.Transient),
    "400 of an upload": ("POST", 400, {"error_message": "bad spec"}, errors.Rejected),
    "400 of an upload that is not allowed": (
        "POST",
        400,
        {"error_message": 'Pipeline upload denied: permission to create in namespace "a"'},
        errors.Transient,
    ),
    "409 with code 6": ("POST", 409, {"code": 6, "message": "exists"}, errors.Conflict),
    "409 of an upload": ("POST", 409, {"error_message": "exists"}, errors.Conflict),
    "409 with code 10 is a bad request": ("POST", 409, {"code": 10, "message": "bad"}, errors.Rejected),
    "401": ("POST", 401, HTML, errors.Transient),
    "403": ("POST", 403, {"code": 7, "message": "no"}, errors.Transient),
    "413": ("POST", 413, HTML, errors.Rejected),
    "429": ("POST", 429, HTML, errors.Transient),
    "500 after a write": ("POST", 500, {"code": 13, "message": "Internal"}, errors.Ambiguous),
    "500 about the request itself": (
        "POST",
        500,
        {"code": 13, "message": "InternalServerError: x: Invalid input error: y"},
        errors.Rejected,
    ),
    "500 after a read": ("GET", 500, {"code": 13, "message": "Invalid input error: y"}, errors.Transient),
    "503 after a write": ("POST", 503, HTML, errors.Ambiguous),
    "200 that is no JSON after a write": ("POST", 200, HTML, errors.Ambiguous),
    "200 that is no JSON after a read": ("GET", 200, HTML, errors.Transient),
    "200 with a list": ("GET", 200, [1], errors.Transient),
    "a redirect to a login page": ("GET", 302, "", errors.Transient),
}


@pytest.mark.parametrize(("method", "status", "body", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_means(method: str, status: int, body: Any, expected: type[Exception]) -> None:
    answer = httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)
    with pytest.raises(errors.BackendError) as caught:
        kfp_http.understand(method, "/x", answer)
    assert isinstance(caught.value, expected)
    if expected is errors.Transient:
        assert not isinstance(caught.value, errors.Ambiguous)


def test_retry_after_is_passed_on() -> None:
    with pytest.raises(errors.Transient) as caught:
        kfp_http.understand("POST", "/x", httpx.Response(429, headers={"Retry-After": "7"}))
    assert caught.value.retry_after == 7.0


EXCEPTIONS = {
    "refused, reading": ("GET", httpx.ConnectError("x"), errors.Transient),
    "refused, writing": ("POST", httpx.ConnectError("x"), errors.Transient),
    "no answer, reading": ("GET", httpx.ReadTimeout("x"), errors.Transient),
    "no answer, writing": ("POST", httpx.ReadTimeout("x"), errors.Ambiguous),
    "cut off, writing": ("POST", httpx.RemoteProtocolError("x"), errors.Ambiguous),
    "slower than the whole allowance, writing": ("POST", TimeoutError(), errors.Ambiguous),
}


@pytest.mark.parametrize(("method", "raised", "expected"), EXCEPTIONS.values(), ids=EXCEPTIONS.keys())
def test_an_exception_means(method: str, raised: Exception, expected: type[errors.Transient]) -> None:
    with pytest.raises(errors.Transient) as caught, kfp_http.translated(method, "/x"):
        raise raised
    assert isinstance(caught.value, errors.Ambiguous) == (expected is errors.Ambiguous)
    assert caught.value.__cause__ is raised


async def test_a_run_is_read_with_its_quirks() -> None:
    body = {
        "run_id": "r",
        "display_name": "d",
        "state": "RUNNING",
        "created_at": "2026-08-21T10:00:00Z",
        "finished_at": "1970-01-01T00:00:00Z",
        "error": {"code": 13, "message": "cannot be shown"},
    }
    run = await find(backend(lambda _: httpx.Response(200, json=body)))
    assert run.created_at == datetime(2026, 8, 21, 10, tzinfo=UTC)
    assert (run.state, run.finished_at, run.error) == (RunState.RUNNING, None, "cannot be shown")
    assert run.url == "http://ui/#/runs/details/r"


@pytest.mark.parametrize("state", [None, "SOMETHING_NEW"])
async def test_a_state_that_we_do_not_know_is_unknown(state: str | None) -> None:
    body = {"run_id": "r", "state": state} if state else {"run_id": "r"}
    run = await find(backend(lambda _: httpx.Response(200, json=body)))
    assert run.state is RunState.UNKNOWN


@pytest.mark.parametrize("body", [{}, {"run_id": 3}, {"run_id": "r", "created_at": "yesterday"}])
async def test_half_a_run_is_no_run(body: dict[str, Any]) -> None:
    with pytest.raises(errors.Transient):
        await find(backend(lambda _: httpx.Response(200, json=body)))


async def test_the_token_is_read_for_every_request_and_the_prefix_is_kept(tmp_path: Path) -> None:
    token = tmp_path / "token"
    seen: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.headers["Authorization"], request.url.path))
        return httpx.Response(200, json={"run_id": "r"})

    server = backend(answer, token)
    for text in ("first\n", "second\n"):
        token.write_text(text)
        await find(server)
    path = "/prefix/apis/v2beta1/runs/r"
    assert seen == [("Bearer first", path), ("Bearer second", path)]


async def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.Transient, match="KFP_TOKEN_FILE"):
        await find(backend(lambda _: httpx.Response(200, json={}), tmp_path / "none"))


async def test_a_read_is_repeated_twice_and_then_given_up() -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        return httpx.Response(503)

    with pytest.raises(errors.Transient):
        await find(backend(answer))
    assert calls == ["GET"] * 3


async def test_a_terminate_that_failed_half_way_is_judged_by_the_run() -> None:
    """live: two steps, not atomic; the row may say CANCELING although the answer was a 500."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(500, json={"code": 13, "message": "Failed to terminate run due to its workflow"})
        return httpx.Response(200, json={"run_id": "r", "state": state})

    state = "CANCELING"
    await backend(answer).terminate("r")
    state = "RUNNING"
    with pytest.raises(errors.Ambiguous):
        await backend(answer).terminate("r")


def test_the_same_pipeline_is_the_same_bytes() -> None:
    one = kfp.document({"b": 1, "a": {"d": 0.5, "c": [1]}}, {"platforms": {}})
    two = kfp.document({"a": {"c": [1], "d": 0.5}, "b": 1}, {"platforms": {}})
    assert one == two
    assert one.count(b"\n---\n") == 1
    assert kfp.document({"a": 1}, None) == b'{"a":1}'
