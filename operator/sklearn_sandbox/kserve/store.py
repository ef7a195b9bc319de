"""One kind of object as the server last showed it: a list, then a watch, for ever.

Invariant: every change calls `changed(old, new)` once, in the server's order; a broken watch costs time, no change.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import Callable, Iterator

from sklearn_sandbox.kserve import client
from sklearn_sandbox.kserve.names import Json

Key = tuple[str, str]
Changed = Callable[[Json | None, Json | None], None]
log = logging.getLogger(__name__)


class Store:
    def __init__(
        self, api: client.Client, resource: client.Resource, changed: Changed, selector: str | None = None
    ) -> None:
        self._api, self._resource, self._changed, self._selector = api, resource, changed, selector
        self._items: dict[Key, Json] = {}
        self._gone: collections.deque[str] = collections.deque(maxlen=1000)
        self.synced = asyncio.Event()

    def get(self, key: Key) -> Json | None:
        return self._items.get(key)

    def all(self, namespace: str | None = None) -> Iterator[Json]:
        return (item for (where, _), item in self._items.items() if namespace is None or where == namespace)

    def learn(self, item: Json) -> None:
        """What a write of our own returned, so that the next look does not see the state before it."""
        key = client.key_of(item)
        known = self._items.get(key)
        if item["metadata"]["uid"] not in self._gone and (known is None or _age(item) > _age(known)):
            self._items[key] = item

    async def run(self, stopping: asyncio.Event) -> None:
        delay = 0.05
        while not stopping.is_set():
            try:
                version = await self._refresh()
                self.synced.set()
                delay = 0.05
                await self._follow(version)
            except client.ApiError as error:
                log.warning("%s: %s; again in %.2f s", self._resource.plural, error, delay)
                await client.pause(stopping, delay)
                delay = min(delay * 2, 2.0)

    async def _refresh(self) -> str:
        answer = await self._api.list(self._resource, self._selector)
        fresh = {client.key_of(item): item for item in answer["items"]}
        gone = [item for key, item in self._items.items() if key not in fresh]
        for item in gone:
            self._drop(item)
        for item in fresh.values():
            self._put(item)
        return str(answer["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> None:
        while True:
            async for event in self._api.watch(self._resource, version, self._selector):
                item: Json = event["object"]
                if event["type"] == "ERROR":
                    raise client.ApiError(int(item.get("code") or 0), str(item.get("message")))
                version = str(item["metadata"]["resourceVersion"])
                if event["type"] == "DELETED":
                    self._drop(item)
                elif event["type"] != "BOOKMARK":
                    self._put(item)

    def _drop(self, item: Json) -> None:
        self._gone.append(item["metadata"]["uid"])
        self._items.pop(client.key_of(item), None)
        self._changed(item, None)

    def _put(self, item: Json) -> None:
        key = client.key_of(item)
        old = self._items.get(key)
        if old is not None and _age(old) > _age(item):
            return  # we learned something newer from a write of our own
        self._items[key] = item
        self._changed(old, item)


def _age(item: Json) -> int:
    """Resource versions of one kind are ordered."""
    return int(item["metadata"]["resourceVersion"])
