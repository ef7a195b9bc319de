"""What this process alone can know.

Invariant: losing it costs waiting and looking, never a second run: the operator may die at any moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sklearn_operator.core import observed


class Ledger:
    """``unsubmitted``: (uid, attempt) of versions recorded and not submitted yet. ``submitted_at``, by uid, and
    ``ending_since``, by run: when this process last submitted, and when it asked to end. ``proven``, by Deployment: the
    version whose prediction was checked on it, and on which pods. ``refusals``: what the API server will not
    have. ``progress``: run, moment of the look, and how far its search was.
    """

    def __init__(self, started: datetime) -> None:
        self._started = started
        self.unsubmitted: set[tuple[str, int]] = set()
        self.submitted_at: dict[str, datetime] = {}
        self.ending_since: dict[str, datetime] = {}
        self.proven: dict[observed.ModelKey, dict[str, tuple[str, str]]] = {}
        self.refusals: dict[observed.ModelKey, observed.Refusal] = {}
        self.progress: dict[observed.ModelKey, tuple[str, float, observed.Json]] = {}

    def begin(self, now: datetime) -> None:
        """From now on this process acts; until now, another one may have."""
        self._started = now

    def last_sent(self, uid: str) -> datetime:
        """When this process last tried to submit; before it, somebody else may have, up to the moment it began."""
        return self.submitted_at.get(uid, self._started)

    def forget_model(self, key: observed.ModelKey) -> None:
        self.proven.pop(key, None)
        self.refusals.pop(key, None)
        self.progress.pop(key, None)

    def forget_version(self, uid: str, runs: Iterable[str] = ()) -> None:
        for run_id in runs:
            self.ending_since.pop(run_id, None)
        self.submitted_at.pop(uid, None)
        self.unsubmitted = {known for known in self.unsubmitted if known[0] != uid}
