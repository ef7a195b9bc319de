"""The Grafana dashboard, written with Grafana's own models: ``python scripts/dashboard.py`` writes it anew.

Invariant: nothing in the JSON is edited by hand; a test compares it with what comes out here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog import encoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

FILE = Path(__file__).parents[1] / "charts/sklearn-operator/files/dashboard.json"
_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_OURS = 'namespace=~"$namespace"'
_WIDTH, _HEIGHT = 24, 8

Query = tuple[str, str]
#: Title, unit, what it is good for, and (expression, legend) of each line.
Panel = tuple[str, str, str, Sequence[Query]]


def _share(good: str, labels: str = "") -> str:
    name, by = f"sklearn_operator_{good}_bucket", f"{labels}, le" if labels else "le"
    return f"histogram_quantile(0.9, sum by ({by}) (rate({name}[$__rate_interval])))"


NUMBERS: tuple[Panel, ...] = (
    ("Models", "short", "Every SklearnModel there is.", [(
        f"sum(max by (namespace, phase) (sklearn_operator_models{{{_OURS}}}))", "")]),
    ("Need a person", "short", "Failed or Degraded: nothing happens by itself.", [(
        f'sum(max by (namespace, phase) (sklearn_operator_models{{{_OURS}, phase=~"Failed|Degraded"}})) or vector(0)',
        "")]),
    ("Wait for approval", "short", "A good version is there, and a person has to let it through.", [(
        f'sum(max by (namespace, phase) (sklearn_operator_models{{{_OURS}, phase="AwaitingApproval"}})) or vector(0)',
        "")]),
    ("Slots overdue by", "s", "How late the latest of the scheduled trainings is.", [(
        "clamp_min(max(time() - min by (namespace) "
        f"(sklearn_operator_next_schedule_timestamp_seconds{{{_OURS}}})), 0) or vector(0)", "")]),
    ("Passes failing", "short", "Models whose last pass failed.", [("max(sklearn_operator_failing_models)", "")]),
    ("Waiting for a worker", "short", "Depth of the queue.", [("max(sklearn_operator_queue_depth)", "")]),
)  # fmt: skip

ROWS: dict[str, tuple[Panel, ...]] = {
    "Models": (
        ("Models by phase", "short", "", [(
            f"sum by (phase) (max by (namespace, phase) (sklearn_operator_models{{{_OURS}}}))", "{{phase}}")]),
        ("Since the last good training", "s", "Of the model of each namespace that had it the longest ago.", [(
            "time() - min by (namespace) "
            f"(sklearn_operator_oldest_training_success_timestamp_seconds{{{_OURS}}})", "{{namespace}}")]),
        ("Deletions under way", "s", "For how long, the oldest of each namespace.", [(
            "time() - min by (namespace) "
            f"(sklearn_operator_oldest_deletion_timestamp_seconds{{{_OURS}}})", "{{namespace}}")]),
    ),
    "Trainings and rollouts": (
        ("Trainings by result", "short", "Per hour.", [(
            f"sum by (result) (increase(sklearn_operator_trainings_total{{{_OURS}}}[1h]))", "{{result}}")]),
        ("Duration of nine trainings in ten", "s", "From the version's creation to its end, in all namespaces.", [(
            "histogram_quantile(0.9, sum by (result, le) "
            "(rate(sklearn_operator_training_duration_seconds_bucket[1h])))", "{{result}}")]),
        ("Versions that took over or were taken back", "short", "Per hour.", [(
            f"sum by (result) (increase(sklearn_operator_rollouts_total{{{_OURS}}}[1h]))", "{{result}}")]),
        ("Repairs", "short", "InferenceServices that others had changed, per hour.", [(
            f"sum by (namespace) (increase(sklearn_operator_drift_repairs_total{{{_OURS}}}[1h]))", "{{namespace}}")]),
    ),
    "Outside systems": (
        ("Calls", "reqps", "", [(
            "sum by (backend) (rate(sklearn_operator_backend_requests_total[$__rate_interval]))", "{{backend}}")]),
        ("Calls that failed", "reqps", "404 and 409 are answers.", [(
            "sum by (backend, code) (rate(sklearn_operator_backend_requests_total"
            '{code=~"5..|401|403|429|timeout|no_answer"}[$__rate_interval]))', "{{backend}} {{code}}")]),
        ("Nine calls in ten answered within", "s", "", [(
            _share("backend_request_seconds", "backend"), "{{backend}}")]),
        ("The slowest operations", "s", "On average.", [(
            "topk(5, sum by (backend, operation) (rate(sklearn_operator_backend_request_seconds_sum[$__rate_interval]))"
            " / sum by (backend, operation) (rate(sklearn_operator_backend_request_seconds_count[$__rate_interval])))",
            "{{backend}} {{operation}}")]),
    ),
    "The operator": (
        ("Passes by result", "ops", "", [(
            "sum by (result) (rate(sklearn_operator_reconciles_total[$__rate_interval]))", "{{result}}")]),
        ("Nine passes in ten", "s", "How long they wait for a worker, and how long they take.", [
            (_share("queue_wait_seconds"), "wait"), (_share("reconcile_seconds"), "take"),
            ("max(sklearn_operator_longest_pass_seconds)", "the longest now")]),
        ("Who acts", "short", "1 where a replica acts, 0 where it stands by; nothing gets done while all are 0.", [(
            "max by (pod) (sklearn_operator_leader)", "{{pod}}")]),
        ("Queue", "short", "", [
            ("max(sklearn_operator_queue_depth)", "waiting"), ("max(sklearn_operator_failing_models)", "failing"),
            ("sum(rate(sklearn_operator_queue_retries_total[$__rate_interval]))", "retries per second")]),
        ("Actions", "ops", "What the operator did.", [(
            "sum by (action) (rate(sklearn_operator_actions_total[$__rate_interval]))", "{{action}}")]),
        ("Processor", "percentunit", "Of one core.", [(
            "rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) sklearn_operator_build_info",
            "{{instance}}")]),
        ("Memory", "bytes", "", [(
            "process_resident_memory_bytes and on (instance) sklearn_operator_build_info", "{{instance}}")]),
    ),
}  # fmt: skip


def expressions() -> list[str]:
    """Every query, as Prometheus gets it once Grafana has filled in its variables."""
    rows = [*NUMBERS, *(panel for panels in ROWS.values() for panel in panels)]
    found = [expression for *_, queries in rows for expression, _ in queries]
    return [one.replace("$__rate_interval", "5m").replace("$namespace", ".*") for one in found]


def written() -> str:
    """The dashboard as JSON."""
    built = dashboard.Dashboard("sklearn-operator").uid("sklearn-operator").tags(["sklearn-operator"])
    built = built.refresh("30s").time("now-6h", "now").timezone("browser").editable()
    for variable in _variables():
        built = built.with_variable(variable)
    number = 0
    for panel in NUMBERS:
        number += 1
        built = built.with_panel(_filled(_number(), panel, number, _WIDTH // len(NUMBERS), 4))
    for title, panels in ROWS.items():
        number += 1
        built = built.with_row(dashboard.Row(title).id(number))
        for panel in panels:
            number += 1
            built = built.with_panel(
                _filled(_lines(), panel, number, _WIDTH // (len(panels) if len(panels) < 5 else 3), _HEIGHT)
            )
    return json.dumps(built.build(), cls=encoder.JSONEncoder, indent=2, sort_keys=True) + "\n"


def _variables() -> list[Any]:
    namespaces = dashboard.QueryVariable("namespace").label("Namespace").datasource(_SOURCE)
    namespaces = namespaces.query("label_values(sklearn_operator_models, namespace)").multi(True).include_all(True)
    return [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        namespaces.all_value(".*").refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED),
    ]


def _number() -> Any:
    return stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def _lines() -> Any:
    legend = common.VizLegendOptions().show_legend(True).placement(common_models.LegendPlacement.BOTTOM)
    return timeseries.Panel().legend(legend.display_mode(common_models.LegendDisplayMode.LIST)).min(0)


def _filled(made: Any, panel: Panel, number: int, width: int, height: int) -> Any:
    title, unit, description, queries = panel
    made = made.id(number).title(title).unit(unit).description(description).datasource(_SOURCE)
    for letter, (expression, legend) in zip("ABC", queries, strict=False):
        made = made.with_target(prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(letter))
    return made.span(width).height(height)


if __name__ == "__main__":
    FILE.write_text(written())
