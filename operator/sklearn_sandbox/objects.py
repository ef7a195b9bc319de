"""What a fresh control plane needs before the operator is useful: CRDs, the serving runtime, RBAC, the store's Secret.

Invariant: everything is applied on the server's side under one field manager, so doing it again changes nothing.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn_sandbox import errors, paths, services, state

MANAGER = "sklearn-sandbox"
SYSTEM_NAMESPACE = "sklearn-operator-system"
STORE_SECRET = services.STORE_SECRET
#: Folders of CRDs, and what is applied once the CRDs are there. What a checkout does not have is left out.
CRD_FOLDERS = ("crds", "operator/sklearn_sandbox/kserve/crds")
MANIFESTS = ("deploy/rbac.yaml", "deploy/runtime")


def apply_crds(sandbox: state.Sandbox, kubectl: Path) -> None:
    found = _existing(CRD_FOLDERS)
    if found:
        flags = [flag for path in found for flag in ("-f", str(path))]
        _apply(sandbox, kubectl, flags)
        run(sandbox, kubectl, ["wait", "--for=condition=Established", "--timeout=30s", *flags])


def apply_objects(sandbox: state.Sandbox, kubectl: Path) -> None:
    # In the operator's own namespace it is for one that the chart installs there.
    secrets = [store_secret(sandbox), store_secret(sandbox, SYSTEM_NAMESPACE)]
    documents = {"apiVersion": "v1", "kind": "List", "items": [namespace(SYSTEM_NAMESPACE), *secrets]}
    _apply(sandbox, kubectl, ["-f", "-"], json.dumps(documents))
    flags = [flag for path in _existing(MANIFESTS) for flag in ("-f", str(path))]
    if flags:
        _apply(sandbox, kubectl, flags)


def namespace(name: str, level: str = "restricted") -> dict[str, Any]:
    """``level``: of Pod Security, to which all pods there have to keep."""
    labels = {"pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def store_secret(sandbox: state.Sandbox, where: str = "default") -> dict[str, Any]:
    """In the one form that both tasks (environment) and KServe's storage initializer (annotations) understand."""
    values = {
        "AWS_ACCESS_KEY_ID": sandbox.access_key,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret_key,
        "AWS_ENDPOINT_URL": sandbox.store_endpoint,
        "AWS_REGION": services.REGION,
    }
    annotations = {
        "serving.kserve.io/s3-endpoint": sandbox.store_endpoint.removeprefix("http://"),
        "serving.kserve.io/s3-usehttps": "0",
        "serving.kserve.io/s3-region": services.REGION,
        "serving.kserve.io/s3-verifyssl": "0",
        "serving.kserve.io/s3-usevirtualbucket": "0",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": STORE_SECRET, "namespace": where, "annotations": annotations},
        "type": "Opaque",
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in values.items()},
    }


def run(sandbox: state.Sandbox, kubectl: Path, arguments: Sequence[str], text: str | None = None) -> str:
    """kubectl against this sandbox; whatever else the user's environment says is ignored."""
    command = [str(kubectl), "--kubeconfig", str(sandbox.kubeconfig), *arguments]
    environ: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "HOME": str(sandbox.home)}
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=dict(environ))
    if done.returncode != 0:
        raise errors.SandboxError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout


def _apply(sandbox: state.Sandbox, kubectl: Path, flags: Sequence[str], text: str | None = None) -> None:
    options = ["--server-side", "--force-conflicts", f"--field-manager={MANAGER}"]
    run(sandbox, kubectl, ["apply", *options, *flags], text)


def _existing(names: Sequence[str]) -> list[Path]:
    """Files, and folders with at least one manifest (kubectl refuses an empty folder)."""
    found = [paths.project_root() / name for name in names]
    return [path for path in found if path.is_file() or any(path.glob("*.yaml"))]
