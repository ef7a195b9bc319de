"""The environment of one container, with everything that `env` and `envFrom` refer to.

Invariant: nothing of the agent's own environment reaches a container, save that it belongs to this sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from sklearn_sandbox import images, state
from sklearn_sandbox.node import addresses, downward, environment, lookup

#: Where clients of Kubernetes look for their credentials; no flag tells them otherwise.
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
#: A file of the pod's folder that stands for it.
KUBECONFIG = "kubeconfig"
#: Tells the processes of pods from those of the sandbox itself.
POD_MARKER = "SKLEARN_SANDBOX_POD"
_NAME = re.compile(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")


def base(
    home: Path, pod: Mapping[str, Any], ip: str, server: str, image: images.Image, private: Path
) -> dict[str, str]:
    address = urlsplit(server)
    return {
        "PATH": f"{image.bin}:{environment.SYSTEM_PATH}",
        "HOME": str(private),
        "TMPDIR": str(private / "tmp"),
        "HOSTNAME": pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": str(address.hostname),
        "KUBERNETES_SERVICE_PORT": str(address.port or 443),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(address.port or 443),
        "SKLEARN_POD_HOST": addresses.real(ip),
        state.MARKER: str(home),
        POD_MARKER: pod["metadata"]["uid"],
        **image.env,
    }


async def resolve(
    container: Mapping[str, Any],
    pod: Mapping[str, Any],
    found: lookup.Lookup,
    ip: str,
    node: Mapping[str, str],
) -> tuple[list[dict[str, str]], list[tuple[str, str, bool]]]:
    """What `envFrom` and `env` give, for `environment.combine`. Raises lookup.Missing."""
    namespace = pod["metadata"]["namespace"]
    bulk = []
    for source in container.get("envFrom") or []:
        values = await _whole(source, namespace, found)
        prefix = source.get("prefix", "")
        bulk.append(
            {prefix + key: text.decode(errors="replace") for key, text in values.items() if _NAME.match(prefix + key)}
        )
    single = []
    for entry in container.get("env") or []:
        reference = entry.get("valueFrom")
        if not reference:
            single.append((entry["name"], entry.get("value", ""), True))
            continue
        value = await _referred(reference, container, pod, found, ip, node)
        if value is not None:
            single.append((entry["name"], value, False))
    return bulk, single


async def _whole(source: Mapping[str, Any], namespace: str, found: lookup.Lookup) -> Mapping[str, bytes]:
    if reference := source.get("secretRef"):
        return await found.secret(namespace, reference["name"], bool(reference.get("optional"))) or {}
    if reference := source.get("configMapRef"):
        return await found.config_map(namespace, reference["name"], bool(reference.get("optional"))) or {}
    return {}


async def _referred(
    reference: Mapping[str, Any],
    container: Mapping[str, Any],
    pod: Mapping[str, Any],
    found: lookup.Lookup,
    ip: str,
    node: Mapping[str, str],
) -> str | None:
    """None when it is optional and not there."""
    namespace = pod["metadata"]["namespace"]
    if wanted := reference.get("fieldRef"):
        return downward.field(wanted["fieldPath"], pod, pod["spec"]["nodeName"], ip)
    if wanted := reference.get("resourceFieldRef"):
        return downward.resource(wanted, container, pod, node)
    if wanted := reference.get("secretKeyRef"):
        optional = bool(wanted.get("optional"))
        values = await found.secret(namespace, wanted["name"], optional)
        place = f"Secret {namespace}/{wanted['name']}"
    elif wanted := reference.get("configMapKeyRef"):
        optional = bool(wanted.get("optional"))
        values = await found.config_map(namespace, wanted["name"], optional)
        place = f"ConfigMap {namespace}/{wanted['name']}"
    else:
        raise downward.Unsupported(f"valueFrom.{next(iter(reference), '')} is not known to this sandbox")
    text = (values or {}).get(wanted["key"])
    if text is None and not optional:
        raise lookup.Missing(f"couldn't find key {wanted['key']} in {place}")
    return None if text is None else text.decode(errors="replace")


def kubeconfig(server: str, account: Path, namespace: str) -> str:
    """The pod's way to the API server: clients look for their token in a folder that only a real mount could give."""
    token = account / "token"  # as a file for clients that read it again, as text for those that do not know files
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "clusters": [{"name": "pod", "cluster": {"server": server, "certificate-authority": str(account / "ca.crt")}}],
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod", "namespace": namespace}}],
        "users": [{"name": "pod", "user": {"tokenFile": str(token), "token": token.read_text()}}],
    }
    return yaml.safe_dump(document, sort_keys=False)
