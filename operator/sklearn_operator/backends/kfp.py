"""Kubeflow Pipelines v2 over its REST API (v2beta1).

The server has no idempotency key, but honours the run id that we send; a second POST of the same id answers 500 *and*
starts a second execution. So: look, then POST once, and after an unclear answer look again.

Invariant: ``submit`` sends at most one POST of a run. Everything else it creates (experiment, pipeline, version) is
unique by name on the server, so those are get-or-create.
"""

from __future__ import annotations

import ssl
import urllib.parse
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from sklearn_operator.backends import errors, fencing, kfp_http, kfp_places, metering, ports
from sklearn_operator.core.observed import Run, RunState

_CHUNK = 100  # ids per filter: twice-escaped they stay under the 8 KiB that proxies allow for a line
_SUBMIT_TIMEOUT = 60.0


class KfpBackend:
    """See ``ports.PipelineBackend``."""

    def __init__(self, transport: kfp_http.Transport, *, ui_url: str | None = None) -> None:
        self._http = transport
        self._places = kfp_places.Places(transport)
        self._ui = ui_url.rstrip("/") if ui_url else None

    async def find_run(self, *, namespace: str, run_id: str, display_name: str) -> Run | None:
        run = await self._get_run(run_id)
        if run is not None:
            return run
        found = await self._in_experiment(namespace, kfp_places.equals("display_name", display_name))
        # MySQL compares without regard to case; the first one created is the one to adopt.
        exact = [run for run in found if run.name == display_name]
        return min(exact, key=lambda run: run.created_at or datetime.max.replace(tzinfo=UTC), default=None)

    async def list_runs(self, *, namespace: str, run_ids: Collection[str]) -> dict[str, Run]:
        wanted = sorted(set(run_ids))
        found: dict[str, Run] = {}
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            predicate = {"key": "run_id", "operation": "IN", "string_values": {"values": chunk}}
            found.update({run.id: run for run in await self._in_experiment(namespace, predicate)})
        for run_id in wanted:
            if run_id not in found and (run := await self._get_run(run_id)) is not None:
                found[run_id] = run
        return found

    async def submit(
        self,
        *,
        namespace: str,
        run_id: str,
        display_name: str,
        description: str,
        pipeline: Mapping[str, Any],
        platform: Mapping[str, Any] | None,
        parameters: Mapping[str, Any],
        service_account: str | None,
    ) -> Run:
        content = document(pipeline, platform)
        with _nothing_submitted_yet():
            experiment = await self._places.experiment(namespace) or await self._places.create_experiment(namespace)
            pipeline_id, version_id = await self._places.version(namespace, content)
        existing = await self._get_run(run_id)
        if existing is not None:
            return existing
        body: dict[str, Any] = {
            "run_id": run_id,
            "display_name": display_name,
            "description": description,
            "experiment_id": experiment,
            "pipeline_version_reference": {"pipeline_id": pipeline_id, "pipeline_version_id": version_id},
            "runtime_config": {"parameters": dict(parameters)},
        }
        if service_account:
            body["service_account"] = service_account
        try:
            answer = await self._http.post(f"{kfp_places.API}/runs", body=body, timeout=_SUBMIT_TIMEOUT)
        except errors.NotFound as error:
            self._places.forget(namespace)
            raise errors.Transient(f"{error} (somebody deleted it; it will be made again)") from error
        except errors.BackendError:
            self._places.forget(namespace)
            raise
        try:
            return self._run(answer)
        except errors.Transient as error:
            raise errors.Ambiguous(str(error)) from error

    async def terminate(self, run_id: str) -> None:
        try:
            await self._http.post(f"{kfp_places.API}/runs/{_quoted(run_id)}:terminate")
        except errors.NotFound:
            return
        except (errors.Rejected, errors.Ambiguous):
            # 400 "Row not found" is said of a run that is CANCELING or over: only the run itself can tell.
            run = await self._get_run(run_id)
            if run is not None and not run.state.terminal and run.state is not RunState.CANCELING:
                raise

    async def delete(self, run_id: str) -> None:
        try:
            await self._http.delete(f"{kfp_places.API}/runs/{_quoted(run_id)}")
        except errors.NotFound:
            return
        except errors.Ambiguous:
            if await self._get_run(run_id) is not None:
                raise

    async def healthy(self) -> ports.ServerInfo:
        return await self._places.server()

    async def _get_run(self, run_id: str) -> Run | None:
        try:
            return self._run(await self._http.get(f"{kfp_places.API}/runs/{_quoted(run_id)}"))
        except errors.NotFound:
            return None

    async def _in_experiment(self, namespace: str, predicate: Mapping[str, Any]) -> list[Run]:
        """Runs of the namespace's experiment that fulfil the predicate; none where there is no experiment."""
        for remembered in (True, False):
            experiment = await self._places.experiment(namespace)
            if experiment is None:
                break
            try:
                rows = await self._places.rows("runs", {"experiment_id": experiment}, predicate)
            except errors.NotFound:
                self._places.forget(namespace)
                if not remembered:
                    raise
            else:
                return [self._run(row) for row in rows]
        return []

    def _run(self, row: Mapping[str, Any]) -> Run:
        run_id = row.get("run_id")
        if not isinstance(run_id, str) or not run_id:
            raise errors.Transient("kfp: a run without run_id")
        error = row.get("error")
        return Run(
            id=run_id,
            name=str(row.get("display_name") or ""),
            state=_state(row.get("state")),
            created_at=_time(row.get("created_at")),
            finished_at=_time(row.get("finished_at")),
            error=str(error.get("message")) if isinstance(error, Mapping) else None,
            url=f"{self._ui}/#/runs/details/{run_id}" if self._ui else None,
        )


@asynccontextmanager
async def connect(
    url: str,
    *,
    token_file: str | None = None,
    ca_file: str | None = None,
    ui_url: str | None = None,
    fence: fencing.Fence = fencing.unfenced,
    meter: metering.Meter = metering.unmetered,
) -> AsyncIterator[KfpBackend]:
    """A client for the API server at ``url``, which may carry a path prefix. ``ca_file`` adds to the system's CAs."""
    secure = httpx.URL(url).scheme == "https"  # reading the system's CAs takes a while, and plain http needs none
    verify = ssl.create_default_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file:
        try:
            verify.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise errors.Rejected(f"kfp: {ca_file} holds no certificate authorities: {error.strerror}") from error
    client = httpx.AsyncClient(
        base_url=url,
        verify=verify,
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=32, keepalive_expiry=20.0),
    )
    async with client:
        transport = kfp_http.Transport(client, Path(token_file) if token_file else None, fence, meter)
        yield KfpBackend(transport, ui_url=ui_url)


def document(pipeline: Mapping[str, Any], platform: Mapping[str, Any] | None) -> bytes:
    """What is uploaded: one or two YAML documents, in their JSON form, the same bytes for the same pipeline."""
    parts = [pipeline, platform] if platform else [pipeline]
    return b"\n---\n".join(orjson.dumps(part, option=orjson.OPT_SORT_KEYS) for part in parts)


@contextmanager
def _nothing_submitted_yet() -> Iterator[None]:
    """An unclear answer about a place is no unclear answer about the run."""
    try:
        yield
    except errors.Ambiguous as error:
        raise errors.Transient(str(error), retry_after=error.retry_after) from error
    except (errors.Conflict, errors.NotFound) as error:
        raise errors.Transient(str(error)) from error


def _quoted(run_id: str) -> str:
    return urllib.parse.quote(run_id, safe="")


def _state(value: Any) -> RunState:
    try:
        return RunState(value)
    except ValueError:
        return RunState.UNKNOWN


def _time(value: Any) -> datetime | None:
    """The server says epoch 0 where it means: not yet."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError as error:
        raise errors.Transient(f"kfp: {value!r} is not a time") from error
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return parsed if parsed.timestamp() > 0 else None
