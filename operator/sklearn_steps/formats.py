"""What a file is, whatever its name says.

Invariant: a file that cannot be read as the manifest says is refused with what it looks like instead, and by its name
where there are several.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from sklearn_steps import contract, errors

PARQUET = b"PAR1"
_MAGIC = ((PARQUET, "Parquet"), (b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "a zip archive or an Excel sheet"))
_SAMPLE = 1 << 20


class NotThat(Exception):
    """Not a file of that format."""


@contextlib.contextmanager
def understood(where: str, path: Path, kind: str, data: contract.Data) -> Iterator[None]:
    """What the readers say of a file, in the words of the manifest."""
    said = "data.format says" if data.format else "its suffix says"
    try:
        yield
    except (NotThat, ValueError, TypeError, OverflowError) as exc:
        looks = looks_like(path, kind)
        why = f"it looks like {looks}" if looks else errors.first_line(exc)
        text = f"data.source {where}: {said} {kind}, but it cannot be read as {kind}: {why}"
        raise errors.UserError("NotThatFormat", text) from exc


def looks_like(path: Path, kind: str) -> str | None:
    """What a file is, if it is plainly not of this kind."""
    with path.open("rb") as file:
        content = file.read(_SAMPLE)
    head = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, name in _MAGIC:
        if content.startswith(magic) and not (kind == "parquet" and magic == PARQUET):
            return name
    if kind != "parquet" and b"\0" in content[:65536]:
        return "a binary file"
    if head[:1] == b"<":
        return "HTML or XML"
    if head[:1] in (b"{", b"[") and kind != "jsonl" and _is_json(content):
        return "JSON"
    if kind == "jsonl" and head[:1] == b"[" and _is_json(content):
        return "one JSON document; JSON lines have one object in each line"
    return None


def _is_json(content: bytes) -> bool:
    for text in (content, content.splitlines()[0]):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            continue
        return True
    return False


def blank(path: Path) -> bool:
    """Whether there is nothing in it."""
    with path.open("rb") as file:
        return not file.read(_SAMPLE).strip() and file.tell() < _SAMPLE
