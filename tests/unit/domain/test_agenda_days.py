"""Days by a person's clock, also those on which it is changed."""

from datetime import date
from itertools import pairwise

import pytest

from nod.domain.agenda_days import clock_note, day_of, days_between, ticks, whole_day
from nod.domain.instant import HOUR, MINUTE, parse_rfc3339
from nod.domain.zones import known_timezone, local

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 3, 2), BERLIN, 24.0),
        (date(2026, 3, 29), BERLIN, 23.0),
        (date(2026, 10, 25), BERLIN, 25.0),
        (date(2026, 4, 5), "Australia/Lord_Howe", 24.5),
        (date(2026, 9, 6), "America/Santiago", 23.0),  # midnight itself is left out
        (date(2025, 11, 2), "America/Havana", 25.0),
        (date(2011, 12, 30), "Pacific/Apia", 0.0),
    ],
)
def test_a_day_is_as_long_as_the_clock_makes_it(day: date, zone: str, hours: float) -> None:
    found = whole_day(day, zone)
    assert (found.end - found.start) / HOUR == hours


def test_the_hours_of_a_day_stand_where_the_clock_shows_them() -> None:
    spring = [each.hour for each in ticks(whole_day(date(2026, 3, 29), BERLIN), BERLIN)]
    assert spring == [0, 1, *range(3, 24)]
    autumn = list(ticks(whole_day(date(2026, 10, 25), BERLIN), BERLIN))
    assert [each.hour for each in autumn] == [0, 1, 2, 2, *range(3, 24)]
    assert [b.at - a.at for a, b in pairwise(autumn)] == [HOUR] * 24


def test_a_part_of_a_day_has_its_hours_alone() -> None:
    start = whole_day(date(2026, 3, 2), BERLIN).start
    (part,) = days_between(start + 5 * HOUR + MINUTE, start + 8 * HOUR, BERLIN)
    assert [each.hour for each in ticks(part, BERLIN)] == [6, 7]


def test_a_span_is_cut_where_days_begin() -> None:
    since = parse_rfc3339("2026-03-28T12:00:00+01:00", "test")
    until = parse_rfc3339("2026-03-30T12:00:00+02:00", "test")
    found = list(days_between(since, until, BERLIN))
    assert [each.date for each in found] == [date(2026, 3, day) for day in (28, 29, 30)]
    assert (found[0].start, found[-1].end) == (since, until)
    assert all(before.end == after.start for before, after in pairwise(found))
    assert list(days_between(until, since, BERLIN)) == []


def test_a_day_that_was_left_out_has_no_part() -> None:
    since = parse_rfc3339("2011-12-29T12:00:00-10:00", "test")
    until = parse_rfc3339("2011-12-31T12:00:00+14:00", "test")
    found = [each.date.day for each in days_between(since, until, "Pacific/Apia")]
    assert found == [29, 31]


def test_where_the_clock_goes_back_over_midnight_the_old_day_goes_on() -> None:
    # In St. John's, until 2011, 00:01 became 23:01.
    zone = "America/St_Johns"
    day = whole_day(date(2010, 11, 7), zone)
    assert local(day.start, zone).date() == date(2010, 11, 7)
    repeated = day.start - 30 * MINUTE
    assert day_of(repeated, zone) == date(2010, 11, 6)
    first_minute = day.start - HOUR
    assert local(first_minute, zone).date() == date(2010, 11, 7)
    assert day_of(first_minute, zone) == date(2010, 11, 6)


@pytest.mark.parametrize(
    ("day", "zone", "words"),
    [
        (date(2026, 3, 2), BERLIN, None),
        (
            date(2026, 3, 29),
            BERLIN,
            "The clock goes forward from 02:00 to 03:00: this day has 23 hours.",
        ),
        (
            date(2026, 10, 25),
            BERLIN,
            "The clock goes back from 03:00 to 02:00: this day has 25 hours.",
        ),
        (
            date(2026, 4, 5),
            "Australia/Lord_Howe",
            "The clock goes back from 02:00 to 01:30: this day has 24 h 30 min.",
        ),
        (
            date(2026, 9, 6),
            "America/Santiago",
            "The clock goes forward from 00:00 to 01:00: this day has 23 hours.",
        ),
    ],
)
def test_a_day_on_which_the_clock_is_changed_says_so(
    day: date, zone: str, words: str | None
) -> None:
    assert clock_note(whole_day(day, zone), zone) == words


def test_a_zone_that_the_zone_data_no_longer_has_counts_as_utc() -> None:
    assert known_timezone("Europe/Berlin") == "Europe/Berlin"
    assert known_timezone("Europe/Atlantis") == "UTC"
