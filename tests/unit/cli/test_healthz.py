"""The check that container runtimes other than Kubernetes make."""

from __future__ import annotations

import asyncio

import pytest
from typer import testing

from sklearn_operator.cli import main
from sklearn_operator.runtime import health
from sklearn_operator.runtime.metrics import Metrics
from sklearn_operator.runtime.settings import OperatorSettings


def asked(monkeypatch: pytest.MonkeyPatch, port: int, host: str) -> tuple[int, str]:
    monkeypatch.setenv("SKLEARN_OPERATOR_HEALTH_HOST", host)
    monkeypatch.setenv("SKLEARN_OPERATOR_HEALTH_PORT", str(port))
    done = testing.CliRunner().invoke(main.app, ["healthz"])
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("seconds", "code", "told"),
    [(1.0, 0, "ok\n"), (5000.0, 1, "a pass is under way for 5000 s\n")],
    ids=["ok", "stuck"],
)
@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_it_tells_what_livez_tells(
    monkeypatch: pytest.MonkeyPatch, host: str, seconds: float, code: int, told: str
) -> None:
    state = health.State(longest_pass=lambda: seconds)
    async with health.serving(host, 0, state, Metrics()) as port:
        assert await asyncio.to_thread(asked, monkeypatch, port, host) == (code, told)


def test_nobody_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    code, told = asked(monkeypatch, 1, "127.0.0.1")
    assert code == 1 and told.startswith("no answer from port 1: ")


def test_without_settings_it_asks_where_the_controller_listens_without_settings() -> None:
    fields = OperatorSettings.model_fields
    assert (fields["health_host"].default, fields["health_port"].default) == ("0.0.0.0", 8080)
