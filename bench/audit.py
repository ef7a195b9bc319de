"""What the API server itself says about writes: its audit log.

Invariant: only what a client asked for counts, refused requests too; status codes tell them apart.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Write:
    at: float
    verb: str
    what: str
    code: int

    def __str__(self) -> str:
        return f"{self.verb} {self.what}" + (f" ({self.code})" if self.code >= 400 else "")


@dataclass(frozen=True)
class Log:
    """The log of one API server, as far as it concerns one user."""

    path: Path
    user: str

    def writes(self, since: float = 0.0, until: float = float("inf")) -> list[Write]:
        return [write for write in self._all() if since <= write.at <= until]

    def _all(self) -> Iterator[Write]:
        if not self.path.exists():
            return
        with self.path.open() as lines:
            for line in lines:
                # A line that is just being written does not end yet. Most lines are reads of others: parse few.
                if not line.endswith("\n") or self.user not in line:
                    continue
                entry = json.loads(line)
                if entry["verb"] in WRITES and entry["user"]["username"] == self.user:
                    yield _write(entry)


def _write(entry: dict[str, object]) -> Write:
    target = entry.get("objectRef")
    reference = target if isinstance(target, dict) else {}
    answer = entry.get("responseStatus")
    code = answer.get("code", 0) if isinstance(answer, dict) else 0
    what = str(reference.get("resource", entry.get("requestURI")))
    if reference.get("subresource"):
        what += f"/{reference['subresource']}"
    at = dt.datetime.fromisoformat(str(entry["requestReceivedTimestamp"])).timestamp()
    return Write(at, str(entry["verb"]), what, int(code))


def counted(writes: list[Write]) -> list[tuple[str, int]]:
    """Writes by verb and resource, in order of first appearance."""
    return list(Counter(map(str, writes)).items())
