"""What would change, as a unified diff of YAML.

Invariant: pure; what the API server keeps for itself is left out, and no value of a Secret is shown.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

Json = Mapping[str, Any]

_OF_THE_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SECRET = ("data", "stringData")


class _Dumper(yaml.SafeDumper):
    """Texts of many lines line by line, so that a diff shows which of them differ."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def unified(before: Json | None, after: Json | None) -> list[str]:
    """The lines of the diff; None: the object is not there. No lines: nothing changes."""
    named = after or before or {}
    name = f"{named.get('kind')}/{(named.get('metadata') or {}).get('name')}"
    shown = [_lines(one) for one in _hidden(_cleaned(before), _cleaned(after))]
    headings = [name if one is not None else "(absent)" for one in (before, after)]
    return list(difflib.unified_diff(shown[0], shown[1], headings[0], headings[1], lineterm="", n=2))


def merged(live: Json, wanted: Json) -> dict[str, Any]:
    """The live object with our fields as wanted: what others set stays. Items of lists go by their names."""
    out = dict(copy.deepcopy(live))
    for key, value in wanted.items():
        before = out.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            out[key] = merged(before, value)
        elif isinstance(value, list) and isinstance(before, list):
            out[key] = [_item(before, item) for item in value]
        else:
            out[key] = value
    return out


def _item(live: list[Any], wanted: Any) -> Any:
    if isinstance(wanted, Mapping) and "name" in wanted:
        for one in live:
            if isinstance(one, Mapping) and one.get("name") == wanted["name"]:
                return merged(one, wanted)
    return wanted


def changed(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """``field old -> new``, for every leaf that differs."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*after, *(key for key in before if key not in after)]:
            yield from changed(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif before != after:
        yield f"{path} {_brief(before)} -> {_brief(after)}"


def _brief(value: Any) -> str:
    if value is None:
        return "(absent)"
    text = " ".join(yaml.safe_dump(value, default_flow_style=True, width=10_000).split()).removesuffix(" ...")
    return text if len(text) <= 60 else f"{text[:57]}..."


def _cleaned(found: Json | None) -> dict[str, Any] | None:
    if found is None:
        return None
    metadata = {key: value for key, value in found["metadata"].items() if key not in _OF_THE_SERVER}
    annotations = {
        key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key != _LAST_APPLIED
    }
    if annotations:
        metadata["annotations"] = annotations
    return {key: value for key, value in found.items() if key != "status"} | {"metadata": metadata}


def _hidden(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[Json | None, Json | None]:
    """Of a Secret: which values differ, and none of them."""
    if "Secret" not in ((before or {}).get("kind"), (after or {}).get("kind")):
        return before, after
    sides = [copy.deepcopy(side) if side is not None else None for side in (before, after)]
    for part in _SECRET:
        held = [(side or {}).get(part) or {} for side in sides]
        for name in {name for values in held for name in values}:
            same = held[0].get(name) == held[1].get(name)
            for values, word in zip(held, ("*** (before)", "*** (after)"), strict=True):
                if name in values:
                    values[name] = "***" if same else word
    return sides[0], sides[1]


def _lines(found: Json | None) -> list[str]:
    if found is None:
        return []
    return yaml.dump(found, Dumper=_Dumper, sort_keys=True, width=120, allow_unicode=True).splitlines()
