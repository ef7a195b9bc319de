"""Who may act: one candidate's part in the election of a leader on a Lease, without clock and without I/O.

The rules are those of client-go. A candidate takes the Lease when it is free, or when it has not changed for the whole
duration of it, by the candidate's own monotonic clock: times of other machines are never compared with it. The holder
counts its time from the moment *before* the renewal was sent that succeeded, and stops acting at two thirds of the
duration; whoever watches counts from the moment after it has seen that renewal. Every write names the revision that it
was decided on.

Invariant: whatever is delayed, lost or paused, at most one candidate ``holds`` at any time, as long as nobody deletes
the Lease by hand.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Terms:
    """``duration``: how long a Lease that is not renewed keeps others out, in seconds."""

    duration: float = 15.0

    @property
    def deadline(self) -> float:
        """For how long a renewal lets its holder act; the rest is for what is on its way then."""
        return self.duration * 2 / 3

    @property
    def renewal(self) -> float:
        """Pause between two renewals, and the longest wait for the answer to one."""
        return self.duration / 5

    @property
    def poll(self) -> float:
        """Pause between two looks of a candidate, and before a renewal is tried again."""
        return min(1.0, self.duration / 15)


@dataclass(frozen=True)
class Record:
    """The Lease: ``revision`` changes with every write; without ``holder`` it is free."""

    revision: str
    holder: str
    duration: float = 0.0
    transitions: int = 0
    acquired: str = ""


@dataclass(frozen=True)
class Read:
    """Get the Lease; to be answered with the Record, or None where there is none."""


@dataclass(frozen=True)
class Write:
    """Put ``record`` in the place of its revision (none: create it); to be answered with the Record as written.

    ``sent``: the moment before it is sent.
    """

    record: Record
    sent: float


class Failure(enum.Enum):
    CONFLICT = "somebody else wrote it first, or it is gone: certainly not carried out"
    UNCLEAR = "no answer, or none that tells whether it was carried out"


class Candidate:
    """One process; ``identity`` is its alone. Ask ``next``, send that, tell what was ``answered``."""

    def __init__(self, identity: str, terms: Terms) -> None:
        self._me = identity
        self._terms = terms
        self._known: Record | None = None
        self._fresh = False
        self._changed_at = 0.0
        self._until: float | None = None
        self._resigned = False
        #: Who has the Lease in our place, once we had it.
        self.lost_to: str | None = None

    @property
    def elected(self) -> bool:
        """Has had the Lease, and has not seen it with anybody else since."""
        return self._until is not None and self.lost_to is None

    @property
    def holder(self) -> str:
        """As seen last."""
        return self._known.holder if self._known is not None else ""

    def holds(self, now: float) -> bool:
        return self.elected and self._until is not None and now < self._until

    def next(self, now: float) -> Read | Write:
        if not self._fresh or not (self.elected or self._free(now)):
            return Read()
        record = self._known or Record("", "")
        if not self.elected and record.holder != self._me:
            record = replace(record, transitions=record.transitions + (1 if record.revision else 0), acquired="")
        return Write(replace(record, holder=self._me, duration=self._terms.duration), now)

    def pause(self, now: float) -> float:
        """Seconds until ``next`` should be asked again."""
        if not self._fresh:
            return self._terms.poll
        if self._until is not None:
            return max(0.0, self._until - self._terms.deadline + self._terms.renewal - now)
        return 0.0 if self._free(now) else self._terms.poll

    def answered(self, request: Read | Write, answer: Record | Failure | None, now: float) -> None:
        """``now``: the moment after the answer has come."""
        if isinstance(answer, Failure):
            # An unclear write may be the newest revision now: only a look can tell.
            self._fresh = self._fresh and isinstance(request, Read)
        elif isinstance(request, Write):
            if answer is not None:
                self._known, self._fresh, self._changed_at = answer, True, now
                self._until = None if self._resigned else request.sent + self._terms.deadline
        else:
            self._looked(answer, now)

    def resign(self) -> bool:
        """From here on it holds nothing; whether there may be something to free."""
        was, self._until, self._resigned = self.elected, None, True
        return was

    def freeing(self, now: float) -> Write | None:
        """What frees the Lease for the next one, where it is still ours."""
        known = self._known
        return Write(replace(known, holder=""), now) if known is not None and known.holder == self._me else None

    def _looked(self, record: Record | None, now: float) -> None:
        if self.elected and (record is None or record.holder != self._me):
            self.lost_to = record.holder if record is not None else ""
        self._fresh = True
        if record is None:
            # Deleted: whoever held it may act until its time is over.
            self._known = replace(self._known, revision="") if self._known is not None else None
            return
        if self._known is None or record.revision != self._known.revision:
            self._changed_at = now
        self._known = record

    def _free(self, now: float) -> bool:
        known = self._known
        if known is None or not known.holder or known.holder == self._me:
            return True
        return now - self._changed_at >= max(self._terms.duration, known.duration)
