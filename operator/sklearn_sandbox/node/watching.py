"""Following one collection of objects for as long as the agent lives.

Invariant: whatever happens in between (a lost connection, an expired resource version, a missed deletion), the
callbacks have told the present state once the next list is in. Every watch begins with a list: there is no resuming to
get wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from sklearn_sandbox.node import api, tasks

log = logging.getLogger(__name__)

FIRST_PAUSE, LAST_PAUSE = 0.2, 5.0


class Follower:
    """Calls `seen` for every new or changed object and `gone` for every one that is no longer there.

    `listed` is shown every whole list before that.
    """

    def __init__(
        self,
        server: api.Api,
        path: str,
        seen: Callable[[api.Json], None],
        gone: Callable[[api.Json], None],
        query: api.Query = (),
        listed: Callable[[Iterable[api.Json]], None] = lambda _: None,
    ) -> None:
        self._api, self._path, self._query = server, path, list(query)
        self._seen, self._gone, self._listed = seen, gone, listed
        self._known: dict[str, api.Json] = {}
        #: Set once the first list is in.
        self.synced = asyncio.Event()

    async def run(self) -> None:
        pauses = tasks.Pauses(log, FIRST_PAUSE, LAST_PAUSE)
        while True:
            try:
                version = await self._list()
                pauses.reset()
                await self._watch(version)
            except api.ApiError as error:
                await pauses.after(f"watching {self._path}: {error}")

    async def _list(self) -> str:
        answer = await self._api.call("GET", self._path, query=self._query)
        present = {item["metadata"]["uid"]: item for item in answer.get("items") or []}
        self._listed(present.values())
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


async def synced(followers: Iterable[Follower]) -> None:
    """Until each of them has its first list."""
    for follower in followers:
        await follower.synced.wait()
