"""Both images, really built from their Containerfiles, and a real object store for what runs in them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import containers
import pytest

from sklearn_sandbox import embedded, services

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def store() -> containers.Store:
    """Built here as far as they are not of this very source yet; the script says why it cannot."""
    command = ["sh", str(ROOT / "scripts" / "images.sh"), "local"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    assert done.returncode == 0, done.stderr
    return containers.Store(Path(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="session")
def operator(store: containers.Store) -> Iterator[containers.Container]:
    with store.container("operator") as container:
        yield container


@pytest.fixture(scope="session")
def trainer(store: containers.Store) -> Iterator[containers.Container]:
    with store.container("trainer") as container:
        yield container


@pytest.fixture(scope="session", params=["operator", "trainer"])
def either(request: pytest.FixtureRequest) -> containers.Container:
    container: containers.Container = request.getfixturevalue(request.param)
    return container


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    """What is outside: an API server and an object store."""
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SKLEARN_SANDBOX_AUDIT", "1")
            parts = embedded.cluster(tmp_path_factory.mktemp("world"), only=("kube-apiserver", "minio"))
            running = stack.enter_context(parts)
        yield running


@pytest.fixture(scope="session")
def secret(world: embedded.Cluster) -> dict[str, str]:
    """The keys of the store's Secret."""
    return {
        "AWS_ACCESS_KEY_ID": world.sandbox.access_key,
        "AWS_SECRET_ACCESS_KEY": world.sandbox.secret_key,
        "AWS_ENDPOINT_URL": world.sandbox.store_endpoint,
        "AWS_REGION": services.REGION,
    }
