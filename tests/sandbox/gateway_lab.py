"""The whole way of a request: KServe's stand-in, gateway, node agent, and real pods that answer their version."""

from __future__ import annotations

import collections
import contextlib
import http.client
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import kserve_lab
import obstore
from kserve_lab import CLUSTER_RUNTIMES, CORE, Lab
from obstore.store import S3Store

from sklearn_sandbox import embedded, images, services

PARTS = ("kube-scheduler", "kube-controller-manager", "node", "kserve", "gateway", "minio")
IMAGE = next(iter(name for name in images.catalogue() if "/operator:" in name))
#: Answers every request with its version, and ends as a good server does: first what it was asked, then itself.
SERVER = """
import asyncio, os, signal
from aiohttp import web
async def answer(request):
    body = await request.content.read()
    await asyncio.sleep(float(request.headers.get("X-Seconds", "0")))
    return web.Response(text=os.environ["SKLEARN_MODEL_VERSION"], headers={"X-Length": str(len(body))})
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=5)
    await runner.setup()
    await web.TCPSite(runner, os.environ["SKLEARN_POD_HOST"], 8080).start()
    await stop.wait()
    await runner.cleanup()
asyncio.run(main())
"""


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Lab]:
    """A lab with a runtime of this server, and models `any/v1/` to `any/v4/` for it."""
    with embedded.cluster(home, only=PARTS) as cluster, kserve_lab.connect(cluster) as http:
        lab, sandbox = Lab(cluster, http), cluster.sandbox
        store = S3Store(
            services.BUCKET,
            endpoint=sandbox.store_endpoint,
            region=services.REGION,
            access_key_id=sandbox.access_key,
            secret_access_key=sandbox.secret_key,
            client_options={"allow_http": True},
        )
        for version in ("v1", "v2", "v3", "v4"):
            obstore.put(store, f"any/{version}/model.joblib", b"x")
        lab.until(lambda: lab.get(f"{CORE}/serviceaccounts/default"))
        lab.until(lambda: lab.get(f"{CORE}/secrets/sklearn-operator-store"))
        runtime = kserve_lab.runtime(image=IMAGE)
        runtime["spec"]["containers"][0] |= {"command": ["python", "-c", SERVER], "args": []}
        lab.apply(CLUSTER_RUNTIMES, runtime)
        yield lab


class Caller:
    """Asks without a pause on one kept connection, in a thread of its own, and keeps what it heard."""

    def __init__(self, url: str) -> None:
        self.heard: collections.Counter[str] = collections.Counter()
        self.failures: list[str] = []
        self._url, self._stop = url, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Caller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with connect(self._url) as connection:
            while not self._stop.is_set():
                try:
                    self.heard[ask(connection)] += 1
                except (OSError, http.client.HTTPException, AssertionError) as error:
                    self.failures.append(repr(error))
                    connection.close()


def connect(url: str) -> contextlib.closing[http.client.HTTPConnection]:
    return contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30))


def ask(connection: http.client.HTTPConnection, **headers: str) -> str:
    connection.request("POST", "/v2/models/any/infer", body=b"question", headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    assert (answer.status, answer.headers["X-Length"]) == (200, "8"), (answer.status, body)
    return body


def count(url: str, requests: int = 100) -> dict[str, int]:
    with connect(url) as connection:
        return dict(collections.Counter(ask(connection) for _ in range(requests)))
