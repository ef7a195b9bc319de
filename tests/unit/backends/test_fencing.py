"""Every adapter passes the fence before it writes, and once more when it has a connection; reading needs no leave."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from faults import proxy as faults
from sklearn_operator.backends import fencing, kfp, kubernetes, s3

OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


@dataclass
class Gate:
    """Lets ``passes`` writes through, and counts who asked."""

    passes: int = 0
    asked: int = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.asked > self.passes:
            raise fencing.Fenced("not the leader")


@dataclass
class Server:
    """Answers everything with a good word, and remembers the writes."""

    url: str = ""
    writes: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.path}")
        return web.json_response({"metadata": {"name": "a", "resourceVersion": "1"}, "multi_user": True})


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    found, app = Server(), web.Application()
    app.router.add_route("*", "/{tail:.*}", found.handle)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


#: Refused when it is asked for, or when the connection is there.
AT = [pytest.param(0, id="at once"), pytest.param(1, id="once connected")]


@pytest.mark.parametrize("passes", AT)
async def test_kubernetes(server: Server, tmp_path: Path, passes: int) -> None:
    kubeconfig, gate = tmp_path / "kubeconfig", Gate(passes)
    kubeconfig.write_text(faults.Proxy({}, {"kubernetes": int(server.url.rpartition(":")[2])}).kubeconfig())
    async with kubernetes.connect(str(kubeconfig), "test", gate) as client:
        assert await client.get(kubernetes.MODELS, "default", "a") is not None
        assert gate.asked == 0
        status = {"metadata": {"name": "a", "resourceVersion": "1"}, "status": {}}
        calls: list[Any] = [
            lambda: client.create(kubernetes.EVENTS, "default", OBJECT),
            lambda: client.apply(kubernetes.INFERENCE_SERVICES, "default", OBJECT, revision="1"),
            lambda: client.replace_status(kubernetes.MODELS, "default", "a", status),
            lambda: client.edit(kubernetes.MODELS, "default", "a", []),
            lambda: client.delete(kubernetes.VERSIONS, "default", "a"),
        ]
        for call in calls:
            gate.asked = 0
            with pytest.raises(fencing.Fenced):
                await call()
            assert gate.asked == passes + 1
        assert server.writes == []
        gate.asked, gate.passes = 0, 100
        for call in calls:
            await call()
    assert len(server.writes) == len(calls)


@pytest.mark.parametrize("passes", AT)
async def test_pipelines(server: Server, passes: int) -> None:
    gate = Gate(passes)
    async with kfp.connect(server.url, fence=gate) as backend:
        assert (await backend.healthy()).multi_user
        assert gate.asked == 0
        for call in (backend.terminate, backend.delete):
            gate.asked = 0
            with pytest.raises(fencing.Fenced):
                await call("a-run")
            assert gate.asked == passes + 1
        assert server.writes == []
        gate.asked, gate.passes = 0, 100
        await backend.delete("a-run")
    assert server.writes == ["DELETE /apis/v2beta1/runs/a-run"]


async def test_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand at a time: whoever loses the Lease in between stops there."""
    deleted: list[int] = []

    async def keys(_: Any, root: str) -> AsyncIterator[str]:
        for number in range(2500):
            yield f"{root}/{number}"

    async def delete(_: Any, batch: list[str]) -> None:
        deleted.append(len(batch))

    monkeypatch.setattr(s3.S3ArtifactStore, "_keys", keys)
    monkeypatch.setattr(s3.obstore, "delete_async", delete)
    access = {"endpoint": "http://127.0.0.1:9", "access_key_id": "a", "secret_access_key": "b"}
    with pytest.raises(fencing.Fenced):
        await s3.S3ArtifactStore("s3://models", **access, fence=Gate(2)).delete("s3://models/digits")
    assert deleted == [1000, 1000]
    assert await s3.S3ArtifactStore("s3://models", **access).delete("s3://models/digits") == 2500
