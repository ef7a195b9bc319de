"""What KServe's webhook adds to a predictor's pod: the init container that downloads the model, with its credentials.

Invariant: pure. The Secret is the one that the InferenceService's annotation names, else those of the ServiceAccount;
without a ServiceAccount there are no credentials at all, and nobody says so before the download fails.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Sequence

from sklearn_sandbox.kserve import names
from sklearn_sandbox.kserve.names import Json

_ACCESS, _SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
_ANNOTATIONS = {
    "S3_ENDPOINT": "s3-endpoint",
    "S3_USE_HTTPS": "s3-usehttps",
    "S3_VERIFY_SSL": "s3-verifyssl",
    "awsAnonymousCredential": "s3-useanoncredential",
    "AWS_DEFAULT_REGION": "s3-region",
    "S3_USER_VIRTUAL_BUCKET": "s3-usevirtualbucket",
    "S3_USE_ACCELERATE": "s3-useaccelerate",
    "AWS_CA_BUNDLE": "s3-cabundle",
    "AWS_CA_BUNDLE_CONFIGMAP": "s3-cabundle-configmap",
}
_HUGGING_FACE = {
    "HF_HUB_ENABLE_HF_TRANSFER": "1",
    "HF_XET_HIGH_PERFORMANCE": "1",
    "HF_XET_NUM_CONCURRENT_RANGE_GETS": "8",
}
#: As KServe's Helm chart installs it (kserve.storage.containerSecurityContext); its plain manifests have none.
_SECURITY_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}
_RESOURCES = {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def source_uri(pod: Json) -> str | None:
    """What has to be downloaded; None where nothing is to be done (or was done already)."""
    present = {item["name"] for item in pod["spec"].get("initContainers") or []}
    if names.INITIALIZER in present:
        return None
    return names.annotations_of(pod).get(names.SOURCE_URI)


def secret_names(pod: Json, account: Json | None) -> list[str]:
    if account is None:
        return []
    if named := names.annotations_of(pod).get(names.STORAGE_SECRET):
        return [named]
    return [item["name"] for item in account.get("secrets") or []]


def inject(pod: Json, uri: str, secrets: Sequence[Json]) -> Json:
    changed = copy.deepcopy(pod)
    spec = changed["spec"]
    server = next((item for item in spec["containers"] if item["name"] == names.CONTAINER), None)
    if server is None:
        raise LookupError(f"Invalid configuration: cannot find container: {names.CONTAINER}")
    writable = names.annotations_of(pod).get(names.STORAGE_READONLY) == "false"
    server.setdefault("volumeMounts", []).append(_mount(read_only=not writable))
    environment: dict[str, Json] = {}
    for secret in secrets:
        environment |= {item["name"]: item for item in _credentials(secret)}
    environment |= {name: {"name": name, "value": value} for name, value in _HUGGING_FACE.items()}
    initializer = {
        "name": names.INITIALIZER,
        "image": names.INITIALIZER_IMAGE,
        "args": [uri, names.MODEL_PATH],
        "env": list(environment.values()),
        "resources": copy.deepcopy(_RESOURCES),
        "securityContext": copy.deepcopy(_SECURITY_CONTEXT),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [_mount(read_only=False)],
    }
    spec.setdefault("initContainers", []).append(initializer)
    spec.setdefault("volumes", []).append({"name": names.MODEL_VOLUME, "emptyDir": {}})
    return changed


def _mount(*, read_only: bool) -> Json:
    mount: Json = {"name": names.MODEL_VOLUME, "mountPath": names.MODEL_PATH}
    return {**mount, "readOnly": True} if read_only else mount


def _credentials(secret: Json) -> list[Json]:
    """Environment from an S3 Secret: the keys by reference, the rest as text from its annotations (or its data)."""
    if _SECRET not in (secret.get("data") or {}):
        return []
    reference = {"name": secret["metadata"]["name"]}
    keys: list[Json] = [
        {"name": key, "valueFrom": {"secretKeyRef": {**reference, "key": key}}} for key in (_ACCESS, _SECRET)
    ]
    said = {name: _said(secret, name, annotation) for name, annotation in _ANNOTATIONS.items()}
    endpoint = said.pop("S3_ENDPOINT").strip()
    use_https = said.pop("S3_USE_HTTPS")
    if endpoint:
        said = {**_endpoint(endpoint, use_https), **said}
    return [*keys, *({"name": name, "value": value} for name, value in said.items() if value)]


def _said(secret: Json, name: str, annotation: str) -> str:
    annotations = names.annotations_of(secret)
    if (key := f"{names.GROUP}/{annotation}") in annotations:
        return annotations[key]
    return base64.b64decode((secret.get("data") or {}).get(name, "")).decode()


def _endpoint(endpoint: str, use_https: str) -> dict[str, str]:
    """A scheme in the endpoint wins; without one, and without `s3-usehttps: "0"`, it is https."""
    for scheme, flag in (("https://", "1"), ("http://", "0")):
        if endpoint.lower().startswith(scheme):
            return {"S3_USE_HTTPS": flag, "S3_ENDPOINT": endpoint[len(scheme) :], "AWS_ENDPOINT_URL": endpoint}
    url = f"{'http' if use_https == '0' else 'https'}://{endpoint}"
    return {"S3_USE_HTTPS": use_https, "S3_ENDPOINT": endpoint, "AWS_ENDPOINT_URL": url}
