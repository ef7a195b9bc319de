"""Which runtime serves a model.

A named runtime is looked up in the namespace first, then in the cluster. Otherwise: the runtimes that are enabled and
say `autoSelect` for the format, the exact version text and the protocol (none asked means v1); those of the namespace
first, each group by priority, the highest number first, then the newest.

Invariant: pure; a model that no runtime can serve raises InvalidSpec with KServe's reason and message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sklearn_sandbox.kserve.names import Json

_PROTOCOLS = {"v1": 1, "v2": 2, "grpc-v1": 3, "grpc-v2": 4}


class InvalidSpec(Exception):
    """`reason` and `info` go to lastFailureInfo, the text to the event."""

    def __init__(self, reason: str, info: str, text: str | None = None) -> None:
        super().__init__(text or info)
        self.reason, self.info = reason, info


@dataclass(frozen=True)
class Chosen:
    name: str
    spec: Json
    cluster_wide: bool


def choose(model: Json, namespaced: Iterable[Json], cluster: Iterable[Json]) -> Chosen:
    candidates = [*_by_rank(namespaced, model, False), *_by_rank(cluster, model, True)]
    if name := model.get("runtime"):
        return _named(name, model, candidates)
    for candidate in candidates:
        if _selectable(candidate.spec, model):
            return candidate
    shown = _label(model["modelFormat"])
    info = "No runtime found to support specified framework/version"
    raise InvalidSpec("NoSupportingRuntime", info, f"no runtime found to support predictor with model type: {shown}")


def _named(name: str, model: Json, candidates: Iterable[Chosen]) -> Chosen:
    found = next((candidate for candidate in candidates if candidate.name == name), None)
    if found is None:
        text = f"No ServingRuntimes or ClusterServingRuntimes with the name: {name}"
        raise InvalidSpec("RuntimeNotRecognized", "Waiting for runtime to become available", text)
    if found.spec.get("disabled"):
        raise InvalidSpec("RuntimeDisabled", "Specified runtime is disabled", f"specified runtime {name} is disabled")
    if model.get("protocolVersion") and not _speaks(found.spec, model["protocolVersion"]):
        wrong = "does not support specified protocol version"
        raise InvalidSpec("NoSupportingRuntime", f"Specified runtime {wrong}", f"specified runtime {name} {wrong}")
    if not _supports(found.spec, model, only_automatic=False):
        wrong = "does not support specified framework/version"
        raise InvalidSpec("NoSupportingRuntime", f"Specified runtime {wrong}", f"specified runtime {name} {wrong}")
    return found


def _selectable(spec: Json, model: Json) -> bool:
    if spec.get("disabled") or spec.get("multiModel") or spec.get("workerSpec") is not None:
        return False
    return _supports(spec, model, only_automatic=True) and _speaks(spec, model.get("protocolVersion") or "v1")


def _speaks(spec: Json, protocol: str) -> bool:
    spoken = spec.get("protocolVersions") or []
    return not spoken or protocol in spoken


def _supports(spec: Json, model: Json, *, only_automatic: bool) -> bool:
    """Versions are compared as text: "1.5" is not "1"."""
    labels = set()
    for entry in spec.get("supportedModelFormats") or []:
        if entry.get("autoSelect") or not only_automatic:
            labels |= {entry["name"], _label(entry)}
    return _label(model["modelFormat"]) in labels


def _label(entry: Json) -> str:
    return f"{entry['name']}:{entry['version']}" if entry.get("version") is not None else str(entry["name"])


def _by_rank(runtimes: Iterable[Json], model: Json, cluster_wide: bool) -> list[Chosen]:
    """Stable sorts, the weakest first: name, age, oldest protocol, priority."""
    ordered = sorted(runtimes, key=lambda item: str(item["metadata"]["name"]))
    ordered.sort(key=lambda item: str(item["metadata"].get("creationTimestamp") or ""), reverse=True)
    ordered.sort(key=lambda item: _oldest_protocol(item["spec"]))
    ordered.sort(key=lambda item: -_priority(item["spec"], model["modelFormat"]["name"]))
    return [Chosen(item["metadata"]["name"], item["spec"], cluster_wide) for item in ordered]


def _oldest_protocol(spec: Json) -> int:
    return min((_PROTOCOLS.get(name, 0) for name in spec.get("protocolVersions") or []), default=0)


def _priority(spec: Json, model_format: str) -> int:
    """Of the first entry of that name; none ranks behind every number."""
    entries: list[Json] = spec.get("supportedModelFormats") or []
    return next((int(item.get("priority") or 0) for item in entries if item["name"] == model_format), 0)
