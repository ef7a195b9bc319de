"""HTTP to the Kubeflow Pipelines API server: timeouts, the token, the few retries, and what its answers mean.

Invariant: only GET is ever repeated. A 404 or 400 counts as the server's word only when it is in the server's own form;
an ingress that answers 404 for a wrong path must not make a running run look absent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from sklearn_operator.backends import errors, fencing, metering

_CONNECT = 3.0
_READ = 15.0
_RETRY_PAUSES = (0.1, 0.4)
_LONGEST_MESSAGE = 700
# gRPC codes in the body of an error (google.golang.org/grpc/codes).
_NOT_FOUND, _ALREADY_EXISTS, _PERMISSION_DENIED, _ABORTED, _UNAUTHENTICATED = 5, 6, 7, 10, 16
# The server wraps many mistakes of the request into a 500. These words appear in it only before the Workflow is created
# (backend/src/apiserver/resource/resource_manager.go, CreateRun; backend/src/common/util/error.go).
_DEFINITE = (
    "Invalid input error:",
    "InvalidInputError:",
    "BadRequestError:",
    "Failed to generate the ExecutionSpec",
    "Failed to validate workflow for",
)


_TOKEN = "SKLEARN_OPERATOR_KFP_TOKEN_FILE"
_UNKNOWN = "it does not know the operator: a token for audience pipelines.kubeflow.org? SKLEARN_OPERATOR_KFP_TOKEN_FILE"
_FORBIDDEN = "grant the operator's service account, by name, the verb on pipelines.kubeflow.org in the namespace"


# Later than 2.17 an upload that is not allowed says so, with a 400 as before (pipeline_upload_server.go).
_NOT_ALLOWED = re.compile(
    r"(shared )?pipeline upload (denied|authentication failed|authorization could)", re.IGNORECASE
)
# Parts of paths that are words of the API; all others are somebody's names.
_LISTED = frozenset({"runs", "experiments", "pipelines", "versions"})
_OTHER = frozenset({"upload", "upload_version", "healthz"})


class Transport:
    """One API server."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        token_file: Path | None = None,
        fence: fencing.Fence = fencing.unfenced,
        meter: metering.Meter = metering.unmetered,
    ) -> None:
        self._client = client
        self._token_file = token_file
        self._fence = fence
        self._meter = meter

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        for pause in (*_RETRY_PAUSES, None):
            try:
                return await self._call("GET", path, params=params)
            except _Retryable:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def post(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        timeout: float = _READ,
    ) -> dict[str, Any]:
        return await self._call("POST", path, params=params, body=body, files=files, timeout=timeout)

    async def delete(self, path: str) -> dict[str, Any]:
        return await self._call("DELETE", path, timeout=30.0)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        timeout: float = _READ,
    ) -> dict[str, Any]:
        headers = await self._headers()
        content = None
        if body is not None:
            content = orjson.dumps(body)
            headers["Content-Type"] = "application/json"
        limits = httpx.Timeout(timeout, connect=_CONNECT)
        with translated(method, path), metering.measured(self._meter, "kfp", operation(method, path)) as call:
            request = self._client.build_request(
                method, path, params=params, content=content, files=files, headers=headers, timeout=limits
            )
            if method != "GET":
                self._fence()
                request.extensions["trace"] = self._pass_again
            async with asyncio.timeout(timeout + _CONNECT):
                answer = await self._client.send(request)
            call.code = str(answer.status_code)
        return understand(method, path, answer)

    async def _pass_again(self, event: str, _: Mapping[str, Any]) -> None:
        """Connected, and about to send: how long did that take?"""
        if event.endswith("send_request_headers.started"):
            self._fence()

    async def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self._token_file is not None:
            # Projected tokens are rotated: read for every request, a small local file.
            try:
                token = await asyncio.to_thread(self._token_file.read_text)
            except OSError as error:
                raise errors.Transient(f"kfp: {_TOKEN} {self._token_file}: {error.strerror}") from error
            except UnicodeDecodeError as error:
                raise errors.Transient(f"kfp: {_TOKEN} {self._token_file} holds no token") from error
            token = token.strip()
            if not (token.isascii() and token.isprintable()):
                raise errors.Transient(f"kfp: {_TOKEN} {self._token_file} holds no token")
            headers["Authorization"] = f"Bearer {token}"
        return headers


def operation(method: str, path: str) -> str:
    """``get runs``, ``list runs``, ``terminate runs``: the verb and the collection, without ids."""
    parts = path.strip("/").split("/")[2:]
    last = parts[-1] if parts else ""
    verb = {"POST": "create", "DELETE": "delete"}.get(method, "list" if last in _LISTED else "get")
    verb = last.rpartition(":")[2] if ":" in last else verb
    return f"{verb} {'/'.join(part for part in parts if part in _LISTED | _OTHER)}"


class _Retryable(errors.Transient):
    """A GET that may be tried again at once: nothing answered, or something in between did."""


@contextmanager
def translated(method: str, path: str) -> Iterator[None]:
    """httpx's exceptions become ours, here and nowhere else."""
    what = f"kfp: {method} {path}"
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        remedy = "; SKLEARN_OPERATOR_KFP_CA_FILE names more authorities" if "CERTIFICATE_VERIFY" in str(error) else ""
        raise _failure(method)(f"{what}: cannot connect ({error}{remedy})") from error
    except (httpx.TimeoutException, TimeoutError) as error:
        kind = errors.Transient if method == "GET" else errors.Ambiguous
        raise kind(f"{what}: no answer in time") from error
    except httpx.TransportError as error:
        kind = _Retryable if method == "GET" else errors.Ambiguous
        raise kind(f"{what}: connection lost ({type(error).__name__})") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        kind = errors.Transient if method == "GET" else errors.Ambiguous
        raise kind(f"{what}: {type(error).__name__}") from error


def _failure(method: str) -> type[errors.Transient]:
    return _Retryable if method == "GET" else errors.Transient


def understand(method: str, path: str, answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of a good answer; anything else is raised as what it means."""
    body = _parsed(answer)
    if answer.is_success:
        if isinstance(body, dict):
            return body
        kind = errors.Transient if method == "GET" else errors.Ambiguous
        raise kind(f"kfp: {method} {path}: {answer.status_code} with a body that is not a JSON object")
    raise _refusal(method, path, answer, body if isinstance(body, dict) else {})


def _parsed(answer: httpx.Response) -> Any:
    if not answer.content:
        return {}
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return None


def _refusal(method: str, path: str, answer: httpx.Response, body: Mapping[str, Any]) -> errors.BackendError:
    status, code = answer.status_code, body.get("code")
    # The upload endpoints have a form of their own, without a code (pipeline_upload_server.go).
    uploaded = "error_message" in body
    message = str(body.get("message") or body.get("error_message") or body.get("error") or answer.reason_phrase)
    text = f"kfp: {method} {path}: {status} {message[:_LONGEST_MESSAGE]}"
    retry_after = _seconds(answer.headers.get("Retry-After"))
    if uploaded and status == 400 and _NOT_ALLOWED.match(message):
        return errors.Transient(f"{text} ({_FORBIDDEN})")
    if status in (401, 403) or code in (_PERMISSION_DENIED, _UNAUTHENTICATED):
        return errors.Transient(f"{text} ({_UNKNOWN if _is_unauthenticated(status, code) else _FORBIDDEN})")
    if answer.is_redirect:
        text = f"{text} (a login page? its address has to be one that takes tokens: SKLEARN_OPERATOR_KFP_URL)"
    # "Not Found" alone is what its gateway says of a path that it does not know.
    if status == 404 and code == _NOT_FOUND and message != "Not Found":
        return errors.NotFound(text)
    if status == 409 and (code == _ALREADY_EXISTS or uploaded):
        return errors.Conflict(text)
    if code == _ABORTED or status == 413 or (status == 400 and (code is not None or uploaded)):
        return errors.Rejected(text)
    if status >= 500 and method != "GET":
        if any(words in message for words in _DEFINITE):
            return errors.Rejected(text)
        return errors.Ambiguous(text, retry_after=retry_after)
    if status in (502, 503, 504):
        return _Retryable(text, retry_after=retry_after)
    if status in (400, 404, 409):
        text = f"{text} (not an answer of Kubeflow Pipelines: check its URL and what stands in between)"
    return errors.Transient(text, retry_after=retry_after)


def _is_unauthenticated(status: int, code: object) -> bool:
    return code == _UNAUTHENTICATED or (status == 401 and code != _PERMISSION_DENIED)


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdecimal() else None
