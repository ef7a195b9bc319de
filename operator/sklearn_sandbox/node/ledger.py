"""What a proxy must still know when it starts again: the loopback port of each Service, or of each route.

Invariant: the file is replaced in one step, and only when something changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sklearn_sandbox import files


class Ledger:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._ports: dict[str, int] = json.loads(path.read_text())
        except FileNotFoundError:
            self._ports = {}

    @property
    def ports(self) -> Mapping[str, int]:
        return self._ports

    def keep(self, entry: str, port: int) -> None:
        self._ports[entry] = port
        self._save()

    def forget(self, entry: str) -> None:
        if self._ports.pop(entry, None) is not None:
            self._save()

    def retain(self, present: set[str]) -> None:
        """Drop what belongs to objects (namespace/name) that are gone."""
        kept = {entry: port for entry, port in self._ports.items() if entry.rpartition("/")[0] in present}
        if kept != self._ports:
            self._ports = kept
            self._save()

    def _save(self) -> None:
        files.write(self._path, json.dumps(self._ports, indent=1, sort_keys=True))
