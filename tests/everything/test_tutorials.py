"""The tutorials of the documentation, typed as they stand there: what a page shows is what a reader sees.

Invariant: every page of docs/tutorials is run, all side by side in one namespace, for they wait more than they compute.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

import waiting
from everything import towns
from gitops import fixtures, tool
from manual import consoles
from sklearn_sandbox import paths

pytestmark = pytest.mark.sandbox

TUTORIALS = paths.project_root() / "docs" / "tutorials"
PAGES = sorted(page.stem for page in TUTORIALS.glob("*.md") if page.stem != "index")


@pytest.fixture(scope="module")
def told(town: towns.Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every state of every model, one JSON text after the other, as a watch tells them."""
    path = tmp_path_factory.mktemp("told") / "models.json"
    sandbox = town.world.sandbox
    command = [str(sandbox.home / "bin" / "kubectl"), "--kubeconfig", str(sandbox.kubeconfig), "-n", town.namespace]
    with path.open("wb") as sink:
        watch = subprocess.Popen([*command, "get", "skm", "--watch", "-o", "json"], stdout=sink)
        yield path
        watch.terminate()
        watch.wait(30)


def states(path: Path, name: str) -> list[dict[str, Any]]:
    """Of one model, until somebody deletes it."""
    text, found, decoder = path.read_text().lstrip(), [], json.JSONDecoder()
    while text:
        try:
            document, end = decoder.raw_decode(text)
        except json.JSONDecodeError:
            break  # just being written
        text = text[end:].lstrip()
        metadata = document["metadata"]
        if metadata.get("name") == name and "deletionTimestamp" not in metadata:
            found.append(document)
    return found


@pytest.fixture(scope="module")
def runs(
    town: towns.Town, told: Path, tmp_path_factory: pytest.TempPathFactory
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


def test_argo_cd_shows_what_the_gitops_tutorial_does(
    told: Path, runs: dict[str, Future[consoles.Wrong | None]]
) -> None:
    """Its health script, asked about every state that the model went through."""
    assert runs["gitops"].result(timeout=900) is None

    def done() -> list[dict[str, Any]] | None:
        seen = states(told, "flowers")
        last = seen[-1].get("status", {}) if seen else {}
        return seen if (last.get("servingVersion"), last.get("phase")) == ("flowers-v2", "Ready") else None

    seen = waiting.wait_for("the end of the tutorial in the watch", done)
    answers = tool.health(fixtures.script("SklearnModel"), seen)
    assert not [answer for answer in answers if "error" in answer]
    words = [word for word, _ in itertools.groupby(answer["status"] for answer in answers)]
    assert words[0] == "Progressing" and words[-1] == "Healthy" and set(words) == {"Progressing", "Healthy"}, words
    assert "flowers-v2 answers requests" in answers[-1]["message"]
