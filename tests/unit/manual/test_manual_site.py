"""The documentation: generated pages are what their sources say, and every link of the site leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from manual import recording, reference
from sklearn_operator.runtime import settings


@pytest.mark.parametrize("path", [str(path.relative_to(reference.ROOT)) for path in reference.pages()])
def test_a_generated_page_is_what_its_sources_say(path: str) -> None:
    page = reference.ROOT / path
    assert page.is_file() and page.read_text() == reference.pages()[page], "run: make reference"


def test_every_setting_is_documented_where_it_is_declared() -> None:
    text = (reference.ROOT / "docs" / "reference" / "settings.md").read_text()
    for name in settings.OperatorSettings.model_fields:
        assert f"| `SKLEARN_OPERATOR_{name.upper()}` | " in text


def built(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "properdocs", "build", "--strict", "--site-dir", str(site), *arguments]
    return subprocess.run(command, cwd=reference.ROOT, capture_output=True, text=True, timeout=120)


def test_the_site_builds_without_a_broken_link_and_every_page_is_in_it(tmp_path: Path) -> None:
    done = built(tmp_path / "site")
    assert done.returncode == 0, done.stderr
    docs = reference.ROOT / "docs"
    pages = {path.relative_to(docs).with_suffix(".html") for path in docs.rglob("*.md")}
    assert {page for page in pages if not (tmp_path / "site" / page).is_file()} == set()
    assert (tmp_path / "site" / "repository" / "deploy" / "samples" / "penguins.yaml").is_file()


LEADING_NOWHERE = {
    "nowhere.md": "nowhere.md",
    "#no-such-heading": "#no-such-heading",
    "versions.md#none-here": "#none-here",
    "../deploy/samples/nowhere.yaml": "nowhere.yaml",
}


def test_every_link_to_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    links = "\n".join(f"- [gone]({link})" for link in LEADING_NOWHERE)
    (tmp_path / "docs" / "index.md").write_text(f"# Home\n\n{links}\n")
    (tmp_path / "docs" / "versions.md").write_text("# Versions\n")
    (ours, _, _) = (reference.ROOT / "properdocs.yml").read_text().partition("\nnav:")
    hooks = str(reference.ROOT / "manual" / "hooks.py")
    (tmp_path / "properdocs.yml").write_text(ours.replace("manual/hooks.py", hooks) + "\n")
    done = built(tmp_path / "site", "--config-file", str(tmp_path / "properdocs.yml"))
    assert done.returncode != 0
    assert [said for said in LEADING_NOWHERE.values() if said not in done.stderr] == [], done.stderr


_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_every_test_that_a_page_names_is_there() -> None:
    named = {
        found.groups() for page in (reference.ROOT / "docs").rglob("*.md") for found in _TEST.finditer(page.read_text())
    }
    assert len(named) > 20
    absent = []
    for path, name in named:
        file = reference.ROOT / path
        if not file.is_file() or (name and f"def {name}(" not in file.read_text()):
            absent.append((path, name))
    assert absent == []


def test_the_picture_of_the_session_is_what_was_recorded() -> None:
    assert recording.PICTURE.read_text() == recording.picture(recording.CAST.read_text()), "run: make recording"
    typed = [line.text.removeprefix("$ ") for line in recording.shown(recording.CAST.read_text()) if line.typed]
    assert typed == list(recording.SESSION)


def test_the_session_is_what_the_readme_teaches() -> None:
    """Its manifest is the one on top of the README and the sample; its verbs are in the table of the README."""
    readme = (reference.ROOT / "README.md").read_text()
    said: dict[str, list[str]] = {}
    for line in recording.shown(recording.CAST.read_text()):
        if line.typed:
            said[command := line.text.removeprefix("$ ")] = []
        else:
            said[command].append(line.text)
    (first, manifest), *_ = said.items()
    sample = reference.ROOT / "deploy" / "samples" / "digits.yaml"
    assert f"cat {sample.relative_to(reference.ROOT)}" in first
    shown = yaml.safe_load("\n".join(manifest))
    on_top = yaml.safe_load(readme.partition("```yaml\n")[2].partition("```")[0])
    assert shown == yaml.safe_load(sample.read_text()) == on_top
    verbs = [re.match(r"kubectl (?:sklearn )?[a-z]+", command) for command in said]
    for verb in (found[0] for found in verbs if found and found[0] != "kubectl apply"):
        assert f"`{verb} " in readme, verb
    files = {word for command in said for word in command.split() if word.startswith("deploy/")}
    assert len(files) == 2 and all((reference.ROOT / name).is_file() for name in files)
    figure = "accuracy=0.969"
    assert figure in said["kubectl get skm"][1]
    assert figure in (reference.ROOT / "docs" / "tutorials" / "digits.md").read_text(), "which the tests type"


@pytest.mark.parametrize(
    "path", sorted((reference.ROOT / "docs" / "pictures").glob("*.svg")), ids=lambda path: path.name
)
def test_a_picture_is_well_formed_described_and_takes_nothing_from_elsewhere(path: Path) -> None:
    drawing = ElementTree.parse(path).getroot()
    name = "{http://www.w3.org/2000/svg}"
    assert drawing.find(f"{name}title") is not None and drawing.find(f"{name}desc") is not None
    text = path.read_text()
    assert "prefers-color-scheme: dark" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http://127.0.0.1", "")
