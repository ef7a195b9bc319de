"""The tutorials of the documentation, typed as they stand there: what a page shows is what a reader sees.

Invariant: every page of docs/tutorials is run, all side by side in one namespace, for they wait more than they compute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from everything import towns
from manual import consoles
from sklearn_sandbox import paths

pytestmark = pytest.mark.sandbox

TUTORIALS = paths.project_root() / "docs" / "tutorials"
PAGES = sorted(page.stem for page in TUTORIALS.glob("*.md") if page.stem != "index")


@pytest.fixture(scope="module")
def runs(
    town: towns.Town, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[consoles.Wrong | None]]]:
    folder = tmp_path_factory.mktemp("tutorials")
    environment = surroundings(town, folder)
    with ThreadPoolExecutor(len(PAGES)) as pool:
        yield {page: pool.submit(run, page, folder / page, environment) for page in PAGES}


def surroundings(town: towns.Town, folder: Path) -> dict[str, str]:
    """What `sandbox env` gives a reader, with the town as the namespace."""
    sandbox = town.world.sandbox
    kubeconfig = yaml.safe_load(sandbox.kubeconfig.read_text())
    for context in kubeconfig["contexts"]:
        context["context"]["namespace"] = town.namespace
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    path = f"{sandbox.home / 'bin'}:{paths.operator_bin()}:{os.environ['PATH']}"
    return dict(os.environ) | {"KUBECONFIG": str(folder / "kubeconfig"), "PATH": path}


def run(page: str, folder: Path, environment: dict[str, str]) -> consoles.Wrong | None:
    folder.mkdir()
    (folder / "deploy").symlink_to(paths.project_root() / "deploy")
    return consoles.run((TUTORIALS / f"{page}.md").read_text(), folder, environment)


@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial_does_what_it_shows(page: str, runs: dict[str, Future[consoles.Wrong | None]]) -> None:
    wrong = runs[page].result(timeout=900)
    assert wrong is None, f"docs/tutorials/{page}.md, {wrong}"
