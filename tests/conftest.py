"""How all tests run: Hypothesis never judges by the clock, because a machine that builds meanwhile is slow."""

from __future__ import annotations

import hypothesis


def pytest_configure() -> None:
    patient = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    hypothesis.settings.register_profile("patient", patient)
    hypothesis.settings.load_profile("patient")
