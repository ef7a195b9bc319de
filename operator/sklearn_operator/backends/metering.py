"""One measurement of every call to an outside system, taken where the call leaves the operator.

Invariant: operation and code come from small fixed vocabularies; no name, id or address of anybody's gets into them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


class Meter(Protocol):
    def __call__(self, backend: str, operation: str, code: str, seconds: float) -> None:
        """A call ended; ``code``: the HTTP status, or a word where there was none."""


@dataclass
class Call:
    """``code``: set once the answer is there."""

    code: str = ""


def unmetered(backend: str, operation: str, code: str, seconds: float) -> None:
    """For who does not count."""


def word(error: BaseException) -> str:
    """What ended a call without an answer."""
    name = type(error).__name__
    if isinstance(error, TimeoutError) or "Timeout" in name:
        return "timeout"
    return "canceled" if name == "CancelledError" else "no_answer"


@contextmanager
def measured(meter: Meter, backend: str, operation: str, told: Callable[[BaseException], str] = word) -> Iterator[Call]:
    """Around one exchange; ``told``: the code of one that ends with an exception."""
    call, began = Call(), time.perf_counter()
    try:
        yield call
    except BaseException as error:
        call.code = call.code or told(error)
        raise
    finally:
        meter(backend, operation, call.code or "200", time.perf_counter() - began)
