"""JSON lines: one object in each line, by chunk.

Invariant: a key that a line lacks is a gap; a line that is no object is named by its number.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_steps import errors, formats, gathering

_CHUNK = 16 << 20
_MARK = b"\xef\xbb\xbf"


def read(path: Path, wanted: Collection[str], gathered: gathering.Gathered) -> list[str]:
    """Add the rows, only with the keys of ``wanted`` where that names any; all keys that there are."""
    keys: dict[str, None] = {}
    rows: list[dict[str, Any]] = []
    size = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            row = _row(line.removeprefix(_MARK) if number == 1 else line, number)
            if row is None:
                continue
            keys |= dict.fromkeys(row)
            rows.append({key: row[key] for key in row if key in wanted} if wanted else row)
            size += len(line)
            if size > _CHUNK:
                gathered.add(pd.DataFrame(rows))
                rows, size = [], 0
    if rows:
        gathered.add(pd.DataFrame(rows))
    return list(keys)


def _row(line: bytes, number: int) -> dict[str, Any] | None:
    if not line.strip():
        return None
    try:
        row = json.loads(line)
    except json.JSONDecodeError as exc:
        raise formats.NotThat(f"line {number} is not JSON ({exc.msg} at character {exc.colno})") from exc
    except UnicodeDecodeError as exc:
        raise formats.NotThat(f"line {number} is not UTF-8") from exc
    except RecursionError as exc:
        raise formats.NotThat(f"line {number} is nested too deeply") from exc
    if not isinstance(row, dict):
        raise formats.NotThat(f"line {number} is {errors.shown(row)}, not an object")
    return row
