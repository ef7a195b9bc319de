"""Alerts and dashboard judged by Prometheus' own parser and engine (sklearn_sandbox/assets/promcheck)."""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml
from rich import console

from sklearn_sandbox import assets, progress

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "charts/sklearn-operator/files/alerts.yaml"


@functools.cache
def promcheck() -> Path:
    """Built once for each change of it, into the cache of binaries."""
    with progress.reporting(console.Console(stderr=True)) as reporter:
        return assets.ensure({"promcheck"}, reporter)["promcheck"]


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [promcheck(), *arguments], input=given, capture_output=True, text=True, check=False, timeout=60
    )


def selectors(expressions: list[str]) -> list[dict[str, Any]]:
    """Metric and labels of every selector in the expressions; an expression that is none is an error."""
    done = run("parse", given=json.dumps(expressions))
    assert done.returncode == 0, done.stderr
    return [one for selected in json.loads(done.stdout) for one in selected]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def asked() -> list[dict[str, Any]]:
    """What alerts and dashboard ask Prometheus for."""
    spec = importlib.util.spec_from_file_location("dashboard", ROOT / "scripts/dashboard.py")
    assert spec is not None and spec.loader is not None
    dashboard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dashboard)
    return selectors([rule["expr"] for rule in alerts()] + dashboard.expressions())
