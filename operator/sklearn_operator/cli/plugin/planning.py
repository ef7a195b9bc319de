"""``kubectl sklearn plan``: what an apply would do, by the API server's and the operator's own decisions.

Invariant: nothing is written: objects go through a dry run of the API server, and the function that decides is the one
that decides in the controller.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pydantic

from sklearn_operator.api import crd
from sklearn_operator.backends import errors, objects
from sklearn_operator.cli.plugin import diffs, kubectl, manifests, stages
from sklearn_operator.core import actions, naming, observed, parameters, plan, validation
from sklearn_operator.core.settings import Settings
from sklearn_operator.runtime import resources, settings

NOTHING, FAILED, CHANGES = 0, 1, 2

Json = Mapping[str, Any]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True)
class _Rules:
    """By what manifests are judged."""

    settings: Settings
    catalogue: parameters.Catalogue


def report(text: str, cluster: kubectl.Kubectl | None) -> tuple[int, list[str]]:
    """Exit status and lines about a file. Without ``cluster`` its models alone are judged."""
    documents = manifests.documents(text)
    rules = _rules()
    refusals = [line for one in documents if one.get("kind") == manifests.MODEL for line in _refused(one, rules)]
    if refusals:
        return FAILED, refusals
    if cluster is None:
        return NOTHING, [f"{_name(one)}: valid" for one in documents if one.get("kind") == manifests.MODEL]
    lines, changes, differences = [], False, []
    for document in documents:
        live, after = _applied(document, cluster)
        found = diffs.unified(live, after)
        if document.get("kind") == manifests.MODEL:
            done, more = _planned(after, live, cluster, rules)
            lines += [f"{_name(document)}: valid" + ("" if found or done else ", nothing would change"), *done]
            found += more
            changes = changes or bool(done)
        differences += ["", *found] if found else []
    return (CHANGES if changes or differences else NOTHING), lines + differences


def _rules() -> _Rules:
    """By the settings of this environment: of the operator's own nobody tells a user's machine."""
    try:
        chosen = settings.OperatorSettings()
    except pydantic.ValidationError as error:
        raise kubectl.Failed(f"wrong settings: {settings.describe(error)}") from error
    return _Rules(chosen.for_core(), parameters.Catalogue.parse(resources.catalogue()))


def _name(document: Json) -> str:
    return str((document.get("metadata") or {}).get("name"))


def _refused(document: Json, rules: _Rules) -> Iterator[str]:
    problems = [*_misnamed(document)]
    if not problems:
        metadata = document["metadata"]
        key = observed.ModelKey(str(metadata.get("namespace") or "default"), metadata["name"])
        try:
            validation.accept(
                observed.Model(key, "", 1, "0", document.get("spec") or {}), rules.settings, rules.catalogue
            )
        except validation.NotAccepted as refusal:
            problems = [str(problem) for problem in refusal.problems]
    if problems:
        yield f"{_name(document)}: not valid"
        yield from (f"  {problem}" for problem in problems)


def _misnamed(document: Json) -> Iterator[str]:
    """What the API server would say before it looks at the spec."""
    version, metadata = document.get("apiVersion"), document.get("metadata")
    if version != f"{crd.GROUP}/{crd.VERSION}":
        yield f"apiVersion: {version!r}: must be {crd.GROUP}/{crd.VERSION}"
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield f"metadata.name: {name!r}: must be a text of lower-case letters, digits, '-' and '.'"
    for field in document:
        if field not in ("apiVersion", "kind", "metadata", "spec", "status"):
            yield f"{field}: is no field of a SklearnModel"


def _applied(document: Json, cluster: kubectl.Kubectl) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The object as it is, and as an apply would leave it."""
    text = json.dumps(document)
    found = cluster.text("get", "-f", "-", "--ignore-not-found", "-o", "json", stdin=text)
    after = cluster.text("apply", "-f", "-", "--dry-run=server", "-o", "json", stdin=text)
    live = json.loads(found) if found.strip() else {"items": []}
    # Of what comes from a file kubectl makes a list, be it of one.
    items = live.get("items", [live])
    return (dict(items[0]) if items else None), dict(json.loads(after))


def _planned(after: Json, live: Json | None, cluster: kubectl.Kubectl, rules: _Rules) -> tuple[list[str], list[str]]:
    """What the operator would do, and the difference it would make to the InferenceService."""
    cluster = cluster.within(after["metadata"]["namespace"])
    # What a dry run makes has a uid that it will not keep, and no resource version.
    kept = live["metadata"] if live is not None else {"uid": "", "resourceVersion": "0"}
    metadata = after["metadata"] | {name: kept[name] for name in ("uid", "resourceVersion")}
    model = replace(objects.model({**after, "metadata": metadata}), finalizers=(naming.FINALIZER,))
    try:
        spec = validation.accept(model, rules.settings, rules.catalogue)
    except validation.NotAccepted as refusal:
        raise kubectl.Failed(f"{model.key.name}, as an apply would leave it: {refusal.message}") from refusal
    known = _versions(cluster, model)
    service = cluster.existing("inferenceservices.serving.kserve.io", model.key.name, "--show-managed-fields")
    unfinished = {one.name: observed.Attempt(run=None) for one in known if not one.finished}
    seen = observed.Observed(
        model=model,
        versions=known,
        attempts=unfinished,
        unanswered=dict.fromkeys(unfinished, "not asked"),
        serving=observed.Serving(service=service),
    )
    decided = plan.plan(seen, rules.settings, rules.catalogue, datetime.now(UTC)).actions
    lines = [f"  {line}" for action in decided for line in stages.told(action, spec, known, service)]
    return lines, _service(decided, service)


def _versions(cluster: kubectl.Kubectl, model: observed.Model) -> tuple[observed.Version, ...]:
    if not model.uid:
        return ()
    raw = [one for one in cluster.versions(model.key.name) if objects.owned_by(one, model.uid)]
    try:
        return tuple(objects.version(one) for one in raw)
    except errors.Rejected as error:
        raise kubectl.Failed(str(error)) from error


def _service(decided: Sequence[actions.Action], service: observed.Json | None) -> list[str]:
    for action in decided:
        match action:
            case actions.ApplyInferenceService():
                wanted = diffs.merged(service, action.manifest) if service is not None else dict(action.manifest)
                return ["", *found] if (found := diffs.unified(service, wanted)) else []
            case actions.DeleteInferenceService():
                return ["", *diffs.unified(service, None)]
    return []
