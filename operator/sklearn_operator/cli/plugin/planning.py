"""``kubectl sklearn plan``: what an apply would do, by the operator's own decision.

Invariant: nothing is written; the same function decides here and in the controller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import yaml

from sklearn_operator.backends import errors, objects
from sklearn_operator.cli.plugin import kubectl
from sklearn_operator.core import actions, naming, observed, parameters, plan, serving, validation
from sklearn_operator.core.settings import Settings
from sklearn_operator.runtime import resources
from sklearn_operator.runtime.settings import OperatorSettings

NOTHING, FAILED, CHANGES = 0, 1, 2


def manifests(text: str) -> list[dict[str, Any]]:
    """The SklearnModels in a YAML file of any number of documents."""
    try:
        documents = [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
    except yaml.YAMLError as error:
        raise kubectl.Failed(f"the file is not YAML: {error}") from error
    found = [one for one in documents if one.get("kind") == "SklearnModel"]
    if not found:
        raise kubectl.Failed("there is no SklearnModel in the file")
    return found


def report(manifest: Mapping[str, Any], cluster: kubectl.Kubectl | None) -> tuple[int, list[str]]:
    """Exit status and lines. Without ``cluster`` the manifest alone is judged."""
    metadata = manifest.get("metadata") or {}
    name, namespace = str(metadata.get("name")), metadata.get("namespace")
    if cluster is not None and namespace:
        cluster = cluster.within(str(namespace))
    settings = OperatorSettings().for_core()
    catalogue = parameters.Catalogue.parse(resources.catalogue())
    model = _model(manifest, name, str(namespace or "default"), _live(cluster, name))
    try:
        validation.accept(model, settings, catalogue)
    except validation.NotAccepted as refusal:
        return FAILED, [f"{name}: not valid", *(f"  {problem}" for problem in refusal.problems)]
    if cluster is None:
        return NOTHING, [f"{name}: valid"]
    lines = list(_changes(model, cluster, settings, catalogue))
    return (CHANGES, [f"{name}: valid", *lines]) if lines else (NOTHING, [f"{name}: valid, nothing would change"])


def _live(cluster: kubectl.Kubectl | None, name: str) -> Mapping[str, Any] | None:
    if cluster is None:
        return None
    return cluster.existing("sklearnmodels.sklearn-operator.io", name)


def _model(manifest: Mapping[str, Any], name: str, namespace: str, live: Mapping[str, Any] | None) -> observed.Model:
    spec = manifest.get("spec") or {}
    if live is not None:
        before = objects.model(live)
        annotations = (manifest.get("metadata") or {}).get("annotations") or {}
        return replace(before, spec=spec, annotations=dict(before.annotations) | annotations)
    return observed.Model(observed.ModelKey(namespace, name), "", 1, "0", spec, finalizers=(naming.FINALIZER,))


def _changes(
    model: observed.Model, cluster: kubectl.Kubectl, settings: Settings, catalogue: parameters.Catalogue
) -> Iterator[str]:
    try:
        raw = [one for one in cluster.versions(model.key.name) if objects.owned_by(one, model.uid)]
        known = tuple(objects.version(one) for one in raw)
    except errors.Rejected as error:
        raise kubectl.Failed(str(error)) from error
    service = cluster.existing("inferenceservices.serving.kserve.io", model.key.name, "--show-managed-fields")
    unfinished = {one.name: observed.Attempt(run=None) for one in known if not one.finished}
    seen = observed.Observed(
        model=model,
        versions=known,
        attempts=unfinished,
        unanswered=dict.fromkeys(unfinished, "not asked"),
        serving=observed.Serving(service=service),
    )
    for action in plan.plan(seen, settings, catalogue, datetime.now(UTC)).actions:
        yield from _told(action, service)


def _told(action: actions.Action, service: observed.Json | None) -> Iterator[str]:
    match action:
        case actions.CreateVersion():
            yield f"  train {action.name} ({action.trigger_type}): prepare, train, evaluate, publish"
        case actions.ApplyInferenceService() if service is None:
            yield f"  create InferenceService {action.manifest['metadata']['name']} with {action.version}"
        case actions.ApplyInferenceService() if shares := action.manifest["spec"].get("canary"):
            share = f"{shares[0]['trafficPercent']} % of the requests"
            yield f"  change InferenceService {action.manifest['metadata']['name']}: {action.version} gets {share}"
        case actions.ApplyInferenceService():
            where = serving.differs(action.manifest, service) if service is not None else None
            yield f"  change InferenceService {action.manifest['metadata']['name']} ({where}): {action.version} serves"
        case actions.DeleteInferenceService():
            yield f"  delete InferenceService {action.name}"
        case actions.DeleteVersion():
            yield f"  delete {action.name} with its artifacts (spec.history.limit)"
        case _:
            return
