"""What the tests of this room hold in their hands: the sandbox, an operator, an operator behind the fault proxy."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import obstore
import urllib3
import yaml
from obstore.store import S3Store

import waiting
from everything import rights
from faults import proxy as faults
from sklearn_sandbox import embedded, services, state

T = TypeVar("T")

_OURS, _KSERVE = "/apis/sklearn-operator.io/v1alpha1", "/apis/serving.kserve.io/v1beta1"
#: Where the API server has the objects of a kind.
KINDS = {
    "skm": f"{_OURS}/*/sklearnmodels",
    "skmv": f"{_OURS}/*/sklearnmodelversions",
    "isvc": f"{_KSERVE}/*/inferenceservices",
    "deployments": "/apis/apps/v1/*/deployments",
    "pods": "/api/v1/*/pods",
    "secret": "/api/v1/*/secrets",
}


@dataclass
class World:
    """The sandbox with what a test asks of it."""

    cluster: embedded.Cluster

    @property
    def sandbox(self) -> state.Sandbox:
        return self.cluster.sandbox

    def kubectl(self, *args: str, **options: Any) -> str:
        return self.cluster.kubectl(*args, **options).stdout

    def get(self, kind: str, name: str | None = None, namespace: str = "default") -> Any:
        """The object, None when absent; a list of objects without a name. Polled often, so without kubectl."""
        path = f"{KINDS[kind].replace('/*/', f'/namespaces/{namespace}/')}{f'/{name}' if name else ''}"
        answer = self.connections.request("GET", f"{self.sandbox.server}{path}")
        if answer.status == 404 and name:
            return None
        if answer.status != 200:
            raise AssertionError(f"GET {path}: {answer.status} {answer.data.decode()}")
        document = answer.json()
        return document if name else document["items"]

    @functools.cached_property
    def connections(self) -> urllib3.PoolManager:
        """To the API server, kept open: most of a look would be the handshake."""
        return urllib3.PoolManager(maxsize=8, ssl_context=self.administrator, timeout=30.0, retries=2)

    @functools.cached_property
    def administrator(self) -> ssl.SSLContext:
        pair = self.sandbox.authority.pair("admin")
        context = ssl.create_default_context(cafile=str(self.sandbox.authority.certificate))
        context.load_cert_chain(str(pair.certificate), str(pair.key))
        return context

    @functools.cached_property
    def roles(self) -> rights.Roles:
        """What an operator of one namespace may do there."""
        return rights.Roles()

    @property
    def audit(self) -> Path:
        return self.sandbox.home / "audit.log"

    def kubeconfig(self, namespace: str, account: str) -> str:
        """As a pod of that service account would be known to the API server."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.sandbox.server}{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30, context=self.administrator) as answer:
            token = json.loads(answer.read())["status"]["token"]
        return rights.kubeconfig(self.sandbox.server, self.sandbox.authority.certificate, token)

    def names(self, kind: str, namespace: str = "default") -> list[str]:
        return [item["metadata"]["name"] for item in self.get(kind, None, namespace)]

    def apply(self, document: dict[str, Any] | str) -> str:
        text = document if isinstance(document, str) else yaml.safe_dump(document)
        return self.kubectl("apply", "-f", "-", input=text)

    def condition(self, name: str, kind: str, namespace: str = "default") -> dict[str, Any]:
        model = self.get("skm", name, namespace) or {}
        rows = (model.get("status") or {}).get("conditions") or []
        generation = (model.get("metadata") or {}).get("generation")
        return next((row for row in rows if row["type"] == kind and row.get("observedGeneration") == generation), {})

    def wait_condition(self, name: str, kind: str, status: str = "True", seconds: float = 300.0) -> dict[str, Any]:
        def seen() -> dict[str, Any] | None:
            row = self.condition(name, kind)
            return row if row.get("status") == status else None

        try:
            return waiting.wait_for(f"{kind}={status} of {name}", seen, seconds)
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n{self.kubectl('get', 'skm,skmv,isvc,pods', '-A', '-o', 'wide')}\n"
                f"{self.kubectl('get', 'skm', name, '-o', 'yaml', check=False)}"
            ) from None

    def picture(self, namespace: str) -> str:
        """What a person would look at when something does not happen."""
        rows = self.kubectl("get", "skm,skmv,isvc,deployments,pods", "-n", namespace, "-o", "wide", check=False)
        return rows + self.kubectl("get", "skm,skmv,isvc,deployments", "-n", namespace, "-o", "yaml", check=False)

    def ready(self, model: dict[str, Any] | None) -> bool:
        """Ready, by a report about the manifest as it is now."""
        rows = {row["type"]: row for row in ((model or {}).get("status") or {}).get("conditions", [])}
        ready = rows.get("Ready", {})
        return model is not None and (ready.get("status"), ready.get("observedGeneration")) == (
            "True",
            model["metadata"]["generation"],
        )

    def wait_gone(self, kind: str, name: str, seconds: float = 300.0, namespace: str = "default") -> None:
        waiting.wait_for(f"{kind} {name} gone", lambda: self.get(kind, name, namespace) is None, seconds)

    def kfp(self, path: str, method: str = "GET", body: Any = None) -> Any:
        return self.http(f"{self.sandbox.kfp_url}{path}", method, body)

    def kserve_status(self, fault: str | None) -> None:
        """``late``, ``twice`` or ``never``: how KServe reports from now on; None: as it should."""
        port = self.sandbox.ports["kserve"]
        request = urllib.request.Request(
            f"https://127.0.0.1:{port}/sandbox/faults", data=json.dumps({"status": fault}).encode()
        )
        with urllib.request.urlopen(request, timeout=30, context=self.administrator) as answer:
            answer.read()

    def text(self, url: str) -> str:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return str(answer.read().decode())

    def http(self, url: str, method: str = "GET", body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def runs(self, namespace: str = "default") -> list[dict[str, Any]]:
        experiments = self.kfp(f"/apis/v2beta1/experiments?namespace={namespace}").get("experiments", [])
        found: list[dict[str, Any]] = []
        for experiment in experiments:
            listed = self.kfp(f"/apis/v2beta1/runs?experiment_id={experiment['experiment_id']}&page_size=200")
            found += listed.get("runs", [])
        return found

    def executions(self, run_id: str) -> int:
        return int(self.kfp(f"/sandbox/executions?run_id={run_id}")["count"])

    def objects(self, prefix: str, bucket: str = services.BUCKET) -> list[str]:
        """Keys in the store below ``prefix``."""
        return [entry["path"] for batch in obstore.list(self.store(bucket), prefix) for entry in batch]

    def put(self, key: str, content: bytes) -> None:
        obstore.put(self.store(), key, content)

    def delete(self, key: str) -> None:
        obstore.delete(self.store(), key)

    def read(self, key: str) -> bytes:
        return bytes(obstore.get(self.store(), key).bytes())

    def store(self, bucket: str = services.BUCKET) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.sandbox.store_endpoint,
            region=services.REGION,
            access_key_id=self.sandbox.access_key,
            secret_access_key=self.sandbox.secret_key,
            client_options={"allow_http": True},
            virtual_hosted_style_request=False,
        )


@dataclass
class Operator:
    """The operator as a process of the test's own."""

    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sklearn_operator", "run"],
                env=self.environment,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    def wait_ready(self, seconds: float = 120.0) -> None:
        port = self.environment["SKLEARN_OPERATOR_HEALTH_PORT"]
        waiting.wait_for(
            "the operator ready", lambda: self.alive() and _answers(f"http://127.0.0.1:{port}/readyz"), seconds
        )

    def actions(self, kind: str) -> int:
        """How many actions of that kind it has carried out since it was started."""
        return self.counted(f'sklearn_operator_actions_total{{action="{kind}"}} ')

    def passes(self) -> int:
        """How many passes it has made since it was started."""
        return self.counted("sklearn_operator_reconcile_seconds_count ")

    def counted(self, prefix: str) -> int:
        """The sum of its metrics whose lines begin so."""
        port = self.environment["SKLEARN_OPERATOR_HEALTH_PORT"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(int(float(line.removeprefix(prefix))) for line in lines if line.startswith(prefix))

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """At once, without a chance to say goodbye."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)

    def revive(self) -> None:
        """Starts it, after it was killed or for the first time."""
        if self.process is not None:
            self.kill()
            self.process.wait(10)
        self.start()
        self.wait_ready()

    def stop(self) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def operator_environment(world: World, **changes: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    settings = services.operator_env(world.sandbox)
    settings["SKLEARN_OPERATOR_HEALTH_PORT"] = str(free_port())
    # The sandbox asks ten times a second, for the one model of a demo; here many are trained at once.
    settings |= {"SKLEARN_OPERATOR_KFP_POLL_MIN": "0.3", "SKLEARN_OPERATOR_KFP_POLL_MAX": "0.6"}
    return inherited | settings | {"SKLEARN_SANDBOX": str(world.sandbox.home)} | changes


@asynccontextmanager
async def behind_proxy(world: World, folder: Path, **changes: str) -> AsyncIterator[tuple[faults.Proxy, Operator]]:
    """An operator that reaches all its servers through the fault proxy, not started yet."""
    sandbox = world.sandbox
    pair = sandbox.authority.pair("operator")
    context = ssl.create_default_context(cafile=str(sandbox.authority.certificate))
    context.load_cert_chain(str(pair.certificate), str(pair.key))
    upstreams = {
        "kubernetes": (sandbox.server, context),
        "kfp": (sandbox.kfp_url, None),
        "s3": (sandbox.store_endpoint, None),
    }
    async with faults.running(upstreams) as proxy:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(proxy.kubeconfig())
        environment = operator_environment(
            world,
            KUBECONFIG=str(kubeconfig),
            SKLEARN_OPERATOR_KFP_URL=f"http://127.0.0.1:{proxy.ports['kfp']}",
            SKLEARN_OPERATOR_STORE_ENDPOINT=f"http://127.0.0.1:{proxy.ports['s3']}",
            **changes,
        )
        running = Operator(environment, folder / "operator.log")
        try:
            yield proxy, running
        finally:
            await asyncio.to_thread(running.stop)
        print(running.log.read_text()[-20_000:] if running.log.exists() else "")
