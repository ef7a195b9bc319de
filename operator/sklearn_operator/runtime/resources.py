"""Data files that ship inside the package. Invariant: read once, at start, through the import system."""

from __future__ import annotations

from importlib import resources


def catalogue() -> bytes:
    """What the trainer's scikit-learn offers, generated at build time."""
    return resources.files("sklearn_operator.core").joinpath("catalogue/sklearn.json").read_bytes()


def pipelines() -> dict[str, str]:
    """The compiled base pipelines by layout."""
    folder = resources.files("sklearn_operator").joinpath("pipelines")
    return {layout: folder.joinpath(f"{layout.lower()}.yaml").read_text() for layout in ("Staged", "Fused", "Cached")}
