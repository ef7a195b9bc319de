"""The whole sandbox once per session, the operator as a process of each test's own, and a proxy in between."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from everything import rights, towns, worlds
from faults import proxy as faults
from sklearn_sandbox import embedded


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[worlds.World]:
    """Everything but the operator."""
    os.environ["SKLEARN_SANDBOX_AUDIT"] = "1"
    os.environ["SANDBOX_KNATIVE_IDLE_SECONDS"] = "6"
    home = tmp_path_factory.mktemp("world")
    # Where the images of this world find packages: in one folder, and nowhere else.
    os.environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(home / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    (home / "wheels").mkdir()
    with embedded.cluster(home, only=None, without={"operator"}) as cluster:
        world = worlds.World(cluster)
        yield world
        assert rights.forbidden(world.audit) == [], "an operator asked for what the chart's roles do not give it"


@pytest.fixture
def operator(world: worlds.World, tmp_path: Path) -> Iterator[worlds.Operator]:
    """A running operator; its log is shown when the test fails."""
    running = worlds.Operator(worlds.operator_environment(world), tmp_path / "operator.log")
    running.start()
    running.wait_ready()
    yield running
    running.stop()
    print(running.log.read_text()[-20_000:])


@pytest_asyncio.fixture
async def proxied(world: worlds.World, tmp_path: Path) -> AsyncIterator[tuple[faults.Proxy, worlds.Operator]]:
    async with worlds.behind_proxy(world, tmp_path) as pair:
        yield pair


@pytest.fixture(scope="module")
def town(world: worlds.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[towns.Town]:
    """A namespace with a running operator of its own, for all tests of a module."""
    with towns.founded(world, tmp_path_factory.mktemp("town")) as one:
        yield one
