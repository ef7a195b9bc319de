"""The whole operator process against a real API server: bad manifests, restarts, lost watches, the way to end."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

import collector as collectors
from decoupled import operators
from everything import rights
from sklearn_sandbox import embedded, objects
from waiting import wait_for

DEEP = 9_000


@pytest.fixture
def models(cluster: embedded.Cluster) -> Iterator[operators.Models]:
    namespace = f"operator-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", namespace)
    found = operators.Models(cluster, namespace)
    yield found
    found.kubectl("delete", "skm", "--all", "--wait=false")


@pytest.fixture
def operator(cluster: embedded.Cluster, models: operators.Models, tmp_path: Path) -> Iterator[operators.Operator]:
    with operators.running(cluster, tmp_path, models.namespace) as running:
        yield running


def test_a_poisoned_manifest_is_refused_and_delays_nobody(
    cluster: embedded.Cluster, models: operators.Models, operator: operators.Operator, tmp_path: Path
) -> None:
    models.create_raw(operators.poisoned("poisoned", DEEP))
    models.create_raw(operators.poisoned("middling", 300))
    models.apply("good", {"gamma": 0.001})
    wait_for("the good model's version", lambda: "good-v1" in models.kubectl("get", "skmv", "-o", "name"))
    for name in ("poisoned", "middling"):
        row = wait_for(f"Valid of {name}", lambda name=name: models.condition(name, "Valid"), 60)
        assert (row["status"], row["reason"]) == ("False", "Invalid")
        assert "nested deeper than 64 levels" in row["message"]
    assert operator.stop() == 0
    before = {name: models.version(name) for name in ("poisoned", "middling")}
    again = tmp_path / "again"
    again.mkdir()
    with operators.running(cluster, again, models.namespace) as second:
        models.apply("late", {"gamma": 0.001})
        wait_for("the late model's version", lambda: "late-v1" in models.kubectl("get", "skmv", "-o", "name"))
        assert {name: models.version(name) for name in before} == before
        assert "Traceback" not in second.text()
    assert "Traceback" not in operator.text()


def test_a_bad_manifest_says_so_and_neither_a_second_apply_nor_a_restart_writes(
    cluster: embedded.Cluster, models: operators.Models, operator: operators.Operator, tmp_path: Path
) -> None:
    models.apply("bad", {"gama": 0.001})
    row = wait_for("Valid", lambda: models.condition("bad", "Valid"))
    assert row["status"] == "False" and "gama" in row["message"]
    before = models.version("bad")
    assert "unchanged" in models.apply("bad", {"gama": 0.001})
    assert operator.stop() == 0
    again = tmp_path / "again"
    again.mkdir()
    with operators.running(cluster, again, models.namespace, RESYNC_PERIOD="0.5") as second:
        listed = "sklearn_operator_listings_total"
        wait_for("two relistings", lambda: second.metric(listed, 'result="ok"') >= 8)
        assert models.version("bad") == before
        assert second.metric("sklearn_operator_models") == 1
        models.apply("bad", {"gamma": 0.001})
        wait_for("Valid again", lambda: models.condition("bad", "Valid").get("status") == "True")


def test_its_calls_are_those_of_its_service_account(
    cluster: embedded.Cluster, models: operators.Models, operator: operators.Operator
) -> None:
    """What the audit of the whole session is looked through for (conftest.py)."""
    models.apply("good", {"gamma": 0.001})
    wait_for("the good model's version", lambda: "good-v1" in models.kubectl("get", "skmv", "-o", "name"))
    account = f"{objects.SYSTEM_NAMESPACE}:sklearn-operator"
    assert rights.Right("create", "sklearn-operator.io", "sklearnmodelversions") in rights.used(
        cluster.sandbox.home / "audit.log", account
    )


def test_it_ends_when_asked_and_its_log_holds_no_secret(models: operators.Models, operator: operators.Operator) -> None:
    models.apply("good", {"gamma": 0.001})
    row = wait_for("trouble told", lambda: _retrying(models.condition("good", "Reconciling")))
    assert "cannot connect" in row["message"]
    assert operator.probe("livez") == operator.probe("readyz") == 200
    assert operator.stop() == 0
    text = operator.text()
    assert "a-secret-that-no-log-may-hold" not in text
    assert "Traceback" not in text


def test_whoever_begins_tells_the_trace_of_what_became_ready_shortly_before(
    cluster: embedded.Cluster, models: operators.Models, tmp_path: Path
) -> None:
    """As if the one before had been killed between its last record and its last batch."""
    models.apply("good", {"gamma": 0.001})
    served = models.serve("good")
    with collectors.collecting() as collector:
        beside = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with operators.running(cluster, tmp_path, models.namespace, beside, LOG_FORMAT="json") as running:
            spans = wait_for("the whole trace", lambda: collector.spans if len(collector.spans) == 4 else None)
            wait_for("the count", lambda: running.metric("sklearn_operator_spans_total", 'result="sent"') == 4)
            wait_for("a line about it", lambda: f'"trace_id":"{served.trace}"' in running.text())
            assert running.stop() == 0
    assert {span.trace_id.hex() for span in spans} == {served.trace}
    assert [span.name for span in spans] == ["submit", "train", "rollout", "apply to ready"]
    *parts, root = spans
    assert {span.parent_span_id for span in parts} == {root.span_id} and root.parent_span_id == b""
    assert root.start_time_unix_nano == served.created * 10**9
    assert root.end_time_unix_nano == served.ready * 10**9
    assert collector.resource["service.name"] == "sklearn-operator"


def _retrying(row: dict[str, Any]) -> dict[str, Any] | None:
    return row if row.get("reason") == "Retrying" else None


async def test_a_watch_that_dies_ends_the_process_with_a_word(
    cluster: embedded.Cluster, models: operators.Models, tmp_path: Path
) -> None:
    async with _refusing_watches(cluster, tmp_path, "sklearnmodelversions") as kubeconfig:
        operator = operators.Operator(kubeconfig, tmp_path, models.namespace)
        operator.start()
        assert operator.process is not None
        try:
            code = await asyncio.to_thread(operator.process.wait, 90)
        finally:
            operator.process.kill()
            operator.process.wait()
    assert code not in (0, -9), operator.text()[-5000:]
    assert "to be started again" in operator.text().splitlines()[-1]


@contextlib.asynccontextmanager
async def _refusing_watches(cluster: embedded.Cluster, folder: Path, plural: str) -> AsyncIterator[Path]:
    """An API server that answers 400 to watches of one kind and is the real one in everything else."""
    authority = cluster.sandbox.authority
    pair = authority.pair("operator")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(str(pair.certificate), str(pair.key))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False) as session:

        async def serve(request: web.Request) -> web.StreamResponse:
            if plural in request.path and "watch" in request.query:
                return web.json_response({"kind": "Status", "code": 400, "message": "refused by the test"}, status=400)
            address, body = cluster.server + request.raw_path, await request.read()
            headers = {"Accept": "application/json"} | ({"Content-Type": request.content_type} if body else {})
            async with session.request(
                request.method, address, data=body or None, headers=headers, ssl=context
            ) as answer:
                response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
                with contextlib.suppress(ConnectionError):  # the operator hangs up when it ends
                    await response.prepare(request)
                    async for chunk in answer.content.iter_any():
                        await response.write(chunk)
                return response

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", serve)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        path = folder / "proxied.kubeconfig"
        server = f"http://127.0.0.1:{runner.addresses[0][1]}"
        path.write_text(yaml.safe_dump(_plain(server)))
        try:
            yield path
        finally:
            await runner.cleanup()


def _plain(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "proxy",
        "clusters": [{"name": "proxy", "cluster": {"server": server}}],
        "users": [{"name": "proxy", "user": {}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
    }
