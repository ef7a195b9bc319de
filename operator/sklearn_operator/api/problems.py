"""What is wrong with a manifest: path, value, and what would be right.

Invariant: a value is shown shortened, a mapping or list never with its contents, and what may be a secret not at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VALUE_LIMIT = 80
_MESSAGES = 20

_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_-]*")
_SECRETIVE = re.compile("passw|secret|token|credential|api_?key|access_?key|private", re.IGNORECASE)
_FREE_FORM = re.compile(r"\.(env|args|params)\b")
_USER_INFO = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"(?<=://)([^?#\s]*)[?#].*", re.DOTALL)


@dataclass(frozen=True)
class Problem:
    """One sentence about one field: ``spec.model.estimator.class``, the value found, what would be right."""

    path: str
    value: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.value}: {self.message}"


class InvalidSpec(Exception):
    """A spec that is not accepted."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[:_MESSAGES])
        super().__init__("; ".join(map(str, self.problems)))


def join(path: str, part: Any) -> str:
    """The path of a member of ``path``."""
    if isinstance(part, int) and not isinstance(part, bool):
        return f"{path}[{part}]"
    name = str(part).lower() if isinstance(part, bool) else str(part)
    if not _PLAIN.fullmatch(name):
        return f"{path}[{_shorten(_escape(name), 63)}]"
    return f"{path}.{_shorten(name, 63)}"


def show(value: Any, path: str = "") -> str:
    """The value for a message."""
    if isinstance(value, Mapping):
        names = ", ".join(_escape(str(key)) for key in list(value)[:8])
        return _shorten(f"a mapping of {names}" if names else "an empty mapping")
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}" if value else "an empty list"
    if _hidden(path):
        return "(hidden)"
    if isinstance(value, str):
        return _shorten(_QUERY.sub(r"\1?…", _USER_INFO.sub("…@", _escape(value[: 4 * VALUE_LIMIT]))) or '""')
    return _shorten(json.dumps(value, default=str) if not _huge(value) else "a huge integer")


def _huge(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() > 128


def _hidden(path: str) -> bool:
    """Variables' values always, and in the free-form places whatever sounds like a secret."""
    name = path.rpartition(".")[2]
    if ".env[" in path and name == "value":
        return True
    return bool(_FREE_FORM.search(path) and _SECRETIVE.search(name))


def _escape(text: str) -> str:
    """Control characters and lone surrogates made visible; a message is one line."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def _shorten(text: str, limit: int = VALUE_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
