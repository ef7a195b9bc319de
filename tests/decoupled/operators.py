"""The operator as a full process beside nothing but an API server: pipelines and store refuse every connection."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import waiting
from sklearn_operator.backends import nesting
from sklearn_operator.core import times
from sklearn_sandbox import embedded

T = TypeVar("T")


class Operator:
    """One process of this test's own; it is signalled through the handle alone."""

    def __init__(
        self, kubeconfig: Path, folder: Path, namespace: str, beside: Mapping[str, str] | None = None, **changes: str
    ) -> None:
        """``beside``: variables that are none of our settings."""
        self.log = folder / "operator.log"
        self.port = _free_port()
        settings = {
            "NAMESPACES": namespace,
            "KFP_URL": "http://127.0.0.1:9",
            "STORE_ENDPOINT": "http://127.0.0.1:9",
            "STORE_ACCESS_KEY_ID": "key",
            "STORE_SECRET_ACCESS_KEY": "a-secret-that-no-log-may-hold",
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": str(self.port),
        }
        prefixed = {f"SKLEARN_OPERATOR_{name}": value for name, value in (settings | changes).items()}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        others = {"KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1"} | dict(beside or {})
        self._environment = kept | prefixed | others
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as sink:
            command = [sys.executable, "-m", "sklearn_operator", "run"]
            self.process = subprocess.Popen(command, env=self._environment, stdout=sink, stderr=sink)

    def ready(self) -> bool:
        return self.probe("readyz") == 200

    def probe(self, name: str) -> int:
        assert self.process is not None and self.process.poll() is None, self.text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def page(self, name: str) -> str:
        """What it answers there, whatever the status; empty when it does not answer."""
        assert self.process is not None and self.process.poll() is None, self.text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=2) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()
        except OSError:
            return ""

    def metric(self, name: str, label: str = "") -> float:
        """Its first sample with that name and label, 0 where there is none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name) and label in line), 0.0)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self) -> int | None:
        """The exit code, None while it runs."""
        assert self.process is not None
        return self.process.poll()

    def stop(self) -> int:
        """Asks it to end, as Kubernetes does; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGCONT)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@contextmanager
def running(
    cluster: embedded.Cluster, folder: Path, namespace: str, beside: Mapping[str, str] | None = None, **changes: str
) -> Iterator[Operator]:
    """Under the chart's role, as its service account."""
    operator = Operator(cluster.sandbox.kubeconfig_of("operator"), folder, namespace, beside, **changes)
    operator.start()
    try:
        waiting.wait_for("the operator ready", operator.ready)
        yield operator
    finally:
        operator.stop()
        print(operator.text()[-20_000:])


@dataclass(frozen=True)
class Served:
    """A version that answers requests, by what is recorded of it; times are in seconds since the epoch."""

    trace: str
    created: int
    ready: int


class Models:
    """SklearnModels in a namespace of the test's own."""

    def __init__(self, cluster: embedded.Cluster, namespace: str) -> None:
        self._cluster, self.namespace = cluster, namespace

    def kubectl(self, *args: str, input: str | None = None) -> str:
        return self._cluster.kubectl("--namespace", self.namespace, *args, input=input).stdout

    def apply(self, name: str, params: dict[str, Any], class_name: str = "sklearn.svm.SVC") -> str:
        return self.kubectl("apply", "-f", "-", input=json.dumps(manifest(name, params, class_name)))

    def serve(self, name: str) -> Served:
        """Records a version of the model as one that was made now and is ready in four seconds."""
        version: dict[str, Any] = {
            "apiVersion": "sklearn-operator.io/v1alpha1",
            "kind": "SklearnModelVersion",
            "metadata": {"name": f"{name}-v1", "labels": {"sklearn-operator.io/model": name}},
            "spec": {
                "model": name,
                "number": 1,
                "trainingHash": "ab",
                "trigger": {"type": "SpecChange", "key": "ab"},
                "training": manifest(name, {})["spec"],
            },
        }
        model = self.get(name)["metadata"]
        owner = {"apiVersion": version["apiVersion"], "kind": "SklearnModel", "name": name, "uid": model["uid"]}
        version["metadata"]["ownerReferences"] = [owner | {"controller": True}]
        made = json.loads(self.kubectl("create", "-o", "json", "-f", "-", input=json.dumps(version)))["metadata"]
        created = datetime.fromisoformat(made["creationTimestamp"].replace("Z", "+00:00"))

        def after(seconds: int) -> str:
            return times.text(created + timedelta(seconds=seconds))

        row = {"type": "Trained", "status": "True", "reason": "Succeeded", "message": "", "observedGeneration": 1}
        status = {
            "phase": "Succeeded",
            "run": {"id": "run", "state": "SUCCEEDED", "attempt": 1, "startedAt": after(1), "finishedAt": after(2)},
            "conditions": [row | {"lastTransitionTime": after(3)}],
            "servedAt": after(4),
        }
        patch = json.dumps({"status": status})
        self.kubectl("patch", "skmv", f"{name}-v1", "--subresource=status", "--type=merge", "-p", patch)
        began = int(created.timestamp())
        return Served(hashlib.sha256(made["uid"].encode()).hexdigest()[:32], began, began + 4)

    def create_raw(self, text: str) -> None:
        """Past every JSON library of ours: kubectl sends the text as it is."""
        path = f"/apis/sklearn-operator.io/v1alpha1/namespaces/{self.namespace}/sklearnmodels"
        self.kubectl("create", "--raw", path, "-f", "-", input=text)

    def get(self, name: str) -> dict[str, Any]:
        path = f"/apis/sklearn-operator.io/v1alpha1/namespaces/{self.namespace}/sklearnmodels/{name}"
        found: dict[str, Any] = nesting.loads(self.kubectl("get", "--raw", path).encode())
        return found

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        rows = (self.get(name).get("status") or {}).get("conditions") or []
        return next((row for row in rows if row["type"] == kind), {})

    def version(self, name: str) -> str:
        return str(self.get(name)["metadata"]["resourceVersion"])


def manifest(name: str, params: dict[str, Any], class_name: str = "sklearn.svm.SVC") -> dict[str, Any]:
    return {
        "apiVersion": "sklearn-operator.io/v1alpha1",
        "kind": "SklearnModel",
        "metadata": {"name": name},
        "spec": {
            "data": {"source": {"builtin": "digits"}},
            "model": {"estimator": {"class": class_name, "params": params}},
        },
    }


def poisoned(name: str, depth: int) -> str:
    """A manifest whose parameter nests ``depth`` levels; no JSON library of Python could write it."""
    text = json.dumps(manifest(name, {"gamma": "HERE"}))
    return text.replace('"HERE"', '{"a":' * depth + "1" + "}" * depth)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
