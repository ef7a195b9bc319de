"""A real API server for tests that need no more: the CRDs are installed, no controller of Kubernetes runs.

Invariant: operators here have the rights of the chart's roles, and no call of theirs was one that these do not allow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from everything import rights
from sklearn_sandbox import embedded


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SKLEARN_SANDBOX_AUDIT", "1")
            running = stack.enter_context(embedded.cluster(tmp_path_factory.mktemp("cluster")))
        yield running
        audit = running.sandbox.home / "audit.log"
        assert rights.forbidden(audit) == [], "an operator asked for what the chart's roles do not give it"
