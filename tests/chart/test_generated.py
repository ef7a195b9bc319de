"""What is generated is what it is generated from: settings, CRDs, templates."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import sklearn_operator
from scripts.manifests import __main__ as manifests
from scripts.manifests import settings
from sklearn_operator.runtime.settings import OperatorSettings
from sklearn_sandbox import helm, paths

ROOT = paths.project_root()
ADVICE = "is not what `make manifests` writes; run it"


def differing(found: dict[str, str]) -> list[str]:
    return [name for name, text in found.items() if not (ROOT / name).is_file() or (ROOT / name).read_text() != text]


def test_settings_schema_and_definitions_of_the_chart_are_those_of_the_operator() -> None:
    assert not differing(manifests.of_the_chart()), ADVICE


def test_deploy_is_what_the_chart_renders(tool: helm.Helm) -> None:
    found = manifests.by_the_chart(tool)
    assert not differing(found), ADVICE
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "deploy" / "kustomize").rglob("*") if path.is_file()}
    assert there == {name for name in found if name.startswith("deploy/kustomize/")}, "nothing else lies there"


def test_every_setting_has_a_comment_of_its_own() -> None:
    found = settings.documented()
    assert {one.name for one in found} | settings.OF_THE_CHART | settings.OUTSIDE == set(OperatorSettings.model_fields)
    assert found[0].comment.startswith("Base URL of the Kubeflow Pipelines API server")
    assert all(one.comment for one in found) and len({one.comment for one in found}) == len(found)


@pytest.mark.parametrize(
    ("key", "value"),
    [("kfp_url", "x"), ("kfp_ui_url", "x"), ("store_endpoint", "x"), ("store_uri", "s3://"), ("workers", 0)],
)
def test_what_the_schema_refuses_the_operator_refuses(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=key):
        OperatorSettings(**{key: value})


def test_the_charts_version_is_the_operators() -> None:
    chart = yaml.safe_load((helm.chart_folder() / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (sklearn_operator.__version__, sklearn_operator.__version__)


def test_nothing_of_the_tests_is_in_the_chart() -> None:
    assert {path.suffix for path in Path(helm.chart_folder()).rglob("*") if path.is_file()} <= {
        ".yaml",
        ".tpl",
        ".txt",
        ".json",
        "",
        ".md",
    }
