"""Helm, and the chart with everything in it that values may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from chart import copies
from sklearn_sandbox import helm


@pytest.fixture(scope="session")
def tool() -> helm.Helm:
    return helm.ensure()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copies.whole(tmp_path_factory.mktemp("chart") / "sklearn-operator")
