"""Import what the controller stands on without what it never uses, which takes a third of the imports' time.

``kubernetes`` imports its synchronous client beside the asynchronous one and with that all that it can do, kopf imports
the former to know its classes by sight, and httpx its own command line.

Invariant: every module can still be imported, and is the real one: parts are hidden only while the others are imported.
What goes without saying elsewhere does not here: ``kubernetes.client`` has to be imported by its own name.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

#: Parsed listings are big trees without cycles, and so are modules. By Python's own thresholds the collector walks them
#: over and over, which was a third of what a restart with a thousand models costs.
_COLLECT_AFTER = (50_000, 20, 20)


def load() -> None:
    """Call it before anything else imports these packages; later it does no harm, and no good."""
    gc.set_threshold(*_COLLECT_AFTER)
    _at_home()
    # To look for plugins takes reading what every installed package says of itself.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _bare("kubernetes")
    _bare("kubernetes.aio")
    with _hidden("kubernetes.client", "httpx._main"):
        import httpx  # noqa: F401
        import kopf  # noqa: F401


def _at_home() -> None:
    """A user that no file knows may have no home, and kubernetes asks for one while it is imported."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()


def _bare(name: str) -> None:
    """The package with its submodules to import, but without running its ``__init__``, which imports all of them."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is not None:
        sys.modules[name] = importlib.util.module_from_spec(spec)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])


@contextlib.contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Let imports in this block not find these modules, unless somebody has them already."""
    modules: MutableMapping[str, Any] = sys.modules
    absent = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(absent))  # None is the documented way to make an import fail
    try:
        yield
    finally:
        for name in absent:
            del modules[name]
