"""The ways in which a step ends badly, each with a reason and words for the person who wrote the manifest.

Exception
└── StepError          reason, message
    ├── UserError      permanent: the same manifest on the same data fails again
    └── TransientError the outside was in the way: a later attempt may succeed

Invariant: a message names the field and the value, says what is right, fits into 1 KiB and carries no secret. Errors
of other libraries become one of these where they are met; what is left over is a bug, reported as ``Unexpected`` and
not as permanent: nobody knows.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence

#: What scikit-learn and numpy raise over data or parameters that they cannot work with.
UNFIT = (ValueError, TypeError, ArithmeticError, AttributeError, LookupError)


class StepError(Exception):
    """``reason`` is CamelCase and stable: people and machines match on it."""

    permanent = True

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class UserError(StepError):
    """Only a person can change the outcome."""


class TransientError(StepError):
    """Worth another try as it is."""

    permanent = False


def shown(value: object) -> str:
    """A foreign value for a message: quoted, and never longer than a line."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 80
    return short.repr(value)


def listed(names: Iterable[object], limit: int = 12) -> str:
    """Names for a message; a long list says how many more there are."""
    known = [str(name) for name in names]
    more = len(known) - limit
    return ", ".join(known[:limit]) + (f" and {more} more" if more > 0 else "")


def nearest(name: str, known: Sequence[str]) -> str:
    """``did you mean x? ``, or nothing."""
    folded = {item.casefold(): item for item in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"did you mean {folded[close[0]]}? " if close else ""


def first_line(error: BaseException, limit: int = 400) -> str:
    """What a library says went wrong, without its paragraphs of advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if len(lines) > 1 and text.endswith(":"):
        text = f"{text} {lines[1]}"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
