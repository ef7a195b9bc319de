"""Keys to look at: each at most once in the queue, at most one worker on it, failures again later and later.

Invariant: a key added while it is being worked on is worked on once more afterwards.
"""

from __future__ import annotations

import asyncio

Key = tuple[str, str]
FIRST_RETRY, LAST_RETRY = 0.005, 5.0


class WorkQueue:
    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._wanted: set[Key] = set()
        self._busy: set[Key] = set()
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        if key in self._wanted:
            return
        self._wanted.add(key)
        if key not in self._busy:
            self._ready.put_nowait(key)

    def add_later(self, key: Key, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.add, key)

    async def take(self) -> Key:
        key = await self._ready.get()
        self._wanted.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: Key, *, failed: bool) -> None:
        self._busy.discard(key)
        if key in self._wanted:
            self._ready.put_nowait(key)
        if not failed:
            self._failures.pop(key, None)
            return
        count = self._failures[key] = self._failures.get(key, 0) + 1
        self.add_later(key, min(FIRST_RETRY * 2 ** min(count - 1, 12), LAST_RETRY))
