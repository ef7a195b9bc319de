"""Import scikit-learn without pandas.

scikit-learn 1.9 imports pandas, and with it pyarrow, only to have a name for it: 0.3 s and 65 MB that a model of arrays
never needs. Invariant: pandas is hidden only while scikit-learn itself is imported; afterwards ``import pandas`` works.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any


@contextlib.contextmanager
def without_pandas() -> Iterator[None]:
    """Let imports in this block find no pandas, unless somebody has it already."""
    modules: MutableMapping[str, Any] = sys.modules
    if "pandas" in modules:
        yield
        return
    modules["pandas"] = None  # the documented way to make an import fail with ModuleNotFoundError
    try:
        yield
    finally:
        del modules["pandas"]
