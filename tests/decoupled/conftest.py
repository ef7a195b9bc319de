"""A real API server for tests that need no more: the CRDs are installed, no controller of Kubernetes runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sklearn_sandbox import embedded


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    with embedded.cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running
