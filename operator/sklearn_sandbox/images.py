"""The images this sandbox knows, each mapped to a folder of executables on this machine.

Invariant: an image that is not listed here never runs: a pod that asks for it waits, as with a registry that does not
have it, and is told which images there are.
"""

from __future__ import annotations

import fnmatch
import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sklearn_sandbox import paths

REGISTRY = "ghcr.io/sklearn-operator"


@dataclass(frozen=True)
class Image:
    """What stands for an image: its executables, and what runs when the manifest names no command."""

    #: Put first on PATH.
    bin: Path
    entrypoint: tuple[str, ...] = ()
    #: The image's default arguments, used when the manifest gives neither command nor args.
    arguments: tuple[str, ...] = ()
    #: What the image sets, before the manifest does.
    env: Mapping[str, str] = field(default_factory=lambda: {"PYTHONUNBUFFERED": "1"})

    def argv(self, command: list[str], arguments: list[str]) -> list[str]:
        """Command and arguments as the container runtime combines them with the image's own."""
        if command:
            return [*command, *arguments]
        return [*self.entrypoint, *(arguments or self.arguments)]


def catalogue(environ: Mapping[str, str] = os.environ) -> dict[str, Image]:
    """Every known reference (or pattern of references) and its image."""
    version = importlib.metadata.version("sklearn-operator")
    operator = paths.operator_bin()
    initializer = Image(operator, ("python", "-m", "sklearn_sandbox.storage_initializer"))
    return {
        f"{REGISTRY}/trainer:{version}": Image(paths.trainer_python(environ).parent, (), ("python",)),
        f"{REGISTRY}/operator:{version}": Image(operator, ("sklearn-operator",), ("run",)),
        "kserve/storage-initializer:*": initializer,
    }


def find(reference: str, known: Mapping[str, Image]) -> Image | None:
    short = reference.removeprefix("docker.io/")
    for pattern, image in known.items():
        if fnmatch.fnmatchcase(short, pattern):
            return image
    return None


def unknown_message(reference: str, known: Mapping[str, Image]) -> str:
    return (
        f'image "{reference}" is not in this sandbox, which pulls nothing and runs only the project\'s own images: '
        + ", ".join(known)
    )
