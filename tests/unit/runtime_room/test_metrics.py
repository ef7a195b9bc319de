"""What is counted, under which names, and that nothing is counted of what is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser

from sklearn_operator.backends import errors, kfp_http, kubernetes, metering
from sklearn_operator.core import actions, announcing, observed
from sklearn_operator.runtime import fleet
from sklearn_operator.runtime.cache import MODEL, Cache
from sklearn_operator.runtime.metrics import Metrics
from unit.core import builders

NOW, ONCE = builders.NOW, "2026-01-01T00:00:00Z"
DOCUMENTED = Path(__file__).parents[3] / "docs/observability.md"


def filled() -> Metrics:
    """With one of everything."""
    metrics, cache = Metrics(), Cache()
    known = fleet.Fleet(cache, per_model=True)
    metrics.watch(depth=lambda: 1, failing=lambda: 2, longest=lambda: 3, leading=lambda: True, fleet=known)
    put(cache, "team", "a", 1, phase="Ready", lastTrainedTime=ONCE, nextScheduleTime=ONCE)
    leaving = {"name": "b", "namespace": "team", "resourceVersion": "2", "deletionTimestamp": ONCE}
    cache.put(MODEL, observed.ModelKey("team", "b"), {"metadata": leaving})
    with metrics.reconciling("team"):
        metrics.acted(actions.AddFinalizer())
    metrics.reported("team", builders.version(), {"phase": "Succeeded"}, NOW)
    metrics.called("kfp", "get runs", "200", 0.1)
    metrics.waited(0.5)
    metrics.retried()
    metrics.listed("ok")
    metrics.traced("sent", 1)
    return metrics


def put(cache: Cache, namespace: str, name: str, revision: int, suspend: bool = False, **status: str) -> None:
    metadata = {"name": name, "namespace": namespace, "resourceVersion": str(revision)}
    raw = {"metadata": metadata, "spec": {"suspend": suspend}, "status": status}
    cache.put(MODEL, observed.ModelKey(namespace, name), raw)


def test_names_units_and_help_keep_to_the_conventions() -> None:
    metrics = filled()
    families = list(metrics.registry.collect())
    for family in families:
        assert family.name.startswith(("sklearn_operator_", "process_"))
        assert family.documentation.endswith((".", "seconds")) or family.name.startswith("process_"), family
        assert "millis" not in family.name and "minutes" not in family.name
        if family.type == "histogram":
            assert family.name.endswith("_seconds"), family
    assert len({family.name for family in families}) == len(families)
    text = metrics.render().decode()
    assert {family.name for family in parser.text_string_to_metric_families(text)} >= {
        "sklearn_operator_models",
        "sklearn_operator_trainings",
        "sklearn_operator_backend_requests",
    }


def test_the_documentation_lists_them_as_they_are() -> None:
    rows = []
    for family in sorted(filled().registry.collect(), key=lambda family: family.name):
        if not family.name.startswith("process_"):
            labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
            name = family.name + ("_total" if family.type == "counter" else "")
            rows.append(f"| `{name}` | {family.type} | {', '.join(labels) or '-'} | {family.documentation} |")
    told = [line for line in DOCUMENTED.read_text().splitlines() if line.startswith("| `sklearn_operator_")]
    assert told == rows, "docs/observability.md should have\n" + "\n".join(rows)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "ok"),
        (errors.Transient("no answer"), "unavailable"),
        (errors.Rejected("no"), "refused"),
        (ValueError("a bug"), "error"),
    ],
)
def test_passes_by_result(error: Exception | None, result: str) -> None:
    metrics = Metrics()
    try:
        with metrics.reconciling("team"):
            if error is not None:
                raise error
    except (errors.BackendError, ValueError) as raised:
        assert raised is error
    assert value(metrics, "reconciles_total", result=result) == 1
    assert value(metrics, "reconcile_seconds_count") == 1


def test_a_training_is_counted_when_it_ends_and_not_when_it_is_judged_again() -> None:
    metrics = Metrics()
    running = builders.version(2, "Running", created_at=NOW - timedelta(minutes=7))
    for before, phase in ((running, "Running"), (running, "Succeeded"), (with_phase(running, "Succeeded"), "Rejected")):
        metrics.reported("team", before, {"phase": phase}, NOW)
    assert value(metrics, "trainings_total", namespace="team", result="succeeded") == 1
    assert value(metrics, "trainings_total", namespace="team", result="rejected") is None
    assert value(metrics, "training_duration_seconds_sum", result="succeeded") == 420


def with_phase(version: observed.Version, phase: str) -> observed.Version:
    return replace(version, status={"phase": phase})


def test_rollouts_are_counted_by_what_became_of_them() -> None:
    metrics = Metrics()
    before = builders.version(2, "Succeeded")
    served = {"phase": "Succeeded", "conditions": [{"type": "Served", "status": "True"}]}
    back = {"phase": "Succeeded", "rolledBack": {"serving": "x", "message": "crash"}}
    metrics.reported("team", before, served, NOW)
    metrics.reported("team", replace(before, status=served), served, NOW)
    metrics.reported("team", before, back, NOW)
    metrics.reported("team", replace(before, status=back), back, NOW)
    assert value(metrics, "rollouts_total", namespace="team", result="served") == 1
    assert value(metrics, "rollouts_total", namespace="team", result="rolled_back") == 1


def test_only_repairs_count_as_repairs() -> None:
    metrics = Metrics()
    metrics.done("team", {}, actions.ApplyInferenceService({}, "digits-v1"), NOW)
    metrics.done("team", {}, actions.ApplyInferenceService({}, "digits-v1", "7", "it was deleted"), NOW)
    metrics.done("team", {}, announcing.repaired("it was deleted", NOW), NOW)
    assert value(metrics, "drift_repairs_total", namespace="team") == 1


def test_series_begin_at_nought_and_end_with_the_last_model_of_the_namespace() -> None:
    metrics, cache = Metrics(), Cache()
    known = fleet.Fleet(cache)
    metrics.watch(depth=lambda: 0, failing=lambda: 0, longest=lambda: 0, leading=lambda: True, fleet=known)
    put(cache, "team", "a", 1)
    with metrics.reconciling("team"):
        pass
    assert 'sklearn_operator_rollouts_total{namespace="team",result="rolled_back"} 0.0' in metrics.render().decode()
    cache.drop(MODEL, observed.ModelKey("team", "a"), {"metadata": {"name": "a", "resourceVersion": "2"}})
    assert "team" not in metrics.render().decode()


def test_models_are_counted_from_the_cache_and_read_again_when_they_change() -> None:
    cache = Cache()
    known = fleet.Fleet(cache)
    put(cache, "team", "a", 1, phase="Training", lastTrainedTime="2026-01-01T00:00:10Z")
    put(cache, "team", "b", 2, phase="Ready", lastTrainedTime="2026-01-01T00:00:05Z")
    put(cache, "other", "c", 3)
    assert models(known) == {("team", "Training"): 1, ("team", "Ready"): 1, ("other", "Pending"): 1}
    assert samples(known, "oldest_training_success_timestamp_seconds") == {("team",): 1767225605}
    put(cache, "team", "a", 4, phase="Ready")
    cache.drop(MODEL, observed.ModelKey("other", "c"), {"metadata": {"name": "c", "resourceVersion": "5"}})
    assert models(known) == {("team", "Ready"): 2}


def test_a_suspended_schedule_is_not_overdue() -> None:
    cache = Cache()
    put(cache, "team", "a", 1, suspend=True, nextScheduleTime="2026-01-01T00:00:00Z")
    put(cache, "other", "b", 2, nextScheduleTime="2026-01-01T00:00:00Z")
    assert samples(fleet.Fleet(cache), "next_schedule_timestamp_seconds") == {("other",): 1767225600}


def test_single_models_have_series_where_the_settings_say_so() -> None:
    cache = Cache()
    put(cache, "team", "a", 1, phase="Ready", lastTrainedTime="2026-01-01T00:00:00Z")
    assert samples(fleet.Fleet(cache), "model_phase") == {}
    assert samples(fleet.Fleet(cache, per_model=True), "model_phase") == {("team", "a", "Ready"): 1}


def models(known: fleet.Fleet) -> dict[tuple[str, ...], float]:
    return samples(known, "models")


def samples(known: fleet.Fleet, name: str) -> dict[tuple[str, ...], float]:
    found = [family for family in known.collect() if family.name == f"sklearn_operator_{name}"]
    return {tuple(sample.labels.values()): sample.value for family in found for sample in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"sklearn_operator_{name}", labels)


@pytest.mark.parametrize(
    ("method", "path", "kind", "operation"),
    [
        ("GET", "/api/v1/namespaces/team/pods", "", "list pods"),
        ("GET", "/apis/sklearn-operator.io/v1alpha1/sklearnmodels", "", "list sklearnmodels"),
        ("GET", "/apis/sklearn-operator.io/v1alpha1/namespaces/team/sklearnmodels/pods", "", "get sklearnmodels"),
        ("PUT", "/apis/x/v1/namespaces/team/sklearnmodels/a/status", "", "update sklearnmodels/status"),
        ("PATCH", "/apis/x/v1/namespaces/team/inferenceservices/a", kubernetes._APPLY, "apply inferenceservices"),
        ("PATCH", "/apis/x/v1/namespaces/team/sklearnmodels/a", "", "patch sklearnmodels"),
        ("POST", "/apis/events.k8s.io/v1/namespaces/team/events", "", "create events"),
        ("DELETE", "/apis/x/v1/namespaces/team/inferenceservices/a", "", "delete inferenceservices"),
    ],
)
def test_operations_on_kubernetes_name_nobody(method: str, path: str, kind: str, operation: str) -> None:
    assert kubernetes.operation(method, path, kind) == operation


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/apis/v2beta1/runs/1-2-3", "get runs"),
        ("GET", "/apis/v2beta1/runs", "list runs"),
        ("POST", "/apis/v2beta1/runs", "create runs"),
        ("POST", "/apis/v2beta1/runs/1-2-3:terminate", "terminate runs"),
        ("GET", "/apis/v2beta1/pipelines/names/sklearn-operator", "get pipelines"),
        ("POST", "/apis/v2beta1/pipelines/upload_version", "create pipelines/upload_version"),
        ("GET", "/apis/v2beta1/healthz", "get healthz"),
    ],
)
def test_operations_on_pipelines_name_nobody(method: str, path: str, operation: str) -> None:
    assert kfp_http.operation(method, path) == operation


@pytest.mark.parametrize(
    ("error", "code"), [(None, "200"), (TimeoutError(), "timeout"), (ConnectionError(), "no_answer")]
)
def test_a_call_is_measured_once_however_it_ends(error: Exception | None, code: str) -> None:
    told: list[tuple[Any, ...]] = []
    try:
        with metering.measured(lambda *call: told.append(call), "kfp", "get runs"):
            if error is not None:
                raise error
    except OSError as raised:
        assert raised is error
    assert [call[:3] for call in told] == [("kfp", "get runs", code)]
