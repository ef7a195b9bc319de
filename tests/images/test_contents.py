"""What is in the images, and what is not."""

from __future__ import annotations

import email
import hashlib
import json
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import containers

ROOT = Path(__file__).parents[2]
SITE = Path("opt/sklearn-operator/lib/python3.13/site-packages")
SBOM = Path("usr/share/sbom/sklearn-operator.cdx.json")
BINARIES = {"operator": {"python3.13"}, "trainer": {"python3.13", "dash", "sh", "mktemp"}}
#: Loads every shared library with all that it asks for, as the loader of this very image finds it. Some of them are
#: made for one another and name symbols that their package loads first.
LOAD = """
import ctypes, os, pathlib, sys
os.environ.pop("LD_LIBRARY_PATH", None)
for root in ("/usr/lib", "/opt"):
    for path in sorted(pathlib.Path(root).rglob("*.so*")):
        try:
            if path.is_file() and path.read_bytes()[:4] == b"\\x7fELF":
                ctypes.CDLL(str(path), mode=os.RTLD_LAZY | os.RTLD_LOCAL)
        except OSError as error:
            print(f"{path}: {error}")
"""


def walk(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            yield path.relative_to(root), path.lstat()


def test_nobody_but_root_can_change_it_and_nothing_gives_rights(either: containers.Container) -> None:
    made = {Path("etc/hosts"), Path("etc/resolv.conf")}  # by the test, as by a container runtime
    for path, about in walk(either.root):
        if stat.S_ISLNK(about.st_mode) or path in made:
            continue
        assert (about.st_uid, about.st_gid) == (0, 0), path
        assert not about.st_mode & (stat.S_ISUID | stat.S_ISGID), path
        assert path == Path("tmp") or not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH), path
        assert "security.capability" not in os.listxattr(either.root / path), path
        assert about.st_mode & stat.S_IROTH, path  # whoever a pod runs as can read it
    assert stat.S_IMODE((either.root / "tmp").stat().st_mode) == 0o1777
    assert not any((either.root / "tmp").iterdir())


def test_the_projects_layer_comes_out_the_same_when_it_is_made_again(
    store: containers.Store, operator: containers.Container
) -> None:
    """By the very script, at another time and in another folder; from the sources as the builder gets them."""
    with store.building("operator-build") as (root, run):
        for name in ("README.md", "LICENSE", "operator"):
            source, target = ROOT / name, root / "build" / "source" / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.py[cod]"))
            else:
                shutil.copy(source, target)
        shutil.copy(ROOT / "deploy" / "images" / "project.sh", root / "build" / "images")
        run("sh", "/build/images/project.sh")
        again = digests(root / "project")
    assert len(again) > 100
    assert [path for path, made in again.items() if digest(operator.root / path) != made] == []


def digests(root: Path) -> dict[Path, tuple[str, int, float]]:
    return {path: digest(root / path) for path, about in walk(root) if stat.S_ISREG(about.st_mode)}


def digest(file: Path) -> tuple[str, int, float]:
    """What is in it, its rights, and its time."""
    about = file.stat()
    return hashlib.sha256(file.read_bytes()).hexdigest(), stat.S_IMODE(about.st_mode), about.st_mtime


def test_no_shell_but_where_pipelines_need_one_no_compiler_and_no_package_manager(either: containers.Container) -> None:
    assert {path.name for path in (either.root / "usr" / "bin").iterdir()} == BINARIES[either.name]
    assert not any((either.root / "usr" / "sbin").glob("*"))
    packages = {item.metadata["Name"].lower() for item in metadata.distributions(path=[str(either.root / SITE)])}
    # training.requirements installs with pip, into a folder of the task's own
    assert ("pip" in packages) == (either.name == "trainer")
    assert {"uv", "hatchling", "cyclonedx-bom", "pytest"}.isdisjoint(packages)
    assert ("scikit-learn" in packages) == (either.name == "trainer")


def test_nothing_of_the_building_machine_is_in_it(either: containers.Container) -> None:
    needles = [str(ROOT).encode(), b"/build/source", b"/run/secrets/authorities"]
    key = rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}"
    pattern = re.compile(b"|".join([*map(re.escape, needles), key]))
    for path, about in walk(either.root):
        assert path.name not in (".git", ".env", "id_rsa", ".netrc", ".pypirc", "pip.conf", "uv.toml"), path
        if stat.S_ISREG(about.st_mode) and about.st_size < 2**20 and "test" not in str(path):
            found = pattern.search((either.root / path).read_bytes())
            assert found is None, f"{path}: {found}"
    assert not (either.root / "build").exists() and not (either.root / "root").exists()
    assert {entry.name for entry in (either.root / "var" / "lib").iterdir()} <= {"dpkg", "misc"}


def test_every_library_finds_what_it_asks_for(either: containers.Container) -> None:
    missing = [line for line in either.output("python", "-c", LOAD).splitlines() if "cannot open shared" in line]
    assert missing == []


def test_the_bill_of_materials_is_what_is_there_and_what_was_locked(either: containers.Container) -> None:
    components = json.loads((either.root / SBOM).read_text())["components"]
    listed = {(item["purl"].partition("/")[0], item["name"], item["version"]) for item in components}
    there = {
        ("pkg:pypi", item.metadata["Name"], item.version)
        for item in metadata.distributions(path=[str(either.root / SITE)])
        if item.metadata["Name"] != "sklearn-operator"
    }
    status = [path.read_text() for path in (either.root / "var" / "lib" / "dpkg" / "status.d").iterdir()]
    there |= {("pkg:deb", item["Package"], item["Version"]) for item in map(email.message_from_string, status)}
    assert listed == there
    with (ROOT / "uv.lock").open("rb") as file:
        locked = {(item["name"], item["version"]) for item in tomllib.load(file)["package"]}
    for _, name, version in (item for item in there if item[0] == "pkg:pypi"):
        assert (re.sub(r"[-_.]+", "-", name).lower(), version) in locked


def test_it_is_labelled(either: containers.Container) -> None:
    labels = either.config["Labels"]
    assert labels["org.opencontainers.image.version"] == metadata.version("sklearn-operator")
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert either.user == (65532, 65532)


def test_licences_come_along(either: containers.Container) -> None:
    packages = {path.name for path in (either.root / "var" / "lib" / "dpkg" / "status.d").iterdir()}
    for name in packages:
        notice = either.root / "usr" / "share" / "doc" / name
        assert notice.is_symlink() or (notice / "copyright").is_file() or (notice / "copyright").is_symlink(), name


def test_nothing_in_it_depends_on_when_it_was_built(either: containers.Container) -> None:
    made = {Path("etc/hosts"), Path("etc/resolv.conf")}
    layers = ("etc", "opt", "usr", "var")
    times = {about.st_mtime for path, about in walk(either.root) if path.parts[0] in layers and path not in made}
    assert len(times - {(either.root / "etc").stat().st_mtime}) == 1
    assert not list((either.root / SITE).glob("*.dist-info/uv_cache.json"))
    for source in (either.root / SITE / "sklearn_operator").rglob("*.py"):
        (compiled,) = source.parent.glob(f"__pycache__/{source.stem}.cpython-313.pyc")
        assert compiled.read_bytes()[4:8] == b"\x01\0\0\0", compiled  # by the hash of the source, unchecked
