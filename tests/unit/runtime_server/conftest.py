"""The published models that the tests of the serving runtime share, and the runtime in this process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import runtime_models
from prometheus_client import CollectorRegistry

from sklearn_runtime import artifact, inference, metrics


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The artifact directories, by name; tests copy what they change."""
    return runtime_models.publish_all(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="session")
def runtime(published: dict[str, Path]) -> Callable[[str], inference.Inference]:
    """The runtime of one published model, loaded once."""

    @functools.cache
    def load(name: str) -> inference.Inference:
        served = artifact.load(published[name], name, None, None)
        return inference.Inference(served, metrics.Metrics(served, CollectorRegistry()))

    return load
