"""What can be seen in the container files without building them; tests/images builds them."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from sklearn_sandbox import images

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "images"
NAMES = ["operator", "trainer"]


def instructions(name: str) -> list[tuple[str, str]]:
    text = (FOLDER / f"{name}.Containerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word, re.sub(r"\s+", " ", rest)) for word, _, rest in (line.partition(" ") for line in joined)]


def stages(name: str) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = [[]]
    for instruction in instructions(name):
        if instruction[0] == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def last(name: str, word: str) -> list[str]:
    return [rest for instruction, rest in stages(name)[-1] if instruction == word]


@pytest.mark.parametrize("name", NAMES)
def test_everything_from_outside_is_pinned(name: str) -> None:
    bases = [rest for word, rest in instructions(name) if word == "FROM"]
    assert bases == [
        "${BASE} AS build",
        "scratch AS dependencies",
        "build AS project",
        "scratch AS sbom",
        "dependencies",
    ]
    arguments = dict(rest.split("=", 1) for word, rest in instructions(name) if word == "ARG")
    assert re.fullmatch(r"docker\.io/library/debian:[a-z]+-slim@sha256:[0-9a-f]{64}", arguments["BASE"])
    days = {arguments[item].rpartition("/")[2] for item in ("DEBIAN", "DEBIAN_SECURITY")}
    assert len(days) == 1 and re.fullmatch(r"\d{8}T\d{6}Z", days.pop())
    assert not [rest for word, rest in instructions(name) if word == "ADD"]
    assert arguments["VERSION"] == metadata.version("sklearn-operator")


def test_both_are_made_of_the_same_and_of_what_the_checkout_is_set_up_with() -> None:
    first, second = ([item for item in stages(name)[1] if item[0] in ("FROM", "ARG", "COPY")] for name in NAMES)
    assert first == second and stages("operator")[2:5] == stages("trainer")[2:5]
    pinned = re.search(r"^uv==(\S+)", (FOLDER / "uv.txt").read_text(), re.MULTILINE)
    bootstrap = re.search(r"^UV_PIN=(\S+)", (ROOT / "scripts" / "bootstrap.sh").read_text(), re.MULTILINE)
    assert pinned and bootstrap and pinned[1] == bootstrap[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_sandbox_runs_what_the_image_runs(name: str) -> None:
    stand_in = images.catalogue({})[f"{images.REGISTRY}/{name}:{metadata.version('sklearn-operator')}"]

    def words(items: list[str]) -> tuple[str, ...]:
        return tuple(re.findall(r'"([^"]+)"', items[0])) if items else ()

    assert words(last(name, "ENTRYPOINT")) == stand_in.entrypoint
    assert words(last(name, "CMD")) == stand_in.arguments


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_a_numeric_user_with_all_caches_in_tmp(name: str) -> None:
    assert last(name, "USER") == ["65532:65532"] and last(name, "WORKDIR") == ["/tmp"]
    environment = dict(item.split("=", 1) for item in last(name, "ENV")[0].split())
    assert environment["HOME"] == "/tmp" and environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environment["PATH"].startswith("/opt/sklearn-operator/bin:")


def test_the_controller_is_asked_for_its_health_without_a_shell_and_tasks_are_not() -> None:
    (check,) = last("operator", "HEALTHCHECK")
    assert check.endswith(' CMD ["sklearn-operator", "healthz"]')
    assert last("trainer", "HEALTHCHECK") == []


def test_nothing_but_the_sources_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert allowed == {"LICENSE", "README.md", "pyproject.toml", "uv.lock", "deploy", "deploy/images", "operator"}
    assert "deploy/*" in rules and rules.index("deploy/*") < rules.index("!deploy/images")


def test_without_a_builder_it_says_what_to_do(tmp_path: Path) -> None:
    for tool in ("sed", "dirname"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    script = str(ROOT / "scripts" / "images.sh")
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(["/bin/sh", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "none of docker, podman and buildah works here" in done.stderr
