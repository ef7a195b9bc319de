"""``python -m sklearn_steps``: the steps without Kubeflow Pipelines, on folders.

Invariant: what happens is what happens in a pipeline; the same functions run with the same configuration.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sklearn_steps import tasks

_FOLDERS = {
    "prepare": ("train-data", "test-data"),
    "train": ("train-data", "model"),
    "evaluate": ("model", "test-data", "evaluation"),
    "publish": ("model", "evaluation"),
    "run-all": (),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one step, or all."""
    parser = argparse.ArgumentParser(prog="python -m sklearn_steps", description="Train a model without a pipeline.")
    steps = parser.add_subparsers(dest="step", required=True)
    for name, folders in _FOLDERS.items():
        step = steps.add_parser(name)
        step.add_argument("--config", required=True, type=Path, help="the run's configuration, JSON")
        for folder in folders:
            step.add_argument(f"--{folder}", required=True, type=Path)
    given = parser.parse_args(argv)
    places = [getattr(given, folder.replace("-", "_")) for folder in _FOLDERS[given.step]]
    getattr(tasks, given.step.replace("-", "_"))(given.config.read_text(), *places)
    return 0


if __name__ == "__main__":
    sys.exit(main())
