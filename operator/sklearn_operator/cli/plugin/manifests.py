"""A manifest file, read as kubectl and the API server read it.

Invariant: a value has the type that it would have in the cluster: `1e-3` is a number, `1.0` arrives as `1`, a date is a
text, `y` and `no` are booleans. What kubectl would refuse as YAML is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from sklearn_operator.cli.plugin import kubectl

MODEL = "SklearnModel"
_EXACT = 2**53
_BOOLEANS = {"y": True, "yes": True, "on": True, "true": True, "n": False, "no": False, "off": False, "false": False}
_KEYS = {True: "true", False: "false", None: "null"}


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as Go reads it."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.value != "<<"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _boolean(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> bool:
    return _BOOLEANS[node.value.lower()]


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Of PyYAML's own only those for null, merge keys and value keys stay."""
    kept = {
        first: [(tag, shape) for tag, shape in known if tag.rpartition(":")[2] in ("null", "merge", "value")]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    words = "y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE|n|N|no|No|NO|off|Off|OFF|false|False|FALSE"
    for tag, shape, firsts in (
        ("bool", rf"^(?:{words})$", "yYnNtTfFoO"),
        ("int", r"^[-+]?(?:0b[01_]+|0[0-7_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*)$", "-+0123456789"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
        ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+."),
    ):
        for first in firsts:
            kept.setdefault(first, []).append((f"tag:yaml.org,2002:{tag}", re.compile(shape)))
    return kept


_Loader.yaml_implicit_resolvers = _resolvers()
_Loader.add_constructor("tag:yaml.org,2002:bool", _boolean)


def documents(text: str) -> list[dict[str, Any]]:
    """The objects in a file of any number of documents; raises Failed where there is no SklearnModel among them."""
    try:
        read = [_arrived(one) for one in yaml.load_all(text, Loader=_Loader) if one is not None]
    except (yaml.YAMLError, ValueError) as error:
        raise kubectl.Failed(f"the file is not YAML: {error}") from error
    found: list[dict[str, Any]] = []
    for one in read:
        if not isinstance(one, dict):
            raise kubectl.Failed(f"a document of the file is no object: {str(one)[:80]!r}")
        items = one.get("items") if one.get("kind") == "List" else None
        found += items if isinstance(items, list) else [one]
    if not any(one.get("kind") == MODEL for one in found):
        raise kubectl.Failed("there is no SklearnModel in the file")
    return found


def _arrived(value: Any) -> Any:
    """As JSON has it, on the way through Go."""
    if isinstance(value, dict):
        return {_key(key): _arrived(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_arrived(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value


def _key(key: Any) -> str:
    return _KEYS[key] if key is None or isinstance(key, bool) else str(key)
