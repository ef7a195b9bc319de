"""Import scikit-learn without what it only might need: pandas where the data is not a table, and parts of scipy.

scikit-learn imports pandas only to have a name for it, and three large parts of scipy (a third of the time it takes)
for a handful of functions that few estimators call. That is paid in each of three tasks and at every start of a server.
Invariant: nothing is missing. pandas is hidden only while scikit-learn itself is imported; a part of scipy is loaded by
its first use, and everybody but scikit-learn gets the real thing at once.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterator, MutableMapping
from types import ModuleType
from typing import Any

#: scikit-learn calls functions of these and asks their distributions and splines for methods; it derives no class from
#: theirs and tests for none.
_LATER = ("scipy.stats", "scipy.interpolate", "scipy.integrate")
_SWAP = threading.Lock()


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
    """Import what every step and the server need of scikit-learn, in the cheaper way that the data allows."""
    for name in _LATER:
        if name not in sys.modules:
            sys.modules[name] = _Part(name)
    if table:
        import pandas  # noqa: F401
        import sklearn.base

        return
    with without_pandas():
        import sklearn.base  # noqa: F401


class _Part(ModuleType):
    """Stands for a part of scipy until somebody wants more of it than a name."""

    def __getattr__(self, name: str) -> Any:
        # `from scipy.stats import x` asks from the frame of the importing module.
        asking = str(sys._getframe(1).f_globals.get("__name__", ""))
        if not asking.startswith("sklearn."):
            return getattr(_real(self.__name__), name)
        if name.startswith("__"):
            raise AttributeError(name)
        return _Later(self.__name__, name)

    def __dir__(self) -> list[str]:
        return dir(_real(self.__name__))


class _Later:
    """One name of such a part, looked up when it is called or asked for something."""

    def __init__(self, part: str, name: str) -> None:
        self._part, self._name = part, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(_real(self._part), self._name)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(_real(self._part), self._name), name)


def _real(name: str) -> ModuleType:
    with _SWAP:  # what another thread has begun to import is not to be dropped; it is waited for below
        if isinstance(sys.modules.get(name), _Part):
            del sys.modules[name]
    return importlib.import_module(name)
