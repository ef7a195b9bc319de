"""Helm, built like the other programs, and the checkout's chart rendered by it.

Invariant: Helm reads and writes nothing of the user's: its configuration, cache and plugins lie in a folder of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sklearn_sandbox import assets, errors, paths, progress

RELEASE, NAMESPACE = "sklearn-operator", "sklearn-operator-system"
_SOURCE = "# Source: "

Manifest = dict[str, Any]


class Refused(Exception):
    """Helm did not do it; the text is what it said."""


@dataclass(frozen=True)
class Document:
    """One rendered object: its text as the template wrote it, comments included, and the template's name."""

    template: str
    text: str

    @property
    def manifest(self) -> Manifest:
        found: Manifest = yaml.safe_load(self.text)
        return found


@dataclass(frozen=True)
class Helm:
    binary: Path
    #: Of the API server to install into; not needed to render.
    kubeconfig: Path | None = None

    def run(self, *arguments: str, text: str | None = None) -> str:
        """What Helm printed; raises Refused with what it said when it would not."""
        home = paths.cache_folder() / "helm"
        environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "KUBECONFIG": str(self.kubeconfig or "")}
        environ |= {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            [str(self.binary), *arguments], input=text, env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Refused(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def render(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        release: str = RELEASE,
        namespace: str = NAMESPACE,
        chart: Path | None = None,
    ) -> list[Document]:
        """The objects of the chart, in the order of its templates."""
        options = ["--namespace", namespace, "--values", "-"]
        said = self.run(
            "template", release, str(chart or chart_folder()), *options, text=json.dumps(dict(values or {}))
        )
        return documents(said)


def ensure(reporter: progress.Reporter | None = None, kubeconfig: Path | None = None) -> Helm:
    """Helm, built first when it has to be."""
    found = assets.ensure({"helm"}, reporter or progress.Silent())
    if "helm" not in found:
        raise errors.SandboxError("helm was not built")
    return Helm(found["helm"], kubeconfig)


def chart_folder() -> Path:
    return paths.project_root() / "charts" / "sklearn-operator"


def documents(said: str) -> list[Document]:
    """Of what `helm template` prints: each object begins with a line that names its template."""
    found = []
    for part in said.split("\n---\n"):
        lines = part.removeprefix("---\n").strip("\n").splitlines()
        if not lines or not lines[0].startswith(_SOURCE):
            continue
        text = "\n".join(lines[1:]).strip("\n") + "\n"
        if yaml.safe_load(text) is not None:
            found.append(Document(lines[0].rpartition("/")[2], text))
    return found
