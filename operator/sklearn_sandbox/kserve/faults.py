"""Misbehaviour on demand, for tests: a status that comes late, never, or twice.

Invariant: without a request for it nothing is out of order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Key = tuple[str, str]
KINDS = ("late", "never", "twice")


@dataclass
class Faults:
    status: str | None = None
    seconds: float = 2.0
    clock: Callable[[], float] = time.monotonic
    _since: dict[Key, float] = field(default_factory=dict)

    def set(self, status: str | None, seconds: float) -> None:
        if status is not None and status not in KINDS:
            raise ValueError(f"status must be one of {', '.join(KINDS)} or null, not {status!r}")
        self.status, self.seconds = status, seconds
        self._since.clear()

    def delay(self, key: Key) -> float | None:
        """Seconds that a wanted status write of this object has to wait still; None: for ever."""
        if self.status == "never":
            return None
        if self.status != "late":
            return 0.0
        since = self._since.setdefault(key, self.clock())
        return max(0.0, since + self.seconds - self.clock())

    def written(self, key: Key) -> None:
        self._since.pop(key, None)
