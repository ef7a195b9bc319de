"""What a pod may learn about itself: `fieldRef` and `resourceFieldRef`.

A process sees addresses as they really are: `status.podIP` is the loopback address it can listen on (127.88.x.y), not
the 10.88.x.y that the API shows. Invariant: pure; an unknown field raises `Unsupported`, it is never empty by accident.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sklearn_sandbox.node import addresses, quantities

_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


class Unsupported(Exception):
    pass


def field(path: str, pod: Mapping[str, Any], node: str, pod_ip: str) -> str:
    metadata, spec = pod["metadata"], pod["spec"]
    address = addresses.real(pod_ip)
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": node,
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
        "status.podIP": address,
        "status.podIPs": address,
    }
    if path in simple:
        return str(simple[path])
    if path in ("metadata.labels", "metadata.annotations"):
        entries = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(entries.items()))
    if match := _SUBSCRIPT.match(path):
        return str((metadata.get(match.group(1)) or {}).get(match.group(2), ""))
    raise Unsupported(f"field {path} is not one this sandbox can give")


def resource(
    reference: Mapping[str, Any], container: Mapping[str, Any], pod: Mapping[str, Any], node: Mapping[str, str]
) -> str:
    """A limit or request; without a limit, what the node has, as with the kubelet."""
    if wanted := reference.get("containerName"):
        every = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
        container = next((one for one in every if one["name"] == wanted), container)
    kind, _, name = str(reference["resource"]).partition(".")
    if kind not in ("limits", "requests"):
        raise Unsupported(f"resource {reference['resource']} is not one this sandbox can give")
    given = (container.get("resources") or {}).get(kind, {}).get(name)
    if given is None:
        given = node.get(name, "0") if kind == "limits" else "0"
    return quantities.divided(str(given), str(reference.get("divisor", "1")))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
