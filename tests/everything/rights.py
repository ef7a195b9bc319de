"""What operators did, by the API server's own audit log, against what their roles let them do.

Invariant: only what the authorizer said counts; a webhook's refusal is not a missing right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sklearn_sandbox import helm

#: Where the name of a namespace belongs.
_PLACE = "the-town"
RELEASE = "town"
#: What operators are called, in front of whose service account's name stands that of its namespace.
OPERATORS = ("sklearn-operator", f"{RELEASE}-sklearn-operator")


@dataclass(frozen=True, order=True)
class Right:
    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


#: No call of its own: the API server asks for it while it admits an owner reference that blocks the owner's deletion.
#: That it is needed shows in tests/decoupled/test_chart.py.
UNSEEN = frozenset({Right("update", "sklearn-operator.io", "sklearnmodels/finalizers")})


def granted(manifests: Iterable[Mapping[str, Any]]) -> set[Right]:
    """By all roles among the objects; those that are collected into the roles of people are not the operator's."""
    found = set()
    for manifest in manifests:
        if any("aggregate-to" in label for label in manifest["metadata"].get("labels", {})):
            continue
        for rule in manifest.get("rules", []):
            for group in rule["apiGroups"]:
                found |= {Right(verb, group, name) for verb in rule["verbs"] for name in rule["resources"]}
    return found


def used(log: Path, account: str) -> set[Right]:
    """By that service account, `namespace:name`."""
    found = set()
    for entry in _entries(log, (account,)):
        target = entry.get("objectRef")
        if target is None or _forbidden(entry):
            continue
        resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
        right = Right(entry["verb"], target.get("apiGroup", ""), resource)
        found.add(right)
        # Server-side apply of what was not there takes the right to create it, too.
        if entry["verb"] == "patch" and entry.get("responseStatus", {}).get("code") == 201:
            found.add(Right("create", right.group, right.resource))
    return found


def forbidden(log: Path, accounts: tuple[str, ...] = OPERATORS, until: str = "9") -> list[str]:
    """Calls that a role did not allow, before a moment (as the log writes it)."""
    return [
        f"{entry['user']['username']}: {entry['verb']} {entry['requestURI']}"
        for entry in _entries(log, accounts)
        if _forbidden(entry) and entry["requestReceivedTimestamp"] < until
    ]


def _forbidden(entry: Mapping[str, Any]) -> bool:
    return bool((entry.get("annotations") or {}).get("authorization.k8s.io/decision") == "forbid")


def _entries(log: Path, accounts: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    ends = tuple(f":{account}" for account in accounts)
    with log.open() as lines:
        for line in lines:
            # A line that is just being written does not end yet. Most lines are of others: parse few.
            if any(f'{end}","' in line for end in ends) and line.endswith("\n"):
                entry: dict[str, Any] = json.loads(line)
                if entry["user"]["username"].endswith(ends):
                    yield entry


def kubeconfig(server: str, authority: Path, token: str) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "account",
        "clusters": [{"name": "account", "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": "account", "user": {"token": token}}],
        "contexts": [{"name": "account", "context": {"cluster": "account", "user": "account"}}],
    }
    return yaml.safe_dump(document)


class Roles:
    """The chart's objects about rights, for an operator of one namespace; rendered once."""

    def __init__(self) -> None:
        values = {"namespaces": [_PLACE], "rbac": {"artifactSecrets": {"enabled": True}}}
        kinds = ("ServiceAccount", "Role", "RoleBinding")
        rendered = [one.manifest for one in helm.ensure().render(values, release=RELEASE, namespace=_PLACE)]
        self._text = json.dumps([manifest for manifest in rendered if manifest["kind"] in kinds])

    def objects(self, namespace: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._text.replace(f'"{_PLACE}"', json.dumps(namespace)))
        return found

    @property
    def account(self) -> str:
        return next(one["metadata"]["name"] for one in self.objects("any") if one["kind"] == "ServiceAccount")
