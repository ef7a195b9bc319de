"""Objects whose status the operator itself decided: scenarios put through the plan, as the API server would store them.

Invariant: no status is written by hand, so what the scripts for Argo CD are tested on cannot drift from the report.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scenarios import given
from sklearn_operator.backends import objects
from sklearn_operator.core import actions, naming, parameters, plan, trouble
from sklearn_operator.core import observed as facts
from sklearn_operator.runtime import resources

SCENARIOS = Path(given.__file__).parent
Json = dict[str, Any]


@functools.cache
def scenarios() -> Mapping[str, Json]:
    """All of tests/scenarios, by file and name."""
    files = {file.stem: yaml.safe_load(file.read_text()) for file in sorted(SCENARIOS.glob("*.yaml"))}
    return {f"{stem}: {one['scenario']}": one for stem, found in files.items() for one in found}


def named(begin: str) -> Json:
    """The scenario whose name begins like this."""
    (found,) = [scenario for scenario in scenarios().values() if scenario["scenario"].startswith(begin)]
    return found


def decided(scenario: Json) -> tuple[facts.Observed, plan.Plan]:
    seen = given.observed(scenario)
    return seen, plan.plan(seen, given.settings_of(scenario), _catalogue(), given.NOW)


@functools.cache
def _catalogue() -> parameters.Catalogue:
    return parameters.Catalogue.parse(resources.catalogue())


def model(scenario: Json, in_trouble: str | None = None) -> Json:
    """The SklearnModel after that pass, with all that is reported of it then."""
    seen, done = decided(scenario)
    status = dict(done.status if done.status is not None else seen.model.status)
    if in_trouble is not None:
        status = trouble.troubled(seen.model, in_trouble, given.NOW)
    return {
        "apiVersion": naming.API_VERSION,
        "kind": "SklearnModel",
        "metadata": _metadata(seen.model.key.name, seen.model.uid, seen.model.generation)
        | ({"annotations": dict(seen.model.annotations)} if seen.model.annotations else {})
        | ({"deletionTimestamp": "2026-01-01T12:00:00Z"} if seen.model.deleting else {}),
        "spec": dict(seen.model.spec),
        # The CRD's own default, before the first report.
        "status": {"observedGeneration": -1} | status,
    }


def versions(scenario: Json) -> dict[str, Json]:
    """The SklearnModelVersions by name, as that pass leaves them."""
    seen, done = decided(scenario)
    reported = {act.version: act.status for act in done.actions if isinstance(act, actions.ReportVersion)}
    return {one.name: _version(seen.model, one, reported.get(one.name, one.status)) for one in seen.versions}


def _version(owner: facts.Model, version: facts.Version, status: Mapping[str, Any]) -> Json:
    action = actions.CreateVersion(
        version.name,
        version.number,
        version.training_hash,
        version.trigger_type,
        version.trigger_key,
        dict(version.training),
        version.retrain,
    )
    body = objects.new_version(owner, action)
    return body | {
        "metadata": _metadata(version.name, version.uid, 1) | body["metadata"],
        "status": dict(status),
    }


def _metadata(name: str, uid: str, generation: int) -> Json:
    return {
        "name": name,
        "namespace": given.KEY.namespace,
        "uid": uid,
        "generation": generation,
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T11:00:00Z",
        "finalizers": [naming.FINALIZER],
    }
