"""The log: one line per record, as text or as JSON, and in each line of a pass what the pass is about.

Invariant: what a pass is about travels with the task, so that no line can name another model's version or run. A
trouble that lasts is told when it begins and when it ends, however often it is met in between.
"""

from __future__ import annotations

import contextvars
import logging
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

import orjson

Format = Literal["text", "json"]
#: In this order in every line.
FIELDS = ("model", "version", "run")
#: For programs, which find the trace by it.
_TRACE = "trace_id"
_about: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("about", default=None)
_QUIET = ("kopf", "httpx")
_AGAIN = 300.0
_WORDINGS = 5


def configure(level: str, form: Format) -> None:
    """For the whole process, kopf included."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(Seldom("kopf"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Every line from within is about ``model``, ``version``, ``run`` and ``trace_id``, as far as they are given."""
    token = _about.set(dict(_about.get() or {}))
    note(**fields)
    try:
        yield
    finally:
        _about.reset(token)


def note(**fields: str) -> None:
    """From here on every line of the same ``about`` is about these, too."""
    known = _about.get()
    if known is not None:
        known.update({name: value for name, value in fields.items() if value})


def subject(*more: str) -> dict[str, str]:
    """What the present task is about."""
    known = _about.get() or {}
    return {name: known[name] for name in (*FIELDS, *more) if name in known}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what it is about, and the traceback of a bug."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **subject(_TRACE),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class TextFormatter(logging.Formatter):
    """For people: time, level, logger, what it is about, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(about)s%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        known = " ".join(subject().values())
        record.about = f"[{known}] " if known else ""
        return super().format(record)


class Seldom(logging.Filter):
    """Lets pass one record of a kind every five minutes, of the loggers below ``name``; others all."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._prefix = name
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != self._prefix:
            return True
        kind, now = (record.name, str(record.msg)[:80]), self._clock()
        if now - self._told.get(kind, -_AGAIN) < _AGAIN:
            return False
        if len(self._told) > 256:
            self._told.clear()
        self._told[kind] = now
        return True


class Troubles:
    """Which trouble is under way, by what it is about: told once in each of its words, and once when it is over."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told: dict[Hashable, set[str]] = {}

    def met(self, about: Hashable, text: str) -> None:
        """``text`` with digits left out is the same trouble: ports, times and counters vary."""
        told = self._told.setdefault(about, set())
        words = "".join(character for character in text if not character.isdigit())
        again = words in told or len(told) >= _WORDINGS
        if not again:
            told.add(words)
        self._log.log(logging.DEBUG if again else logging.WARNING, "%s", text)

    def over(self, about: Hashable, text: str) -> None:
        if self._told.pop(about, None):
            self._log.info("%s", text)
