"""The two ways in which serving fails, so that each is turned into an answer in exactly one place.

Exception
├── ArtifactError    the model cannot be served: one line on stderr, exit code 1, never an answer
└── RequestError     the request cannot be answered: its HTTP status and a message for the caller, never a traceback
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable


class ArtifactError(Exception):
    """The published model is incomplete, altered, or does not behave here as it did at training."""


class RequestError(Exception):
    """A request that is wrong; ``status`` is always a 4xx."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def shown(value: object) -> str:
    """A foreign value for a message: quoted, shallow, and never longer than a line."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 80
    text = short.repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def listed(names: Iterable[object], limit: int = 10) -> str:
    """Some names for a message, with the count of the rest."""
    items = [shown(name) for name in names]
    rest = len(items) - limit
    return ", ".join(items[:limit]) + (f" and {rest} more" if rest > 0 else "")
