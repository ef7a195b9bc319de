"""Command lines and readiness of the object store, the local stand-ins and the operator.

Invariant: the operator's environment here is the only place that tells it about the sandbox; its code has none of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sklearn_sandbox import checks, paths, processes, state
from sklearn_sandbox.node import addresses

BUCKET = "models"
STORE_SECRET = "sklearn-operator-store"
REGION = "us-east-1"
NODE = "sandbox"
#: Settings that a pod has from elsewhere: the keys from the Secret.
OF_ITS_OWN = frozenset({"STORE_ACCESS_KEY_ID", "STORE_SECRET_ACCESS_KEY", "HEALTH_HOST", "HEALTH_PORT"})
#: Settings that the chart does not offer, because pods of a real cluster are reached as their addresses say.
NO_VALUE = frozenset({"POD_ADDRESSES"})


def minio(sandbox: state.Sandbox, binaries: Mapping[str, Path]) -> list[str]:
    return [
        str(binaries["minio"]),
        "server",
        "--quiet",
        f"--address={state.LOOPBACK}:{sandbox.ports['minio']}",
        f"--console-address={state.LOOPBACK}:{sandbox.ports['minio-console']}",
        str(sandbox.home / "minio"),
    ]


def minio_env(sandbox: state.Sandbox) -> dict[str, str]:
    return {
        "MINIO_ROOT_USER": sandbox.access_key,
        "MINIO_ROOT_PASSWORD": sandbox.secret_key,
        "MINIO_REGION_NAME": REGION,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }


def minio_ready(sandbox: state.Sandbox) -> bool:
    return checks.http_ok(sandbox.ports["minio"], "/minio/health/ready")


def module(name: str, sandbox: state.Sandbox) -> list[str]:
    python = str(paths.operator_bin() / "python")
    command = [python, "-m", f"sklearn_sandbox.{name}", "--state", str(sandbox.home)]
    return [*command, "--port", str(sandbox.ports[name])]


def own_env(name: str, sandbox: state.Sandbox) -> dict[str, str]:
    return {
        "KUBECONFIG": str(sandbox.kubeconfig_of(name)),
        "SKLEARN_TRAINER_PYTHON": str(paths.trainer_python()),
        "PYTHONUNBUFFERED": "1",
    }


def kfp_ready(sandbox: state.Sandbox) -> bool:
    return checks.http_ok(sandbox.ports["kfp"], "/apis/v2beta1/healthz")


def kserve_ready(sandbox: state.Sandbox) -> bool:
    return checks.any_ok(sandbox.ports["kserve"], "/healthz")


def gateway_ready(sandbox: state.Sandbox) -> bool:
    return checks.http_ok(sandbox.ports["gateway"], "/healthz")


def node_ready(sandbox: state.Sandbox) -> bool:
    """Ready since this agent started: what an earlier one said stays in the API for a while."""
    authority, port = sandbox.authority, sandbox.ports["kube-apiserver"]
    admin, record = authority.pair("admin"), processes.recorded(sandbox.home, "node")
    path = f"/api/v1/nodes/{NODE}"
    node = checks.https_json(port, path, authority.certificate, admin) or {}
    conditions = {found["type"]: found for found in node.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    if record is None or ready.get("status") != "True":
        return False
    path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE}"
    lease = checks.https_json(port, path, authority.certificate, admin) or {}
    signs = [ready.get("lastHeartbeatTime"), lease.get("spec", {}).get("renewTime")]
    seen = [dt.datetime.fromisoformat(sign).timestamp() for sign in signs if sign]
    return not seen or max(seen) >= int(record.created)


def operator_env(sandbox: state.Sandbox) -> dict[str, str]:
    """Also for a test that starts an operator of its own beside `up(without={"operator"})`."""
    settings = {
        "KFP_URL": sandbox.kfp_url,
        "KFP_UI_URL": sandbox.kfp_url,
        "KFP_POLL_MIN": "0.1",
        "KFP_POLL_MAX": "0.15",
        "KFP_SUBMIT_PAUSE": "3",
        "STORE_URI": f"s3://{BUCKET}/",
        "STORE_ENDPOINT": sandbox.store_endpoint,
        "STORE_REGION": REGION,
        "STORE_ACCESS_KEY_ID": sandbox.access_key,
        "STORE_SECRET_ACCESS_KEY": sandbox.secret_key,
        "STANDARD_CANARY": "true",
        "KNATIVE": "true",
        "POD_ADDRESSES": f"{addresses.POD}={addresses.REAL}",
        "HEALTH_HOST": state.LOOPBACK,
        "HEALTH_PORT": str(sandbox.ports["operator"]),
    }
    prefixed = {f"SKLEARN_OPERATOR_{name}": value for name, value in settings.items()}
    return {**prefixed, "KUBECONFIG": str(sandbox.kubeconfig_of("operator")), "PYTHONUNBUFFERED": "1"}


def chart_values(sandbox: state.Sandbox) -> dict[str, Any]:
    """The same settings for the chart: its pods are processes here, and each listens on an address of its own."""
    settings: dict[str, Any] = {}
    variables = []
    for name, value in operator_env(sandbox).items():
        word = name.removeprefix("SKLEARN_OPERATOR_")
        if word in NO_VALUE:
            variables.append({"name": name, "value": value})
        elif word != name and word not in OF_ITS_OWN:
            first, *others = word.lower().split("_")
            settings[first + "".join(map(str.capitalize, others))] = yaml.safe_load(value)
    settings |= {"storeCredentialsSecret": STORE_SECRET, "healthHost": "$(SKLEARN_POD_HOST)"}
    return {"settings": settings, "extraEnv": variables}


def operator_ready(sandbox: state.Sandbox) -> bool:
    return checks.http_ok(sandbox.ports["operator"], "/readyz")
