"""The slots of a schedule: which one is due, which were missed, when the next one comes.

A slot is remembered in the status before it comes (``nextScheduleTime``), and afterwards by the version that it made,
whose trigger key names it. So a slot makes one version whoever looks, how often and after whatever outage.

Invariant: slots follow from the schedule, its time zone and the arguments alone; all moments are UTC to the second.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import observed, times, wording

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SECOND = timedelta(seconds=1)
_ANY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Slots:
    """``due``: the slot to train for now. ``skipped``: the one that was missed for good, and why. ``next``: to come."""

    due: datetime | None = None
    skipped: tuple[datetime, str] | None = None
    next: datetime | None = None


def problems(retraining: api.RetrainingSpec) -> Iterator[Problem]:
    """What is wrong with the schedule: a field out of range, a day that never comes, an unknown time zone."""
    if not _exists(retraining.time_zone):
        close = wording.closest(retraining.time_zone, zoneinfo.available_timezones())
        advice = f"did you mean {close}?" if close else "names are such as Europe/Zurich"
        yield Problem("spec.retraining.timeZone", retraining.time_zone, f"is no time zone; {advice}")
        return
    if retraining.schedule is None:
        return
    try:
        next_after(retraining, _ANY)
    except (CronSimError, StopIteration) as error:
        said = f"{error}" if isinstance(error, CronSimError) else "it never comes"
        text = f"is no schedule: {said}; five fields are minute, hour, day, month and weekday, such as 0 3 * * 1-5"
        yield Problem("spec.retraining.schedule", retraining.schedule, text)


def _exists(time_zone: str) -> bool:
    """Kept in memory by zoneinfo; to list all of them would read hundreds of files, for every model anew."""
    try:
        zoneinfo.ZoneInfo(time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def slots(
    retraining: api.RetrainingSpec,
    reported: datetime | None,
    known: Sequence[observed.Version],
    now: datetime,
) -> Slots:
    """``reported``: the slot that the status named as the next one."""
    if retraining.schedule is None:
        return Slots()
    upcoming = next_after(retraining, now)
    if reported is None or reported > now or next_after(retraining, reported - _SECOND) != reported:
        return Slots(next=upcoming)
    latest = _latest(retraining, reported, now)
    if any(version.trigger_key == key(latest) for version in known):
        return Slots(next=upcoming)
    if now - latest > api.parse_duration(retraining.starting_deadline):
        why = f"it could not start within spec.retraining.startingDeadline ({retraining.starting_deadline})"
        return Slots(skipped=(latest, why), next=upcoming)
    busy = any(not version.finished and not version.deleting for version in known)
    held = busy and retraining.concurrency_policy == "Forbid"
    return Slots(due=None if held else latest, next=latest)


def key(slot: datetime) -> str:
    """What makes the slot's version happen once."""
    return f"schedule/{times.text(slot)}"


def cooled_down_at(retraining: api.RetrainingSpec, known: Sequence[observed.Version]) -> datetime | None:
    """The earliest moment of the next training; None where there was none before."""
    began = max((version.created_at for version in known), default=None)
    return began + api.parse_duration(retraining.min_interval) if began is not None else None


def next_after(retraining: api.RetrainingSpec, moment: datetime) -> datetime:
    """The first slot later than ``moment``; raises CronSimError or StopIteration for a schedule that has none."""
    local = moment.replace(microsecond=0).astimezone(zoneinfo.ZoneInfo(retraining.time_zone))
    found = next(CronSim(_five_fields(retraining), local))
    while found <= moment:  # a local time that comes twice
        found = next(CronSim(_five_fields(retraining), found))
    return found.astimezone(UTC)


def _latest(retraining: api.RetrainingSpec, since: datetime, now: datetime) -> datetime:
    """The last slot up to ``now``, and ``since`` at least, which is one: looked for in ever longer spans before now."""
    span = timedelta(minutes=1)
    while now - span > since:
        found = next_after(retraining, now - span)
        if found <= now:
            break
        span *= 2
    else:
        found = since
    while (following := next_after(retraining, found)) <= now:
        found = following
    return found


def _five_fields(retraining: api.RetrainingSpec) -> str:
    text = str(retraining.schedule)
    return _NAMED.get(text, text)
