"""Quiet hours and mornings by a person's own clock, over midnight and over changes of the clock."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nod.domain.instant import DAY, HOUR, MINUTE, Instant, parse_rfc3339
from nod.domain.model import User
from nod.domain.quiet import (
    has_quiet_hours,
    is_quiet,
    morning_after,
    night_before,
    quiet_end,
)
from nod.domain.zones import local

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
MINUTES = st.integers(0, 1439)
INSTANTS = st.integers(1_735_689_600_000, 1_798_761_600_000)  # 2025 and 2026


def person(
    start: str | None = "22:00",
    end: str | None = "07:00",
    morning: str | None = None,
    zone: str = "Europe/Berlin",
) -> User:
    def minutes(text: str | None) -> int | None:
        return None if text is None else int(text[:2]) * 60 + int(text[3:])

    return User(
        "usr_1",
        "ann@example.org",
        "Ann",
        "",
        zone,
        0,
        quiet_from=minutes(start),
        quiet_until=minutes(end),
        morning_at=minutes(morning),
    )


def at(text: str) -> Instant:
    return parse_rfc3339(text, "at")


@pytest.mark.parametrize(
    ("when", "quiet"),
    [
        ("2026-01-10T21:59:59+01:00", False),
        ("2026-01-10T22:00:00+01:00", True),
        ("2026-01-11T00:00:00+01:00", True),
        ("2026-01-11T06:59:59+01:00", True),
        ("2026-01-11T07:00:00+01:00", False),
    ],
)
def test_quiet_hours_go_over_midnight(when: str, quiet: bool) -> None:
    assert is_quiet(person(), at(when)) is quiet
    end = quiet_end(person(), at(when))
    assert end == (at("2026-01-11T07:00:00+01:00") if quiet else at(when))


def test_quiet_hours_may_lie_within_a_day() -> None:
    siesta = person("13:00", "15:00")
    assert not is_quiet(siesta, at("2026-01-10T12:59:00+01:00"))
    assert is_quiet(siesta, at("2026-01-10T13:00:00+01:00"))
    assert quiet_end(siesta, at("2026-01-10T14:00:00+01:00")) == at("2026-01-10T15:00:00+01:00")


@pytest.mark.parametrize(("start", "end"), [(None, None), ("22:00", None), ("08:00", "08:00")])
def test_without_both_ends_nothing_is_quiet(start: str | None, end: str | None) -> None:
    someone = person(start, end)
    assert not has_quiet_hours(someone)
    assert not is_quiet(someone, at("2026-01-10T08:00:00+01:00"))
    assert morning_after(someone, at("2026-01-10T08:00:00+01:00")) is None


def test_quiet_hours_that_end_in_a_skipped_hour_end_at_the_change() -> None:
    # On 2026-03-29 Berlin's clock goes from 02:00 to 03:00.
    someone = person("22:00", "02:30")
    assert quiet_end(someone, at("2026-03-29T01:00:00+01:00")) == at("2026-03-29T01:00:00Z")


def test_quiet_hours_that_end_in_a_repeated_hour_end_twice() -> None:
    # On 2026-10-25 Berlin's clock shows 02:00 to 03:00 twice.
    someone = person("22:00", "02:30")
    assert quiet_end(someone, at("2026-10-25T01:00:00+02:00")) == at("2026-10-25T02:30:00+02:00")
    assert not is_quiet(someone, at("2026-10-25T02:45:00+02:00"))
    assert quiet_end(someone, at("2026-10-25T02:15:00+01:00")) == at("2026-10-25T02:30:00+01:00")


def test_a_zone_that_is_gone_counts_as_utc() -> None:
    assert is_quiet(person(zone="Mars/Base"), at("2026-01-10T23:00:00Z"))
    assert not is_quiet(person(zone="Mars/Base"), at("2026-01-10T21:30:00Z"))


@pytest.mark.parametrize(
    ("morning", "expected"),
    [
        (None, "2026-01-11T07:00:00+01:00"),
        ("07:30", "2026-01-11T07:30:00+01:00"),
        ("06:00", "2026-01-11T07:00:00+01:00"),  # never in quiet hours
    ],
)
def test_the_morning_comes_when_it_is_wanted_and_not_in_quiet_hours(
    morning: str | None, expected: str
) -> None:
    someone = person(morning=morning)
    assert morning_after(someone, at("2026-01-10T23:00:00+01:00")) == at(expected)


def test_the_morning_comes_once_a_day() -> None:
    someone = person(None, None, "07:30")
    first = morning_after(someone, at("2026-03-28T07:29:59+01:00"))
    assert first == at("2026-03-28T07:30:00+01:00")
    assert morning_after(someone, first) == at("2026-03-29T07:30:00+02:00")


def test_the_morning_comes_on_the_date_that_the_clock_goes_back_to() -> None:
    # At a minute past midnight the clock went back to 23:01 of the day before.
    someone = person(None, None, "23:30", zone="America/St_Johns")
    second = at("2006-10-29T03:00:00Z")
    assert morning_after(someone, at("2006-10-29T02:30:30Z")) == second


def test_the_night_began_with_the_quiet_hours_or_twelve_hours_ago() -> None:
    morning = at("2026-03-29T07:30:00+02:00")
    assert night_before(person(morning="07:30"), morning) == at("2026-03-28T22:00:00+01:00")
    assert night_before(person(None, None, "07:30"), morning) == morning - 12 * HOUR
    assert night_before(person("22:00", None, "07:30"), morning) == morning - 12 * HOUR
    short = person("06:45", "07:30")  # the one of this morning, not of the day before
    assert night_before(short, morning) == at("2026-03-29T06:45:00+02:00")
    # The clock was put back: the day before the morning had 25 hours.
    later = at("2026-10-25T07:00:00+01:00")
    assert night_before(person("07:30", "07:00"), later) == at("2026-10-24T07:30:00+02:00")


@given(zone=st.sampled_from(ZONES), start=MINUTES, end=MINUTES, now=INSTANTS)
def test_the_end_of_quiet_hours_is_soon_and_not_quiet(
    zone: str, start: int, end: int, now: Instant
) -> None:
    someone = replace(person(zone=zone), quiet_from=start, quiet_until=end)
    ends = quiet_end(someone, now)
    assert now <= ends <= now + DAY + 2 * HOUR
    assert (ends == now) == (not is_quiet(someone, now))
    assert not is_quiet(someone, ends)


@given(zone=st.sampled_from(ZONES), minute=MINUTES, now=INSTANTS)
def test_a_morning_is_within_a_day_and_shows_its_time(zone: str, minute: int, now: Instant) -> None:
    someone = replace(person(None, None, zone=zone), morning_at=minute)
    morning = morning_after(someone, now)
    assert morning is not None
    assert now < morning <= now + DAY + 2 * HOUR
    wall = local(morning, zone)
    shown = wall.hour * 60 + wall.minute
    # A skipped minute is stood for by the change, up to an hour later on the clock.
    assert 0 <= (shown - minute) % 1440 <= 60


@given(zone=st.sampled_from(ZONES), start=MINUTES, end=MINUTES, now=INSTANTS)
def test_a_night_is_before_its_morning_and_no_longer_than_a_day(
    zone: str, start: int, end: int, now: Instant
) -> None:
    someone = replace(person(zone=zone), quiet_from=start, quiet_until=end)
    morning = morning_after(someone, now)
    if morning is not None:
        assert MINUTE <= morning - night_before(someone, morning) <= DAY + 2 * HOUR
