"""deploy/kustomize: what the chart renders, as a base, and as components what other values would change of it.

The kinds lie apart from the operator: who takes both away at once leaves models whose finalizers nobody removes.

Invariant: base and components, in any choice, build the objects that the chart renders with their values; a test asks
kubectl.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from sklearn_sandbox import helm

Manifest = dict[str, Any]

HEADER = "# Generated from the chart by `make manifests`; do not edit.\n"
#: Labels that would say Helm did it.
_HELMS = re.compile(r"^ *(app\.kubernetes\.io/managed-by: Helm|helm\.sh/chart: .*)\n", re.MULTILINE)
#: Nothing here is a release, so nothing has to outlive it.
BASE_VALUES: dict[str, Any] = {"crds": {"keep": False}, "servingRuntime": {"keep": False}}
_KINDS = "crds.yaml"
_BOTH = "To install. To remove: the models first, then base, then crds."
_ABOUT_KINDS = (
    "The kinds. Whoever removes them removes every model there is; no operator is left by then to take it down."
)
#: By what the entries of a list are known, as in Kubernetes' own merging.
_KEYS = {"containers": "name", "env": "name", "ports": "name", "volumes": "name", "volumeMounts": "mountPath"}
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": helm.NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"},
    },
}


def components(chart: Sequence[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name, a line about it, and values. `chart`: the files of the chart's `files` folder."""
    monitored = {"prometheusRule": "alerts.yaml", "dashboard": "dashboard.json"}
    return {
        "namespaces": (
            "Looks after team-a and team-b alone, without rights on the cluster. Copy it and put your own.",
            {"namespaces": ["team-a", "team-b"]},
        ),
        "multi-user": (
            "Kubeflow Pipelines that asks who calls: with a projected token.",
            {"kfp": {"token": {"enabled": True}}},
        ),
        "artifact-secrets": (
            "For models with artifacts.credentialsSecret: Secrets may be read by their names.",
            {"rbac": {"artifactSecrets": {"enabled": True}}},
        ),
        "monitoring": (
            "For Prometheus Operator and Grafana's side-car.",
            {
                "metrics": {"serviceMonitor": {"enabled": True}}
                | {kind: {"enabled": True} for kind, name in monitored.items() if name in chart}
            },
        ),
    }


def plain(documents: Sequence[helm.Document]) -> list[helm.Document]:
    return [helm.Document(one.template, _HELMS.sub("", one.text)) for one in documents]


def joined(documents: Sequence[helm.Document]) -> str:
    return HEADER + "---\n".join(one.text for one in documents)


def base(documents: Sequence[helm.Document]) -> dict[str, str]:
    """Path -> text: the kinds, everything else with the namespace, a file for each template, and both together."""
    files = {template: joined([one for one in documents if one.template == template]) for template in _names(documents)}
    kinds = {_KINDS: files.pop(_KINDS)}
    rest = {"namespace.yaml": HEADER + yaml.safe_dump(NAMESPACE, sort_keys=False), **files}
    found = {"kustomization.yaml": _kustomization({"resources": ["crds", "base"]}, _BOTH)}
    for folder, about, content in (("crds", _ABOUT_KINDS, kinds), ("base", "", rest)):
        found[f"{folder}/kustomization.yaml"] = _kustomization({"resources": list(content)}, about)
        found |= {f"{folder}/{name}": text for name, text in content.items()}
    return found


def _names(documents: Sequence[helm.Document]) -> list[str]:
    return list(dict.fromkeys(one.template for one in documents))


def component(about: str, before: Sequence[helm.Document], after: Sequence[helm.Document]) -> dict[str, str]:
    """File name -> text: what leads from the one to the other."""
    was, now = {_identity(one): one for one in before}, {_identity(one): one for one in after}
    patches: list[str] = []
    for identity in was.keys() - now.keys():
        patches.append(_dumped(_head(was[identity].manifest) | {"$patch": "delete"}))
    for identity in was.keys() & now.keys():
        change = difference(was[identity].manifest, now[identity].manifest)
        if change:
            patches.append(_dumped(_merged(_head(was[identity].manifest), change)))
    added = [now[identity] for identity in now if identity not in was]
    files = {"added.yaml": joined(added)} if added else {}
    content: dict[str, Any] = {"resources": list(files)} if files else {}
    if patches:
        content["patches"] = [{"patch": _Block(text)} for text in sorted(patches)]
    return {"kustomization.yaml": _kustomization(content, about, "Component"), **files}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Manifest:
    """A strategic merge patch that makes the one of the other."""
    found: Manifest = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if old == value:
            continue
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            found[key] = difference(old, value)
        elif key in _KEYS and isinstance(old, list):
            found[key] = _listed(old, value, _KEYS[key])
        else:
            found[key] = value
    return found


def _listed(before: list[Manifest], after: list[Manifest], key: str) -> list[Manifest]:
    was, now = {one[key]: one for one in before}, {one[key]: one for one in after}
    gone = [{key: name, "$patch": "delete"} for name in was if name not in now]
    changed = [
        {key: name, **difference(was[name], now[name])} for name in now if name in was and was[name] != now[name]
    ]
    return gone + changed + [one for name, one in now.items() if name not in was]


def _identity(document: helm.Document) -> tuple[str, str, str]:
    found = document.manifest
    return found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _head(found: Manifest) -> Manifest:
    metadata = {key: value for key, value in found["metadata"].items() if key in ("name", "namespace")}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata}


def _merged(head: Manifest, change: Manifest) -> Manifest:
    metadata = head["metadata"] | change.get("metadata", {})
    return head | change | {"metadata": metadata}


class _Block(str):
    """Shown as lines, not as one word with escapes."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_representer(
    _Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")
)


def _dumped(found: Manifest) -> str:
    return yaml.dump(found, Dumper=_Dumper, sort_keys=False, width=120)


def _kustomization(content: Manifest, about: str = "", kind: str = "Kustomization") -> str:
    version = {"Kustomization": "v1beta1", "Component": "v1alpha1"}[kind]
    head = {"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind}
    return HEADER + (f"# {about}\n" if about else "") + _dumped(head | content)
