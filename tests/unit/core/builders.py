"""Builders for the core's tests: the smallest thing that is right, with what matters named at the call."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import Any

from sklearn_operator.core import naming, observed, parameters
from sklearn_operator.runtime import resources

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
UID = "11111111-2222-3333-4444-555555555555"

DIGITS: dict[str, Any] = {
    "data": {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}},
    "model": {"estimator": {"class": "sklearn.svm.SVC", "params": {"gamma": 0.001}}},
    "serving": {},
}


@functools.cache
def catalogue() -> parameters.Catalogue:
    """The one that is shipped."""
    return parameters.Catalogue.parse(resources.catalogue())


def model(spec: dict[str, Any] | None = None, **changes: Any) -> observed.Model:
    fields: dict[str, Any] = {
        "key": observed.ModelKey("default", "digits"),
        "uid": UID,
        "generation": 1,
        "resource_version": "1",
        "spec": DIGITS if spec is None else spec,
        "finalizers": (naming.FINALIZER,),
    }
    return observed.Model(**(fields | changes))


def version(number: int = 1, phase: str | None = None, **changes: Any) -> observed.Version:
    uid = f"{number:08d}-aaaa-bbbb-cccc-dddddddddddd"
    fields: dict[str, Any] = {
        "name": f"digits-v{number}",
        "uid": uid,
        "number": number,
        "training_hash": "hash",
        "trigger_type": "SpecChange",
        "trigger_key": "hash",
        "created_at": NOW - timedelta(minutes=5),
        "training": {"data": DIGITS["data"], "model": DIGITS["model"], "training": {"timeout": "1h", "attempts": 1}},
        "finalizers": (naming.FINALIZER,),
        "resource_version": "1",
    }
    if phase is not None:
        fields["status"] = {"phase": phase}
    return observed.Version(**(fields | changes))


def run(item: observed.Version, state: str = "RUNNING", age: float = 60, **changes: Any) -> observed.Run:
    run_id = naming.run_id(item.uid, item.attempt)
    fields: dict[str, Any] = {
        "id": run_id,
        "name": naming.run_display_name("default", item.name, item.attempt, run_id),
        "state": observed.RunState(state),
        "created_at": NOW - timedelta(seconds=age),
        "finished_at": NOW - timedelta(seconds=1) if observed.RunState(state).terminal else None,
    }
    return observed.Run(**(fields | changes))
