"""Following one collection of objects for as long as the agent lives.

Invariant: whatever happens in between (a lost connection, an expired resource version, a missed deletion), the callbacks
have told the present state once the next list is in: every watch begins with a list, there is no resuming to get wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sklearn_sandbox.node import api

log = logging.getLogger(__name__)

FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0


class Follower:
    """Calls `seen` for every new or changed object and `gone` for every one that is no longer there."""

    def __init__(
        self,
        server: api.Api,
        path: str,
        seen: Callable[[api.Json], None],
        gone: Callable[[api.Json], None],
        query: api.Query = (),
    ) -> None:
        self._api, self._path, self._query = server, path, list(query)
        self._seen, self._gone = seen, gone
        self._known: dict[str, api.Json] = {}
        #: Set once the first list is in.
        self.synced = asyncio.Event()

    async def run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                version = await self._list()
                pause = FIRST_PAUSE
                await self._watch(version)
            except api.ApiError as error:
                log.warning("watching %s: %s; again in %.1f s", self._path, error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LAST_PAUSE)

    async def _list(self) -> str:
        answer = await self._api.call("GET", self._path, query=self._query)
        present = {item["metadata"]["uid"]: item for item in answer.get("items") or []}
        for uid in set(self._known) - set(present):
            self._gone(self._known.pop(uid))
        for item in present.values():
            self._note(item)
        self.synced.set()
        return str(answer["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> None:
        async for event in self._api.watch(self._path, [*self._query, ("resourceVersion", version)]):
            kind, item = event["type"], event["object"]
            if kind == "ERROR":  # mostly 410: the version is too old
                raise api.ApiError(int(item.get("code", 0)), str(item.get("message")))
            if kind == "DELETED":
                self._known.pop(item["metadata"]["uid"], None)
                self._gone(item)
            elif kind != "BOOKMARK":
                self._note(item)

    def _note(self, item: api.Json) -> None:
        metadata = item["metadata"]
        before = self._known.get(metadata["uid"])
        if before is None or before["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            self._known[metadata["uid"]] = item
            self._seen(item)
