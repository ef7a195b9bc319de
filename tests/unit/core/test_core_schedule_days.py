"""Thirty days of a nightly schedule through the whole plan: one version per slot, whoever looks, by whatever clock.

Two operators take turns on the same objects, each with a clock of its own that is set back and forth; the second one
may look at what was there before the first one wrote. They wake when they said they would, and are away now and then.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sklearn_operator.core import actions, naming, observed, plan, schedule, settings, times
from unit.core import builders

MINUTE = timedelta(minutes=1)
DAYS = 30
#: Of each operator, hour by hour: how wrong its clock is. It is set back right after slots and forth right before some.
WRONG = ((0, -7, 3, -12, 0, 9, -2), (4, 0, -9, 11, -1))
#: At every so many wakings somebody is away for a while, but not for longer than the starting deadline.
AWAY = (37, 25 * MINUTE)

#: A time zone, a local time that is left out once a year, and a day some time before the clocks go forth and back.
CASES = [
    ("Europe/Zurich", time(2, 30), date(2026, 3, 20)),
    ("Europe/Zurich", time(2, 30), date(2026, 10, 10)),
    ("America/New_York", time(2, 30), date(2026, 2, 27)),
    ("America/New_York", time(1, 30), date(2026, 10, 20)),
    ("Australia/Lord_Howe", time(2, 15), date(2026, 9, 20)),
    ("Australia/Lord_Howe", time(1, 45), date(2026, 3, 25)),
    ("America/Santiago", time(0, 30), date(2026, 8, 25)),
    ("America/Santiago", time(23, 30), date(2026, 3, 25)),
    ("Pacific/Chatham", time(2, 50), date(2026, 9, 15)),
    ("Pacific/Chatham", time(2, 50), date(2026, 3, 25)),
]


def moments(zone: ZoneInfo, day: date, local: time) -> set[datetime]:
    """When it is that time on that day: once, twice, or, where it is left out, at the end of the gap."""
    found = {datetime.combine(day, local, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    there = {moment for moment in found if moment.astimezone(zone).time() == local}
    if there:
        return there
    before, after = min(found), max(found)  # read by the offset that is over, and by the one that begins
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        early = middle.astimezone(zone).utcoffset() == before.astimezone(zone).utcoffset()
        before, after = (middle, after) if early else (before, middle)
    return {(before + timedelta(seconds=1)).replace(microsecond=0)}


class Cluster:
    """The objects, as they are and as they were one write ago."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.model = builders.model(spec)
        self.versions: tuple[observed.Version, ...] = ()
        self.before = (self.model, self.versions)
        self.made: list[str] = []

    def let_act(self, now: datetime, stale: bool) -> timedelta | None:
        """One pass. What was decided on old objects meets the fences."""
        model, versions = self.before if stale else (self.model, self.versions)
        decided = plan.plan(observed.Observed(model, versions), settings.Settings(), builders.catalogue(), now)
        present = (self.model, self.versions)
        for action in decided.actions:
            if isinstance(action, actions.CreateVersion):
                if any(one.name == action.name for one in self.versions):
                    return timedelta()
                self.made.append(action.trigger_key)
                self.versions = (*self.versions, _trained(action, now))
            elif isinstance(action, actions.DeleteVersion):
                self.versions = tuple(one for one in self.versions if one.name != action.name)
        if decided.status is not None:
            if model is not self.model:
                return timedelta()
            self.model = replace(model, status=decided.status)
        if present != (self.model, self.versions):
            self.before = present
        return decided.look_again


def _trained(action: actions.CreateVersion, now: datetime) -> observed.Version:
    made = builders.version(action.number, "Succeeded", created_at=now, training=action.training)
    return replace(made, training_hash=action.training_hash, trigger_key=action.trigger_key)


def thirty_days(spec: dict[str, Any], begin: datetime) -> list[datetime]:
    """The slots for which versions were made."""
    cluster, wakes, end, count = Cluster(spec), [begin, begin + MINUTE], begin + timedelta(days=DAYS), 0
    while min(wakes) < end:
        now, who = min(wakes), wakes.index(min(wakes))
        wrong = WRONG[who][int(now.timestamp() // 3600) % len(WRONG[who])] * MINUTE
        before = (cluster.model, cluster.versions)
        delay = cluster.let_act(now + wrong, stale=bool(who) and count % 3 == 0)
        count += 1
        pause = AWAY[1] if count % AWAY[0] == 0 else timedelta(seconds=1)
        wakes[who] = now + min(delay or timedelta(hours=5), timedelta(hours=5)) + pause
        if before != (cluster.model, cluster.versions):
            wakes = [min(wake, now + pause) for wake in wakes]
    keys = [key for key in cluster.made if key.startswith("schedule/")]
    assert len(keys) == len(set(keys))
    found = [times.parse(key.removeprefix("schedule/")) for key in keys]
    return [moment for moment in found if moment is not None]


@pytest.mark.parametrize("name, local, first", CASES, ids=lambda value: str(value))
def test_one_version_per_slot_through_thirty_days(name: str, local: time, first: date) -> None:
    zone = ZoneInfo(name)
    retraining = {"schedule": f"{local.minute} {local.hour} * * *", "timeZone": name}
    spec = {field: value for field, value in builders.DIGITS.items() if field != "serving"}
    begin = datetime.combine(first, time(12, 0), zone).astimezone(UTC)
    made = thirty_days(spec | {"retraining": retraining}, begin)
    days = [first + timedelta(days=number) for number in range(DAYS + 1)]
    found = [moments(zone, day, local) for day in days]
    expected = [slots for slots in found if begin < min(slots) < begin + timedelta(days=DAYS)]
    assert len({moment.astimezone(zone).utcoffset() for moment in made}) == 2, "the clocks do not change meanwhile"
    wrong = [(slot, slots) for slot, slots in zip(made, expected, strict=False) if slot not in slots]
    assert not wrong and len(made) == len(expected)
    assert all(before < after for before, after in pairwise(made))


def test_a_slot_that_comes_again_because_the_clock_was_set_back_makes_no_second_version() -> None:
    spec = {"retraining": {"schedule": "0 3 * * *"}, "history": {"limit": 1}}
    cluster = Cluster({field: value for field, value in builders.DIGITS.items() if field != "serving"} | spec)
    night = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    for minutes in (0, 1, 60, 61, 62, 50, 51, 60, 61, 59, 62, 63):
        for _ in range(3):
            cluster.let_act(night + minutes * MINUTE, stale=False)
    assert [key for key in cluster.made if key.startswith("schedule/")] == [schedule.key(night + 60 * MINUTE)]
    assert naming.number("digits", cluster.versions[-1].name) == 2
