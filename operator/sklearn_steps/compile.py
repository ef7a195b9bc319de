"""``python -m sklearn_steps.compile``: writes the compiled pipelines, and the components, to where they are checked in.

Invariant: the same code gives the same bytes; a test compares what is checked in with what this would write.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

LAYOUTS = ("staged", "fused", "cached")


def compiled(layout: str) -> str:
    """The two YAML documents of a layout."""
    from sklearn_steps import pipeline

    return _yaml(getattr(pipeline, layout), layout)


def component(name: str) -> str:
    """The YAML of a component for pipelines of the user's own."""
    from sklearn_steps import components

    return _yaml(getattr(components, name), name)


def _yaml(function: Any, name: str) -> str:
    from kfp import compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.yaml")
        compiler.Compiler().compile(function, str(path))
        return path.read_text()


def folder() -> Path:
    """Where the pipelines are checked in."""
    return Path(__file__).parent.parent / "sklearn_operator" / "pipelines"


def components_folder() -> Path:
    """Where the components are."""
    return Path(__file__).parents[2] / "deploy" / "components"


def main() -> int:
    """Write all layouts and all components."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_steps.compile", description="Compile the pipelines.")
    parser.add_argument("--output", type=Path, default=folder())
    parser.add_argument("--components", type=Path, default=components_folder())
    given = parser.parse_args()
    from sklearn_steps import components

    texts = {given.output / f"{layout}.yaml": compiled(layout) for layout in LAYOUTS}
    texts |= {given.components / f"{name}.yaml": component(name) for name in components.NAMES}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
