"""Each alert fires when it should, has a page in the runbook, and asks for what the operator really tells."""

from __future__ import annotations

import json
import re
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser

from decoupled import operators, rules
from sklearn_sandbox import embedded
from unit.runtime_room import test_metrics
from waiting import wait_for

HERE = Path(__file__).parent
#: What Prometheus adds to every series.
ADDED = {"pod", "instance", "job"}


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    done = rules.run("test", str(HERE / "alerts.yaml"))
    assert done.returncode == 0, done.stderr


def test_an_alert_that_does_not_fire_as_told_is_found(tmp_path: Path) -> None:
    told = (HERE / "alerts.yaml").read_text().replace("../../charts", str(rules.ROOT / "charts"))
    (tmp_path / "wrong.yaml").write_text(told.replace("{severity: critical}", "{severity: low}"))
    done = rules.run("test", str(tmp_path / "wrong.yaml"))
    assert done.returncode == 1
    assert "SklearnOperatorDown at 21m" in done.stderr and "low" in done.stderr


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    names = {rule["alert"]: re.sub("(?<!^)(?=[A-Z])", "-", rule["alert"]).lower() for rule in rules.alerts()}
    pages = {path.stem for path in (rules.ROOT / "docs/runbook").glob("*.md")} - {"index"}
    assert pages == set(names.values())
    for rule in rules.alerts():
        page = f"docs/runbook/{names[rule['alert']]}.md"
        assert rule["annotations"]["runbook_url"].endswith(page)
        text = (rules.ROOT / page).read_text()
        assert text.startswith(f"# {rule['alert']}\n")
        headings = re.findall("^## (.+)$", text, re.MULTILINE)
        assert headings == ["Meaning", "Impact", "Diagnosis", "Mending"], page


@dataclass(frozen=True)
class Seen:
    page: str
    log: str
    namespace: str
    events: list[dict[str, Any]]


@pytest.fixture(scope="module")
def seen(cluster: embedded.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """What a running operator tells, of a model that waits for its pipeline server and one that is not valid."""
    namespace = f"metrics-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", namespace)
    models = operators.Models(cluster, namespace)
    folder = tmp_path_factory.mktemp("metrics")
    changes = {"LOG_FORMAT": "json", "METRICS_PER_MODEL": "true"}
    with operators.running(cluster, folder, namespace, **changes) as operator:
        models.apply("good", {"gamma": 0.001})
        models.apply("bad", {"gama": 0.001})
        wait_for("trouble told", lambda: models.condition("good", "Reconciling").get("reason") == "Retrying")
        wait_for("Valid told", lambda: models.condition("bad", "Valid").get("status") == "False")

        def settled() -> str | None:
            with urllib.request.urlopen(f"http://127.0.0.1:{operator.port}/metrics", timeout=5) as answer:
                text = str(answer.read().decode())
            return text if f'namespace="{namespace}",phase="Failed"}} 1.0' in text else None

        page = wait_for("the models counted", settled)
        found = json.loads(models.kubectl("get", "events", "-o", "json"))["items"]
    yield Seen(page, operator.text(), namespace, found)
    models.kubectl("delete", "skm", "--all", "--wait=false")


def test_alerts_and_dashboard_ask_for_what_the_operator_tells(seen: Seen) -> None:
    known: dict[str, set[str]] = {}
    # The labels of a series that has no example here are those of one that is filled in.
    examples = {family.name: family for family in test_metrics.filled().registry.collect()}
    for family in parser.text_string_to_metric_families(seen.page):
        names = {family.name} | ({f"{family.name}_total"} if family.type == "counter" else set())
        if family.type == "histogram":
            names |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
        samples = family.samples or examples[family.name].samples
        labels = {label for sample in samples for label in sample.labels}
        known |= dict.fromkeys(names, labels)
    for selector in rules.asked():
        assert selector["metric"] in known, f"{selector['metric']} is not told"
        assert set(selector["labels"]) <= known[selector["metric"]] | ADDED, selector


def test_without_a_lease_the_one_process_leads(seen: Seen) -> None:
    assert "\nsklearn_operator_leader 1.0\n" in seen.page


def test_the_counts_are_those_of_the_cluster(seen: Seen) -> None:
    samples = [sample for family in parser.text_string_to_metric_families(seen.page) for sample in family.samples]
    phases = {sample.labels["phase"]: sample.value for sample in samples if sample.name == "sklearn_operator_models"}
    assert phases["Failed"] == 1 and sum(phases.values()) == 2
    codes = {
        sample.labels["code"]
        for sample in samples
        if sample.name == "sklearn_operator_backend_requests_total" and sample.labels["backend"] == "kfp"
    }
    assert codes == {"no_answer"}


def test_each_line_of_the_log_is_json_about_its_model_and_without_a_secret(seen: Seen) -> None:
    lines = [json.loads(line) for line in seen.log.splitlines()]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    troubles = [line for line in lines if line["level"] == "warning" and "model" in line]
    assert {(line["model"], line.get("version")) for line in troubles} == {(f"{seen.namespace}/good", "good-v1")}
    told = [line["message"] for line in troubles]
    assert len(told) == len(set(told)) <= 5
    assert "a-secret-that-no-log-may-hold" not in seen.log
    assert all("traceback" not in line for line in lines)


def test_the_invalid_manifest_made_one_event(seen: Seen) -> None:
    about = [(event["involvedObject"]["name"], event["type"], event["reason"]) for event in seen.events]
    assert about == [("bad", "Warning", "Invalid")]
