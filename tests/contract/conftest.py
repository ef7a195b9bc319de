"""The two sides of the pipeline contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contract import kfp_rig
from sklearn_operator.backends import memory_kfp
from sklearn_sandbox import embedded


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    """A real API server for those adapters and servers that need one."""
    with embedded.cluster(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


@pytest.fixture(scope="session")
def kfp_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kfp_rig.Server]:
    server = kfp_rig.Server(tmp_path_factory.mktemp("kfp"))
    yield server
    server.stop()


@pytest.fixture
def server(kfp_process: kfp_rig.Server) -> kfp_rig.Server:
    """The session's server, with no faults and an empty log."""
    kfp_process.forget_requests()
    return kfp_process


@pytest.fixture
async def live(server: kfp_rig.Server, tmp_path: Path) -> AsyncIterator[kfp_rig.Rig]:
    async with kfp_rig.connected(server) as backend:
        yield kfp_rig.Rig(backend, server, tmp_path)


@pytest.fixture(params=["memory", "server"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[kfp_rig.Rig]:
    if request.param == "memory":
        yield kfp_rig.Rig(memory_kfp.MemoryKfp(), None, tmp_path)
        return
    server = request.getfixturevalue("server")
    async with kfp_rig.connected(server) as backend:
        yield kfp_rig.Rig(backend, server, tmp_path)
