"""Points in time as numbers: models take seconds since 1970-01-01 UTC, people and files write ISO 8601.

Invariant: training and serving read the same text as the same number, because both read it here. What has no time zone
is UTC. Nothing but the standard library is imported.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

#: What makes a column of text one of times: dates written in full, with or without a time of day.
WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MICROSECONDS = 1e6


def seconds(moment: str | date) -> float:
    """Seconds since the epoch, to the microsecond; ValueError if the text is no date."""
    if isinstance(moment, str):
        if not WRITTEN.fullmatch(moment):
            raise ValueError(moment)
        moment = datetime.fromisoformat(moment)
    elif not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    whole = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return ((whole - _EPOCH) // _MICROSECOND) / MICROSECONDS
