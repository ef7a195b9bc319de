"""What others say, made fit for a status: one word for programs, one bounded line for people.

Invariant: whatever comes in, a reason is one that metav1.Condition takes and a message is a line of at most 1 KiB of
valid UTF-8. The API server refuses a whole status for one bad reason, and then nothing could be reported any more.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

#: Of a message, in bytes.
MESSAGE_LIMIT = 1024
_REASON_LIMIT = 128
#: Longer names are no names; the search for a similar one need not bear them.
_NAME_LIMIT = 128

_REASON = re.compile("[A-Za-z](?:[A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_OTHER = re.compile("[^A-Za-z0-9_,:]+")


def reason(text: str) -> str:
    """``text`` as one word: ``exit code 1`` becomes ``ExitCode1``."""
    text = text[: 4 * _REASON_LIMIT]
    if len(text) <= _REASON_LIMIT and _REASON.fullmatch(text):
        return text
    joined = "".join(part[:1].upper() + part[1:] for part in _OTHER.split(text))
    found = _REASON.search(joined[:_REASON_LIMIT])
    return found.group() if found else "Unknown"


def message(text: str, ending: str = "") -> str:
    """``text`` as one line, shortened; control characters and lone surrogates are made visible.

    ``ending``: words of ours, short, that stay whole.
    """
    shown = text[: 2 * MESSAGE_LIMIT]
    if not shown.isprintable():
        shown = "".join(map(_visible, shown))
    encoded, limit = shown.encode(), MESSAGE_LIMIT - len(ending.encode())
    if len(encoded) <= limit:
        return shown + ending
    ellipsis = "…"
    return encoded[: limit - len(ellipsis.encode())].decode(errors="ignore") + ellipsis + ending


def brief(name: str) -> str:
    """What may be shown and compared of a name that somebody else chose."""
    return name if len(name) <= _NAME_LIMIT else name[: _NAME_LIMIT - 1] + "…"


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that was probably meant; swapped letters are likelier than other letters."""
    word = brief(word)
    close = difflib.get_close_matches(word, known, n=3, cutoff=cutoff)
    return next((one for one in close if sorted(one) == sorted(word)), close[0] if close else None)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else character.encode("unicode_escape").decode()
