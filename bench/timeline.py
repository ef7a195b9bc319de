"""When the API server told a watcher what: the only clock of the latency bench.

Invariant: times are those of arrival here, for every kind alike; kinds are watched from before anything happens.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx

from bench import place as places

Object = dict[str, Any]


class Timeline:
    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[float, str, Object]]] = {}
        self._news = threading.Condition()
        self._ended: BaseException | None = None

    def first(self, path: str, since: float, matches: Callable[[str, Object], bool], what: str) -> tuple[float, Object]:
        """Waits for the first event at or after ``since`` that matches (type of event, object)."""
        deadline = time.monotonic() + places.PATIENCE
        with self._news:
            while True:
                for at, kind, found in self._seen.get(path, []):
                    if at >= since and matches(kind, found):
                        return at, found
                if self._ended is not None or not self._news.wait(deadline - time.monotonic()):
                    raise places.NotMeasured(f"{what}: not seen ({self._ended or 'timed out'})")

    def follow(self, api: httpx.Client, path: str, listening: threading.Event) -> None:
        """Notes the events of one kind until the connection ends."""
        try:
            with api.stream("GET", path, params={"watch": "1", "timeoutSeconds": "3600"}, timeout=None) as answer:
                answer.raise_for_status()
                listening.set()
                for line in answer.iter_lines():
                    self._note(path, json.loads(line))
        except httpx.HTTPError as error:
            with self._news:
                self._ended = error
                self._news.notify_all()
        finally:
            listening.set()

    def _note(self, path: str, event: dict[str, Any]) -> None:
        with self._news:
            self._seen.setdefault(path, []).append((time.time(), event["type"], event["object"]))
            self._news.notify_all()


@contextlib.contextmanager
def watching(place: places.Place, paths: Sequence[str]) -> Iterator[Timeline]:
    """The threads end with the API server, or with the program."""
    timeline = Timeline()
    for path in paths:
        listening = threading.Event()
        threading.Thread(target=timeline.follow, args=(place.api, path, listening), daemon=True).start()
        listening.wait(30)
    yield timeline
