"""Wheels made on the spot, so that pip has something to install without an index."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

CLASSIFIER = """
from sklearn.dummy import DummyClassifier

class Most(DummyClassifier):
    pass
"""


def wheel(folder: Path, name: str, version: str = "1.0", source: str = "", needs: str = "") -> Path:
    """A wheel with one module."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    required = f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/top_level.txt": f"{name}\n",
    }
    records = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in (files | {f"{info}/RECORD": records}).items():
            archive.writestr(inside, text)
    return path


def only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As the image's own configuration of pip would have it: these wheels and nothing else."""
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
