"""What the server remembers, in one SQLite file: documents by kind and id.

Invariant: a document is on disk before the answer that tells of it; memory is only a copy of the file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Document = dict[str, Any]

EXPERIMENTS, PIPELINES, VERSIONS, RUNS, EXECUTIONS = "experiments", "pipelines", "versions", "runs", "executions"
_KINDS = (EXPERIMENTS, PIPELINES, VERSIONS, RUNS, EXECUTIONS)


class Store:
    """Fields that begin with an underscore are the server's own and never shown."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None)
        # WAL without waiting for the disk: survives a killed process, which is what happens here.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS documents (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))"
        )
        self._documents: dict[str, dict[str, Document]] = {kind: {} for kind in _KINDS}
        for kind, name, body in self._database.execute("SELECT kind, id, body FROM documents"):
            self._documents[kind][name] = json.loads(body)

    def close(self) -> None:
        self._database.close()

    def get(self, kind: str, name: str) -> Document | None:
        return self._documents[kind].get(name)

    def all(self, kind: str) -> Iterable[Document]:
        return self._documents[kind].values()

    def put(self, kind: str, name: str, document: Document) -> None:
        self._database.execute("REPLACE INTO documents VALUES (?, ?, ?)", (kind, name, json.dumps(document)))
        self._documents[kind][name] = document

    def remove(self, kind: str, name: str) -> None:
        self._database.execute("DELETE FROM documents WHERE kind = ? AND id = ?", (kind, name))
        self._documents[kind].pop(name, None)


def shown(document: Document) -> Document:
    """As protojson prints it: unset and empty fields are left out."""
    return {
        key: value for key, value in document.items() if not key.startswith("_") and value not in (None, "", {}, [])
    }
