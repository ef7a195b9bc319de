"""docs/reference/api.md, from the CustomResourceDefinitions.

Invariant: what `kubectl explain` says and nothing else, so the page cannot know better than the API server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn_operator.api import base, crd

Json = Mapping[str, Any]

_INTRODUCTION = """# API reference

Group `{group}`, version `{version}`. Every field of both kinds, as in the CustomResourceDefinitions; `kubectl explain
skm.spec.model` shows the same. How the fields work together: [data](../data.md), [pipelines](../pipelines.md),
[scripts](../scripts.md), [tuning](../tuning.md), [evaluation](../evaluation.md), [training](../control.md),
[versions and rollout](../versions.md).
"""


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION.format(group=crd.GROUP, version=crd.VERSION)]
    for document in (crd.sklearn_model(), crd.sklearn_model_version()):
        parts += _kind(document)
    return "\n".join(parts)


def _kind(document: Json) -> Iterator[str]:
    names = document["spec"]["names"]
    root = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']}\n"
    short = ", ".join(f"`{name}`" for name in names["shortNames"])
    yield f"{_text(root['description'])} Short name {short}; in the category `ml`.\n"
    columns = document["spec"]["versions"][0]["additionalPrinterColumns"]
    yield "Columns of `kubectl get`: " + ", ".join(
        f"`{one['name']}`" + (" (with `-o wide`)" if one.get("priority") else "") for one in columns
    )
    yield ""
    for rule in root.get(base.VALIDATIONS, ()):
        yield f"- Rule: {_text(rule['message'])}\n"
    for part in ("spec", "status"):
        yield from _section(root["properties"][part], part, names["singular"])


def _section(node: Json, path: str, kind: str) -> Iterator[str]:
    """An object with its fields, then the objects below it."""
    properties = node.get("properties")
    if not properties:
        return
    yield f"### {kind}: {path}\n"
    if about := node.get("description"):
        yield f"{_text(about)}\n"
    for rule in node.get(base.VALIDATIONS, ()):
        yield f"- Rule: {_text(rule['message'])}"
    if node.get(base.VALIDATIONS):
        yield ""
    yield "| field | type | |"
    yield "|---|---|---|"
    required = set(node.get("required", ()))
    for name, child in properties.items():
        yield _row(name, child, f"{path}.{name}", kind, name in required)
    yield ""
    for name, child in properties.items():
        yield from _section(_item(child), f"{path}.{name}{_suffix(child)}", kind)


def _row(name: str, node: Json, path: str, kind: str, required: bool) -> str:
    shown = f"`{name}`"
    if _item(node).get("properties"):
        shown = f"[`{name}`](#{_anchor(kind, path + _suffix(node))})"
    about = " ".join(
        part
        for part in ("**Required.**" if required else "", _text(node.get("description", "")), _limits(node))
        if part
    )
    return f"| {shown} | {_type(node)} | {about} |"


def _item(node: Json) -> Json:
    """What a list or a map is made of, else the node itself."""
    inner = node.get("items") or node.get("additionalProperties")
    return _item(inner) if isinstance(inner, Mapping) else node


def _suffix(node: Json) -> str:
    return "[]" if "items" in node else ".*" if isinstance(node.get("additionalProperties"), Mapping) else ""


def _type(node: Json) -> str:
    if node.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if isinstance(node.get("items"), Mapping):
        return f"list of {_type(node['items'])}"
    if isinstance(node.get("additionalProperties"), Mapping):
        return f"map of {_type(node['additionalProperties'])}"
    return str(node.get("type", "any"))


def _limits(node: Json) -> str:
    said = []
    if choices := node.get("enum"):
        said.append("One of " + ", ".join(f"`{choice}`" for choice in choices))
    least, most = node.get("minimum"), node.get("maximum")
    if least is not None:
        said.append(f"{'Above' if node.get('exclusiveMinimum') else 'At least'} {least}")
    if most is not None:
        said.append(f"{'below' if node.get('exclusiveMaximum') else 'at most'} {most}")
    if "maxLength" in node and "enum" not in node:
        said.append(f"at most {node['maxLength']} characters")
    if "maxItems" in node:
        said.append(f"at most {node['maxItems']} items")
    text = ", ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _text(text: str) -> str:
    """One line, safe in a table and as Markdown."""
    line = " ".join(str(text).split())
    for sign in "|<>*_":
        line = line.replace(sign, f"\\{sign}")
    return line


def _anchor(kind: str, path: str) -> str:
    """As the site and code hosts make it out of the heading."""
    return f"{kind}-" + "".join(sign for sign in path.lower() if sign.isalnum())
