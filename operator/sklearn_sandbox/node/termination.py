"""A container's last words: its file's, else its log's.

Invariant: never more than the kubelet keeps, 4 KiB of the file, 2 KiB or 80 lines of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE_LIMIT = 4096
LOG_LIMIT, LOG_LINES = 2048, 80


def message(container: Mapping[str, Any], code: int, file: Path, log: Path) -> str:
    text = _end(file, FILE_LIMIT)
    if text or code == 0 or container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return text
    return "".join(_end(log, LOG_LIMIT).splitlines(keepends=True)[-LOG_LINES:])


def _end(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - limit))
            return stream.read(limit).decode(errors="replace")
    except FileNotFoundError:
        return ""
