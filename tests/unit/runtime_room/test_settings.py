"""A wrong setting is one line that names it; what may come by itself is no wrong setting."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pydantic
import pytest

from sklearn_operator.core import settings as core_settings
from sklearn_operator.runtime import preflight
from sklearn_operator.runtime.settings import PREFIX, OperatorSettings, describe

ROOT = Path(__file__).parents[3]

WRONG = {
    "log_level": "LOUD",
    "namespaces": "team-a,Team_B",
    "kfp_url": "ml-pipeline:8888",
    "kfp_ui_url": "http://user:word@pipelines",
    "kfp_poll_min": "0",
    "store_uri": "models",
    "store_endpoint": "http://minio:99999",
    "data_hosts": "http://data.example.org",
    "packages": "import os",
    "runtimes": "kserve-sklearnserver",
    "service_accounts": "default editor",
    "pod_addresses": "10.0.0.0",
    "lease_namespace": "Kube System",
    "lease_duration": "1",
    "workers": "many",
    "health_port": "70000",
}


@pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=WRONG.keys())
def test_a_wrong_value_is_told_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"SKLEARN_OPERATOR_{name.upper()}", value)
    with pytest.raises(pydantic.ValidationError) as caught:
        OperatorSettings()
    told = describe(caught.value)
    assert told.startswith(f"SKLEARN_OPERATOR_{name.upper()}: ")
    assert len(told.splitlines()) == 1


#: Variable -> a value that is not the default, and the field of core that it has to reach.
REACHED = {
    "trainer_image": ("registry.example.org/trainer:7", "trainer_image"),
    "store_uri": ("s3://other/place", "store_uri"),
    "store_secret": ("other", "store_secret"),
    "serving_runtime": ("other", "runtime"),
    "runtimes": ("other=1.7.2", "runtimes"),
    "service_accounts": ("trainer", "service_accounts"),
    "data_hosts": ("data.example.org", "data_hosts"),
    "git_hosts": ("git.example.org", "git_hosts"),
    "packages": ("xgboost", "packages"),
    "task_run_as_non_root": ("false", "task_run_as_non_root"),
    "kfp_submit_pause": ("61", "submit_pause"),
    "kfp_poll_min": ("2", "poll_min"),
    "kfp_poll_max": ("16", "poll_max"),
    "rollout_deadline": ("301", "rollout_deadline"),
    "standard_canary": ("true", "standard_canary"),
    "knative": ("true", "knative"),
}
#: Of the operator's own making, which tests set and administrators do not.
ITS_OWN = {
    *("progress_pause", "canary_look", "ending_patience", "pod_config_grace", "result_grace"),
    *("task_requests", "task_limits", "serving_requests", "serving_limits"),
}


@pytest.mark.parametrize(("name", "value", "field"), [(name, *item) for name, item in REACHED.items()], ids=REACHED)
def test_a_variable_reaches_what_decisions_depend_on(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str
) -> None:
    before = dataclasses.asdict(OperatorSettings().for_core())
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    after = dataclasses.asdict(OperatorSettings().for_core())
    assert {key for key in after if after[key] != before[key]} == {field}


def test_every_field_that_decisions_depend_on_is_reached_or_the_operators_own() -> None:
    fields = {field.name for field in dataclasses.fields(core_settings.Settings)}
    assert fields == {field for _, field in REACHED.values()} | ITS_OWN


_VARIABLE = re.compile(rf"\b{PREFIX}([A-Z0-9_]*)")


def test_a_page_names_no_setting_that_there_is_not() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "charts").rglob("*.md")]
    named = {(page.name, word) for page in pages for word in _VARIABLE.findall(page.read_text())}
    assert ("SECURITY.md", "TASK_RUN_AS_NON_ROOT") in named and len({page for page, _ in named}) > 10
    known = {name.upper() for name in OperatorSettings.model_fields} | {""}
    assert {(page, word) for page, word in named if word not in known} == set()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"kfp_poll_min": 5, "kfp_poll_max": 2}, "SKLEARN_OPERATOR_KFP_POLL_MAX: "),
        ({"store_access_key_id": "key"}, "SKLEARN_OPERATOR_STORE_SECRET_ACCESS_KEY: "),
        ({"store_secret_access_key": "do-not-print"}, "SKLEARN_OPERATOR_STORE_SECRET_ACCESS_KEY: "),
        ({"kfp_url": ""}, "SKLEARN_OPERATOR_KFP_URL: "),
    ],
)
def test_values_that_do_not_go_together_are_told(values: dict[str, object], told: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        OperatorSettings.model_validate(values)
    said = describe(caught.value)
    assert said.startswith(told) and "do-not-print" not in said


def test_what_is_set_by_default_is_right() -> None:
    assert preflight.problems(OperatorSettings()) == []


def settings(**values: object) -> OperatorSettings:
    return OperatorSettings.model_validate(values)


def test_a_token_file_is_there_and_holds_a_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    chosen = settings(kfp_token_file=str(path))
    assert preflight.problems(chosen) == [f"SKLEARN_OPERATOR_KFP_TOKEN_FILE: {path}: No such file or directory"]
    for content in (b"", b"\n", b"two\nlines", b"\xff"):
        path.write_bytes(content)
        assert preflight.problems(chosen) == [f"SKLEARN_OPERATOR_KFP_TOKEN_FILE: {path}: holds no token"]
    path.write_text("ey.ey.x\n")
    assert preflight.problems(chosen) == []


def test_a_file_of_authorities_is_there_and_holds_some(tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    chosen = settings(kfp_ca_file=str(path), kfp_url="https://pipelines.example.org/pipeline")
    assert preflight.problems(chosen) == [f"SKLEARN_OPERATOR_KFP_CA_FILE: {path}: No such file or directory"]
    path.write_text("no certificate")
    told = f"SKLEARN_OPERATOR_KFP_CA_FILE: {path}: holds no certificate authorities in PEM form"
    assert preflight.problems(chosen) == [told]


def test_a_variable_that_is_no_setting_is_told_with_the_one_that_was_meant() -> None:
    environment = {
        "SKLEARN_OPERATOR_KFP_ULR": "http://x",
        "SKLEARN_OPERATOR_KFP_URL": "http://x",
        "SKLEARN_OPERATOR_SERVICE_HOST": "10.0.0.1",
        "SKLEARN_OPERATOR_PORT_8080_TCP_ADDR": "10.0.0.1",
        "PATH": "/bin",
    }
    told = "SKLEARN_OPERATOR_KFP_ULR is no setting (is SKLEARN_OPERATOR_KFP_URL meant?)"
    assert preflight.strangers(environment) == [told]
