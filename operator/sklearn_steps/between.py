"""For a step of the user's own between ``prepare`` and ``train``: read the rows, choose among them, write them.

Invariant: features stay as they are, because serving gets them as ``prepare`` made them; what the card and
``schema.json`` say of the training part is said of the rows that are left.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sklearn_steps import parts, profile

load = parts.load
save = parts.save


def keep(part: parts.Part, rows: Any, note: str) -> parts.Part:
    """The training part with these rows only (a mask, or positions); ``note`` says why, in the model's card."""
    import numpy as np

    positions = np.arange(len(part.X))[rows]
    about = part.about.model_copy(update={"train_rows": len(positions), "notes": [*part.about.notes, note]})
    found = replace(parts.taken(part, positions), about=about)
    about.profile = profile.describe(found)
    return found


def filtered(source: str | Path, target: str | Path, rows: Any, note: str) -> None:
    """``keep`` from one artifact's path to another's; ``rows`` is a function of features and target."""
    part = load(Path(source))
    save(keep(part, rows(part.X, part.y), note), Path(target))
