"""The operator's settings with their documentation, read where they are declared.

Invariant: a setting that is added, renamed or documented anew shows here without a change of this file.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any

from sklearn_operator.runtime.settings import OperatorSettings

#: What the chart decides by itself, from its other values or from the pod.
OF_THE_CHART = frozenset(
    {"namespaces", "trainer_image", "store_access_key_id", "store_secret_access_key", "lease_namespace", "identity"}
)
#: What is for an operator that runs elsewhere than in the pods' network.
OUTSIDE = frozenset({"kubeconfig", "pod_addresses"})
#: Where the chart's default is another than the operator's, and what it adds to the comment.
_OTHERWISE: dict[str, tuple[Any, str]] = {
    "lease_name": ("", " Empty: the release's full name."),
    "log_format": ("json", ""),
}
_FIELD = re.compile(r"    (\w+): ")
_HTTP = {"pattern": "^(https?://.+)?$"}
#: What validators of the class refuse and its schema does not show, and what makes no sense in a pod.
_STRICTER: dict[str, dict[str, Any]] = {
    "kfp_url": {"pattern": "^https?://.+"},
    "kfp_ui_url": _HTTP,
    "store_endpoint": _HTTP,
    "store_uri": {"pattern": "^s3://.+"},
    "health_port": {"minimum": 1},
}


@dataclass(frozen=True)
class Setting:
    name: str
    default: Any
    #: The comment over the declaration.
    comment: str
    schema: dict[str, Any]

    @property
    def key(self) -> str:
        """Its name in the chart's values."""
        return camel(self.name)


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def documented() -> list[Setting]:
    """Those that the chart's values offer, in the order of their declaration."""
    schema = OperatorSettings.model_json_schema()["properties"]
    comments = _comments()
    found = []
    for name, described in schema.items():
        if name in OF_THE_CHART | OUTSIDE:
            continue
        default, more = _OTHERWISE.get(name, (described["default"], ""))
        kept = {key: value for key, value in described.items() if key not in ("title", "default")}
        comment = re.sub(r"``(\w+)``", lambda match: f"`{_known(match[1], schema)}`", comments[name])
        comment = comment.replace("``", "`") + more
        found.append(Setting(name, default, comment, kept | _STRICTER.get(name, {})))
    return found


def _known(word: str, names: dict[str, Any]) -> str:
    return camel(word) if word in names else word


def _comments() -> dict[str, str]:
    found: dict[str, str] = {}
    pending: list[str] = []
    for line in inspect.getsource(OperatorSettings).splitlines():
        if line.startswith("    #: "):
            pending.append(line.removeprefix("    #: ").strip())
        elif match := _FIELD.match(line):
            found[match[1]] = " ".join(pending)
            pending = []
    return found
