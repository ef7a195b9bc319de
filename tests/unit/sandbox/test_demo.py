"""What the demo shows is taken from the model's own status."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich import console

from sklearn_sandbox import demo, errors


def model(phase: str, generation: int = 1, observed: int = 1, **conditions: str) -> dict[str, Any]:
    listed = [{"type": name, "status": value, "message": f"about {name}"} for name, value in conditions.items()]
    return {
        "metadata": {"generation": generation},
        "status": {"phase": phase, "observedGeneration": observed, "conditions": listed},
    }


def follow(*states: dict[str, Any]) -> tuple[dict[str, Any], str]:
    left = list(states)
    out = io.StringIO()
    return demo.wait_ready(lambda: left.pop(0), console.Console(file=out)), out.getvalue()


def test_it_follows_the_phases_and_ignores_a_status_of_an_older_generation() -> None:
    last, said = follow(
        model("Ready", generation=2, observed=1, Ready="True"),
        model("Training", generation=2, observed=2, Ready="False", Reconciling="True"),
        model("Ready", generation=2, observed=2, Ready="True", Reconciling="False"),
    )
    assert last["phase"] == "Ready"
    assert [line.split()[2] for line in said.splitlines()] == ["Ready", "Training", "Ready"]


def test_a_stalled_model_ends_it_with_the_reason() -> None:
    with pytest.raises(errors.SandboxError, match="digits is Failed: about Ready"):
        follow(model("Failed", Ready="False", Stalled="True"))


def test_the_sample_digit_is_drawn() -> None:
    picture = demo.draw([0] * 8 + [16] * 8 + [0] * 48).splitlines()
    assert picture[1].strip() == "█" * 16
    assert len(picture) == 8
