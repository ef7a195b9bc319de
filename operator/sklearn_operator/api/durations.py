"""Durations as manifests spell them: ``30s``, ``5m``, ``1h30m``.

Invariant: the pattern in the CRD and this parser accept the same texts.
"""

from __future__ import annotations

import re
from datetime import timedelta

from sklearn_operator.api import fields

_ACCEPTED = re.compile(fields.DURATION.expression)
_PART = re.compile("([0-9]+)([hms])")
_SECONDS = {"h": 3600, "m": 60, "s": 1}


def parse_duration(text: str) -> timedelta:
    """The duration; raises ValueError with an example where the text is none."""
    if not _ACCEPTED.fullmatch(text):
        raise ValueError(f"{text!r} {fields.DURATION.words}")
    return timedelta(seconds=sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(text)))


def duration_text(duration: timedelta) -> str:
    """The duration as a manifest spells it, in whole seconds."""
    left, parts = int(duration.total_seconds()), []
    for unit, seconds in _SECONDS.items():
        if left >= seconds:
            parts.append(f"{left // seconds}{unit}")
            left %= seconds
    return "".join(parts) or "0s"
