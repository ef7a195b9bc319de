"""Import scikit-learn without pandas where the data is not a table.

scikit-learn imports pandas only to have a name for it: 0.3 s or more in each of three tasks. Invariant: pandas is
hidden only while scikit-learn itself is imported; afterwards ``import pandas`` works.
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


def load(table: bool) -> None:
    """Import what every step needs of scikit-learn, in the cheaper way that the data allows."""
    if table:
        import pandas  # noqa: F401
        import sklearn.base

        return
    with without_pandas():
        import sklearn.base  # noqa: F401
