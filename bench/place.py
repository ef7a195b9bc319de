"""A sandbox of the bench's own, and what it is asked while something is measured.

Invariant: it lies in a temporary folder and is gone when the block is left, however it is left; the user's own sandbox
is never touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
from obstore.store import S3Store

from bench import audit
from sklearn_sandbox import embedded, lifecycle, processes, services, state

T = TypeVar("T")
MODELS = "/apis/sklearn-operator.io/v1alpha1/namespaces/default/sklearnmodels"
VERSIONS = "/apis/sklearn-operator.io/v1alpha1/namespaces/default/sklearnmodelversions"
SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
PATIENCE = 240.0


class NotMeasured(Exception):
    """What was waited for did not happen."""


@dataclass(frozen=True)
class Place:
    """A running sandbox."""

    sandbox: state.Sandbox
    api: httpx.Client

    @property
    def audit(self) -> audit.Log:
        return audit.Log(self.sandbox.home / "audit.log", lifecycle.IDENTITIES["operator"].name)

    def get(self, path: str) -> dict[str, Any] | None:
        answer = self.api.get(path)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def list(self, path: str) -> list[dict[str, Any]]:
        return list((self.get(path) or {}).get("items", []))

    def create(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        answer = self.api.post(path, json=document, params={"fieldValidation": "Strict"})
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made

    def patch(self, path: str, changes: dict[str, Any]) -> None:
        """A merge patch."""
        self.api.patch(path, json=changes, headers={"Content-Type": "application/merge-patch+json"}).raise_for_status()

    def operator(self) -> psutil.Process:
        record = processes.recorded(self.sandbox.home, "operator")
        found = processes.process(record) if record is not None else None
        if found is None:
            raise NotMeasured("the operator does not run")
        return found

    def quiet(self) -> None:
        """Until the sandbox has digested what went before, so that a warm start is one."""

        def busy() -> float:
            return sum(_seconds(process) for process in processes.marked(self.sandbox.home))

        def calm() -> bool:
            before, began = busy(), time.monotonic()
            time.sleep(1.0)
            return (busy() - before) / (time.monotonic() - began) < 0.15

        wait_for("a quiet sandbox", calm)


def wait_for(what: str, condition: Callable[[], T | None], seconds: float = PATIENCE, poll: float = 0.02) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(poll)
    raise NotMeasured(f"{what}: not within {seconds:.0f} s")


@contextlib.contextmanager
def opened(only: Collection[str] | None = None) -> Iterator[Place]:
    """``only``: the components that are wanted, None for all; the API server writes an audit log."""
    os.environ["SKLEARN_SANDBOX_AUDIT"] = "1"
    home = Path(tempfile.mkdtemp(prefix="sklearn-bench-"))
    try:
        with embedded.cluster(home, only=only) as cluster:
            with httpx.Client(base_url=cluster.server, verify=_trust(cluster.sandbox), timeout=30.0) as api:
                yield Place(cluster.sandbox, api)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def store(sandbox: state.Sandbox) -> S3Store:
    """The bucket of the sandbox."""
    return S3Store(
        services.BUCKET,
        endpoint=sandbox.store_endpoint,
        region=services.REGION,
        access_key_id=sandbox.access_key,
        secret_access_key=sandbox.secret_key,
        client_options={"allow_http": True, "timeout": "10 minutes"},
        virtual_hosted_style_request=False,
    )


def _trust(sandbox: state.Sandbox) -> ssl.SSLContext:
    pair = sandbox.authority.pair("admin")
    context = ssl.create_default_context(cafile=str(sandbox.authority.certificate))
    context.load_cert_chain(str(pair.certificate), str(pair.key))
    return context


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
