"""The last gate before a write leaves the process.

Invariant: an adapter passes the fence immediately before it sends whatever changes something outside, and again once it
has a connection for it: a process that was paused anywhere in between does not send it when it wakes up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sklearn_operator.backends import errors

#: Raises Fenced when nothing may be written any more.
Fence: TypeAlias = Callable[[], None]


class Fenced(errors.Transient):
    """Another process may be at work in our place: nothing was sent."""


def unfenced() -> None:
    """Nobody else is there."""
