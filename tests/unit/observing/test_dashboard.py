"""The dashboard is what its source says, and Grafana's own models read it back without loss."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from grafana_foundation_sdk.cog import encoder
from grafana_foundation_sdk.models import dashboard as models

from unit.runtime_room.test_metrics import filled

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def source() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboard", ROOT / "scripts/dashboard.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_what_its_source_says(source: ModuleType) -> None:
    assert source.FILE.read_text() == source.written(), "python scripts/dashboard.py writes it anew"


def test_grafanas_own_models_read_it_back(source: ModuleType) -> None:
    document = json.loads(source.FILE.read_text())
    loaded = models.Dashboard.from_json(document)
    assert json.loads(json.dumps(loaded, cls=encoder.JSONEncoder)) == document
    panels = document["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells)), "panels overlap"
    asked = [target for panel in panels for target in panel.get("targets", [])]
    assert len(asked) == len(source.expressions())


def test_alerts_and_dashboard_name_series_that_there_are(source: ModuleType) -> None:
    known: set[str] = set()
    for family in filled().registry.collect():
        known |= {family.name, f"{family.name}_total"} | {
            f"{family.name}_{part}" for part in ("bucket", "sum", "count")
        }
    alerts = yaml.safe_load((ROOT / "charts/sklearn-operator/files/alerts.yaml").read_text())["groups"]
    asked = [rule["expr"] for group in alerts for rule in group["rules"]] + source.expressions()
    named = {name for expression in asked for name in re.findall(r"sklearn_operator_\w+", expression)}
    assert len(named) > 15 and named <= known
