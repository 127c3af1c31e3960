"""Debian cron's rules where a zone's clock is put forward or back."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from nod.domain.instant import Instant, from_datetime, parse_rfc3339
from nod.domain.schedule import fires, newest_fires, next_fire
from nod.domain.zones import local

# cron, zone, from and to as UTC, and the local times of all fires in between
CASES = {
    "a fixed time in the skipped hour happens right after it": (
        "30 2 * * *",
        "Europe/Berlin",
        ("2025-03-29T00:00:00Z", "2025-03-31T12:00:00Z"),
        ["2025-03-29T02:30+01:00", "2025-03-30T03:00+02:00", "2025-03-31T02:30+02:00"],
    ),
    "several fixed times in the skipped hour happen once together": (
        "0,20,40 2 * * *",
        "Europe/Berlin",
        ("2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z"),
        ["2025-03-30T03:00+02:00"],
    ),
    "a skipped fixed time and one right after the change are one fire": (
        "30,0 2-3 * * *",
        "Europe/Berlin",
        ("2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z"),
        ["2025-03-30T03:00+02:00", "2025-03-30T03:30+02:00"],
    ),
    "a fixed time in the repeated hour happens the first time only": (
        "30 2 * * *",
        "Europe/Berlin",
        ("2025-10-25T12:00:00Z", "2025-10-27T12:00:00Z"),
        ["2025-10-26T02:30+02:00", "2025-10-27T02:30+01:00"],
    ),
    "the time at which the clock is put back happens once, when it is not put back": (
        "0 3 * * *",
        "Europe/Berlin",
        ("2025-10-25T12:00:00Z", "2025-10-26T12:00:00Z"),
        ["2025-10-26T03:00+01:00"],
    ),
    "the time to which the clock is put back happens once, the first time": (
        "0 2 * * *",
        "Europe/Berlin",
        ("2025-10-25T12:00:00Z", "2025-10-26T12:00:00Z"),
        ["2025-10-26T02:00+02:00"],
    ),
    "a wildcard hour goes by elapsed time when the clock is put forward": (
        "*/30 * * * *",
        "Europe/Berlin",
        ("2025-03-30T00:15:00Z", "2025-03-30T01:45:00Z"),
        ["2025-03-30T01:30+01:00", "2025-03-30T03:00+02:00", "2025-03-30T03:30+02:00"],
    ),
    "a wildcard hour goes by elapsed time when the clock is put back": (
        "*/30 * * * *",
        "Europe/Berlin",
        ("2025-10-26T00:15:00Z", "2025-10-26T01:45:00Z"),
        ["2025-10-26T02:30+02:00", "2025-10-26T02:00+01:00", "2025-10-26T02:30+01:00"],
    ),
    "a wildcard minute has no fires in an hour that is skipped": (
        "*/20 2 * * *",
        "Europe/Berlin",
        ("2025-03-29T12:00:00Z", "2025-03-30T12:00:00Z"),
        [],
    ),
    "a wildcard hour keeps its hours": (
        "0 */2 * * *",
        "America/New_York",
        ("2025-03-09T04:30:00Z", "2025-03-09T09:00:00Z"),
        ["2025-03-09T00:00-05:00", "2025-03-09T04:00-04:00"],
    ),
    "daylight saving of half an hour skips half an hour": (
        "15 2 * * *",
        "Australia/Lord_Howe",
        ("2025-10-04T00:00:00Z", "2025-10-06T12:00:00Z"),
        ["2025-10-05T02:30+11:00", "2025-10-06T02:15+11:00"],
    ),
    "daylight saving of half an hour repeats half an hour": (
        "15,45 1 * * *",
        "Australia/Lord_Howe",
        ("2025-04-05T12:00:00Z", "2025-04-06T12:00:00Z"),
        ["2025-04-06T01:15+11:00", "2025-04-06T01:45+11:00"],
    ),
    "a date that does not exist has no fires": (
        "0 9 * * *",
        "Pacific/Apia",
        ("2011-12-29T00:00:00Z", "2011-12-31T12:00:00Z"),
        ["2011-12-29T09:00-10:00", "2011-12-31T09:00+14:00"],
    ),
    "a wildcard rule passes over a date that does not exist": (
        "0 */12 * * *",
        "Pacific/Apia",
        ("2011-12-30T09:00:00Z", "2011-12-31T00:00:00Z"),
        ["2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00"],
    ),
    "the other zone that lost a date": (
        "0 9 * * *",
        "Pacific/Kwajalein",
        ("1993-08-20T12:00:00Z", "1993-08-22T12:00:00Z"),
        ["1993-08-20T09:00-12:00", "1993-08-22T09:00+12:00"],
    ),
    "the month of fasting puts the clock back and forth": (
        "30 2 * * *",
        "Africa/Casablanca",
        ("2026-02-14T12:00:00Z", "2026-02-16T12:00:00Z"),
        ["2026-02-15T02:30+01:00", "2026-02-16T02:30+00:00"],
    ),
    "and forward again": (
        "30 2 * * *",
        "Africa/Casablanca",
        ("2026-03-21T12:00:00Z", "2026-03-23T12:00:00Z"),
        ["2026-03-22T03:00+01:00", "2026-03-23T02:30+01:00"],
    ),
    "a skipped hour before midnight moves its fire to the next date": (
        "30 23 * * *",
        "America/Nuuk",
        ("2025-03-29T12:00:00Z", "2025-03-31T12:00:00Z"),
        ["2025-03-30T00:00-01:00", "2025-03-30T23:30-01:00"],
    ),
    "fires of two dates that fall together over midnight are one": (
        "30,0 23,0 * * *",
        "America/Nuuk",
        ("2025-03-30T00:45:00Z", "2025-03-30T02:00:00Z"),
        ["2025-03-30T00:00-01:00", "2025-03-30T00:30-01:00"],
    ),
    "a clock put back over midnight mixes two dates in the order of time": (
        "*/30 * * * *",
        "America/St_Johns",
        ("2006-10-29T01:45:00Z", "2006-10-29T04:00:00Z"),
        [
            "2006-10-28T23:30-02:30",
            "2006-10-29T00:00-02:30",
            "2006-10-28T23:30-03:30",
            "2006-10-29T00:00-03:30",
            "2006-10-29T00:30-03:30",
        ],
    ),
    "a clock put back by hours over midnight, too": (
        "30 * * * *",
        "Antarctica/Casey",
        ("2010-03-04T12:00:00Z", "2010-03-04T17:00:00Z"),
        [
            "2010-03-04T23:30+11:00",
            "2010-03-05T00:30+11:00",
            "2010-03-05T01:30+11:00",
            "2010-03-04T23:30+08:00",
            "2010-03-05T00:30+08:00",
        ],
    ),
    "fixed times of two dates that are both repeated happen the first time": (
        "30,0 23,0 * * *",
        "America/St_Johns",
        ("2006-10-29T01:45:00Z", "2006-10-29T04:10:00Z"),
        ["2006-10-28T23:30-02:30", "2006-10-29T00:00-02:30", "2006-10-29T00:30-03:30"],
    ),
    "a change of three hours is still daylight saving": (
        "30 1 * * *",
        "Antarctica/Casey",
        ("2020-10-03T00:00:00Z", "2020-10-04T12:00:00Z"),
        ["2020-10-04T03:01+11:00"],
    ),
    "a change by an odd number of seconds": (
        "30 0 * * *",
        "Africa/Monrovia",
        ("1972-01-06T00:00:00Z", "1972-01-08T00:00:00Z"),
        ["1972-01-06T00:30-00:44:30", "1972-01-07T00:44:30+00:00"],
    ),
    "a clock put back by more than three hours is set right: fixed times happen again": (
        "0 20 * * *",
        "Antarctica/Vostok",
        ("1994-01-31T00:00:00Z", "1994-02-01T12:00:00Z"),
        ["1994-01-31T20:00+07:00", "1994-01-31T20:00+00:00"],
    ),
    "a clock put forward by more than three hours is set right: nothing is made up for": (
        "0 4 * * *",
        "Antarctica/Vostok",
        ("1994-10-31T00:00:00Z", "1994-11-02T00:00:00Z"),
        ["1994-10-31T04:00+00:00", "1994-11-02T04:00+07:00"],
    ),
}


def at(text: str) -> Instant:
    return parse_rfc3339(text, "test")


@pytest.mark.parametrize("name", CASES)
def test_debian_crons_rule(name: str) -> None:
    cron, timezone, (since, until), expected = CASES[name]
    found = list(fires(cron, timezone, at(since), at(until)))
    shown = [local(fire, timezone).isoformat() for fire in found]
    assert shown == [datetime.fromisoformat(text).isoformat() for text in expected]
    assert newest_fires(cron, timezone, at(since), at(until), 100) == (found, False)


def test_a_fire_in_the_skipped_hour_is_still_ahead_just_before_the_change() -> None:
    change = from_datetime(datetime(2025, 3, 30, 3, tzinfo=ZoneInfo("Europe/Berlin")))
    assert next_fire("30 2 * * *", "Europe/Berlin", change - 1) == change
    assert next_fire("30 2 * * *", "Europe/Berlin", change) == change + 23 * 3_600_000 + 1_800_000


def test_a_fire_of_the_first_repeated_hour_is_not_ahead_in_the_second() -> None:
    second = from_datetime(datetime(2025, 10, 26, 2, 10, tzinfo=ZoneInfo("Europe/Berlin"), fold=1))
    following = next_fire("30 2 * * *", "Europe/Berlin", second)
    assert following == at("2025-10-27T01:30:00Z")


# In 2006 the clock of St. John's went back from 00:01 to 23:01 of the day before, at 02:31 UTC.


def test_the_next_fire_can_be_on_the_date_before() -> None:
    midnight = at("2006-10-29T02:30:30Z")
    following = next_fire("*/30 23 * * *", "America/St_Johns", midnight)
    assert following == at("2006-10-29T03:00:00Z")


def test_the_last_fire_can_be_on_the_date_after() -> None:
    evening_again = at("2006-10-29T03:10:00Z")
    found, _ = newest_fires("*/30 0 * * *", "America/St_Johns", 0, evening_again, 1)
    assert found == [at("2006-10-29T02:30:00Z")]
