"""RFC 3339 in and out. Invariant: every time is UTC and aware; nobody asks for the present here."""

from __future__ import annotations

from datetime import UTC, datetime


def text(moment: datetime) -> str:
    """Seconds precision with ``Z``, as metav1.Time writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(value: object) -> datetime | None:
    """None for anything that is not a time: what is read back from outside is not trusted to be well-formed."""
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
