"""Somebody who asks for predictions all the time.

Invariant: every request is a stranger's, over a connection of its own, and none of them may fail.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import waiting
from everything import towns

#: Between two requests of a caller, in seconds: many during a switch, and time left for everybody else.
PAUSE = 0.02
IRIS = (5.1, 3.5, 1.4, 0.2)


@dataclass
class Caller:
    """Asks for one prediction after the other, each over a connection of its own, as strangers would."""

    address: str
    name: str
    row: Sequence[float] = IRIS
    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def loop(self) -> None:
        while not self.enough.wait(PAUSE):
            try:
                self.answers.append(self.ask())
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.failures.append(f"after {len(self.answers)} answers: {type(error).__name__}: {error}")

    def ask(self) -> str:
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=10)
        try:
            path = f"/v2/models/{self.name}/infer"
            tensor = {"name": "input-0", "shape": [1, len(self.row)], "datatype": "FP64", "data": list(self.row)}
            connection.request("POST", path, json.dumps({"inputs": [tensor]}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{answer.status} {body.decode(errors='replace')}")
        return str(json.loads(body)["model_version"])

    def answered(self, count: int) -> None:
        """Waits for so many answers altogether."""
        waiting.wait_for(f"{count} answers", lambda: bool(self.failures) or len(self.answers) >= count, 60)
        assert self.failures == []

    def answered_last(self, version: str, count: int = 50) -> None:
        """Waits for that many answers in a row, all of them from ``version``, after whatever there was so far."""
        start = len(self.answers)

        def steady() -> bool:
            since = self.answers[start:]
            return bool(self.failures) or (len(since) >= count and set(since[-count:]) == {version})

        waiting.wait_for(f"{count} answers of {version}", steady, 60)
        assert self.failures == []

    def went(self, before: str, after: str) -> None:
        """From one version to the next; both are asked for as long as Kubernetes has both in the Service."""
        assert (self.answers[0], self.answers[-1], set(self.answers)) == (before, after, {before, after})


@contextmanager
def calling(town: towns.Town, name: str, by: str = "address", row: Sequence[float] = IRIS) -> Iterator[Caller]:
    """Predictions all the time; none of them may fail. ``by``: which address of the status is asked."""
    caller = Caller(town.status(name)[by], name, row)
    thread = threading.Thread(target=caller.loop)
    thread.start()
    try:
        waiting.wait_for("answers", lambda: len(caller.answers) >= 10 or caller.failures, 30)
        yield caller
    finally:
        caller.enough.set()
        thread.join()
    assert caller.failures == []
