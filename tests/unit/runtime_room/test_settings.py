"""A wrong setting is one line that names it; what may come by itself is no wrong setting."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest

from sklearn_operator.runtime import preflight
from sklearn_operator.runtime.settings import OperatorSettings, describe

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
