"""Slots of a schedule: exactly the expected ones, in five time zones, through daylight saving and outages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.core import schedule
from unit.core import builders

ZONES = ("Etc/UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
MINUTE = timedelta(minutes=1)


def retraining(text: str = "0 3 * * *", zone: str = "Etc/UTC", **fields: str) -> api.RetrainingSpec:
    return api.RetrainingSpec.model_validate({"schedule": text, "timeZone": zone} | fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def thirty_days(spec: api.RetrainingSpec, begin: datetime, step: timedelta) -> list[datetime]:
    """What a model that is looked at every ``step`` trains for; each training is over at once."""
    now, reported, made = begin, None, []
    while now < begin + timedelta(days=30):
        known = [builders.version(n, "Succeeded", trigger_key=schedule.key(slot)) for n, slot in enumerate(made, 1)]
        found = schedule.slots(spec, reported, known[-3:], now)
        reported = found.next
        if found.due is not None:
            made.append(found.due)
        now += step
    return made


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("begin", ["2026-03-05T12:00:00", "2026-10-20T12:00:00"])
def test_thirty_days_of_a_nightly_schedule(zone: str, begin: str) -> None:
    made = thirty_days(retraining("30 3 * * *", zone), at(begin), timedelta(minutes=7))
    first = at(begin).astimezone(ZoneInfo(zone)).date()
    local = [moment.astimezone(ZoneInfo(zone)) for moment in made]
    days = {moment.date() for moment in local}
    assert len(made) == len(days) == 30
    assert {(moment.hour, moment.minute) for moment in local} == {(3, 30)}
    assert min(days) in (first, first + timedelta(days=1))


def test_what_falls_into_the_hour_that_is_left_out_comes_right_after_it() -> None:
    spec = retraining("30 2 * * *", "Europe/Zurich")
    assert schedule.next_after(spec, at("2026-03-28T12:00:00")) == at("2026-03-29T01:00:00")
    assert schedule.next_after(spec, at("2026-03-29T01:00:00")) == at("2026-03-30T00:30:00")


def test_what_falls_into_the_hour_that_comes_twice_comes_once() -> None:
    spec = retraining("30 2 * * *", "Europe/Zurich")
    first = schedule.next_after(spec, at("2026-10-24T12:00:00"))
    assert first in (at("2026-10-25T00:30:00"), at("2026-10-25T01:30:00"))
    assert schedule.next_after(spec, first) == at("2026-10-26T01:30:00")


def test_a_schedule_that_was_just_set_trains_for_no_earlier_slot() -> None:
    found = schedule.slots(retraining(), None, (), at("2026-01-01T03:00:30"))
    assert found == schedule.Slots(next=at("2026-01-02T03:00:00"))


def test_a_schedule_that_was_changed_starts_anew() -> None:
    yesterday = at("2026-01-01T03:00:00")
    found = schedule.slots(retraining("15 4 * * *"), yesterday, (), at("2026-01-01T03:30:00"))
    assert found == schedule.Slots(next=at("2026-01-01T04:15:00"))


def test_an_outage_leaves_one_training_for_the_last_slot() -> None:
    found = schedule.slots(retraining("*/10 * * * *"), at("2026-01-01T01:00:00"), (), at("2026-01-01T03:04:00"))
    assert found.due == at("2026-01-01T03:00:00")


def test_a_slot_that_was_missed_by_too_much_is_skipped() -> None:
    slot = at("2026-01-01T03:00:00")
    spec = retraining(startingDeadline="30m")
    assert schedule.slots(spec, slot, (), slot + 30 * MINUTE).due == slot
    late = schedule.slots(spec, slot, (), slot + 31 * MINUTE)
    assert late.skipped is not None and late.skipped[0] == slot and "startingDeadline (30m)" in late.skipped[1]
    assert late.next == at("2026-01-02T03:00:00")


def test_a_running_training_holds_the_slot_back_or_is_replaced() -> None:
    slot, running = at("2026-01-01T03:00:00"), builders.version(1, "Running")
    held = schedule.slots(retraining(), slot, [running], slot)
    assert (held.due, held.next) == (None, slot)
    assert schedule.slots(retraining(concurrencyPolicy="Replace"), slot, [running], slot).due == slot
    over = replace(running, status={"phase": "Succeeded"})
    assert schedule.slots(retraining(), slot, [over], slot + MINUTE).due == slot


def test_a_slot_that_made_its_version_is_over() -> None:
    slot = at("2026-01-01T03:00:00")
    made = builders.version(1, "Running", trigger_key=schedule.key(slot))
    assert schedule.slots(retraining(), slot, [made], slot) == schedule.Slots(next=at("2026-01-02T03:00:00"))


def test_the_pause_between_trainings_counts_from_the_beginning_of_the_last_one() -> None:
    spec = retraining(minInterval="1h")
    assert schedule.cooled_down_at(spec, ()) is None
    made = builders.version(1, "Succeeded")
    assert schedule.cooled_down_at(spec, [made]) == made.created_at + 60 * MINUTE


@pytest.mark.parametrize(
    "fields, path, words",
    [
        ({"schedule": "61 * * * *"}, "spec.retraining.schedule", "is no schedule"),
        ({"schedule": "0 0 30 2 *"}, "spec.retraining.schedule", "is no schedule"),
        ({"timeZone": "Europe/Zurch"}, "spec.retraining.timeZone", "did you mean Europe/Zurich?"),
    ],
)
def test_bad_schedules_are_told(fields: dict[str, str], path: str, words: str) -> None:
    spec = api.RetrainingSpec.model_validate({"schedule": "0 3 * * *"} | fields)
    (problem,) = schedule.problems(spec)
    assert problem.path == path and words in str(problem)


@pytest.mark.parametrize("name", ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"])
def test_the_usual_names_are_schedules(name: str) -> None:
    assert list(schedule.problems(retraining(name))) == []


_FIELD = st.sampled_from(["*", "*/5", "1", "3,6", "1-5", "2-4/2", "5"])


@given(
    st.lists(_FIELD, min_size=5, max_size=5).map(" ".join),
    st.sampled_from(ZONES),
    st.integers(0, 400 * 24 * 60),
    st.integers(0, 40 * 24 * 60),
)
def test_the_last_slot_up_to_now_is_the_last_of_all_of_them(text: str, zone: str, begin: int, later: int) -> None:
    spec = retraining(text, zone, startingDeadline="9000h")
    first = schedule.next_after(spec, at("2026-01-01T00:00:00") + begin * MINUTE)
    now = first + later * MINUTE
    expected, count = first, 0
    while (following := schedule.next_after(spec, expected)) <= now and count < 500:
        expected, count = following, count + 1
    if count < 500:
        assert schedule.slots(spec, first, (), now).due == expected
