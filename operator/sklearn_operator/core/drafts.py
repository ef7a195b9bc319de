"""A plan in the making.

Invariant: what is recorded of a version is what the rest of the plan sees of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sklearn_operator.core import actions, announcing, attempts, observed, version_report


@dataclass
class Draft:
    """Collects steps while one plan is made."""

    now: datetime
    actions: list[actions.Action] = field(default_factory=list)
    look_again: timedelta | None = None

    def add(self, version: observed.Version, step: attempts.Step) -> observed.Version:
        """Records the step; returns the version as it will be."""
        after = version
        if step.status is not None:
            after = self.report(version, version_report.trained(version, step.status, self.now))
        self.actions.extend(step.actions)
        self.wait(step.look_again)
        return after

    def report(self, version: observed.Version, status: observed.Json) -> observed.Version:
        if status == version.status:
            return version
        after = replace(version, status=status)
        self.actions.extend(announcing.turns(version, after))
        self.actions.append(actions.ReportVersion(version.name, status))
        return after

    def wait(self, delay: timedelta | None) -> None:
        if delay is not None:
            delay = max(delay, timedelta())
            self.look_again = delay if self.look_again is None else min(self.look_again, delay)
