"""``python -m sklearn_steps.compile``: writes the compiled pipelines into the operator's package.

Invariant: the same code gives the same bytes; a test compares what is checked in with what this would write.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

LAYOUTS = ("staged", "fused", "cached")


def compiled(layout: str) -> str:
    """The two YAML documents of a layout."""
    from kfp import compiler

    from sklearn_steps import pipeline

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{layout}.yaml")
        compiler.Compiler().compile(getattr(pipeline, layout), str(path))
        return path.read_text()


def folder() -> Path:
    """Where they are checked in."""
    return Path(__file__).parent.parent / "sklearn_operator" / "pipelines"


def main() -> int:
    """Write all layouts."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_steps.compile", description="Compile the pipelines.")
    parser.add_argument("--output", type=Path, default=folder())
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    for layout in LAYOUTS:
        (output / f"{layout}.yaml").write_text(compiled(layout))
    return 0


if __name__ == "__main__":
    sys.exit(main())
