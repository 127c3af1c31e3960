"""Schedules and durations in words."""

import pytest

from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant, parse_rfc3339
from nod.domain.schedule import preview
from nod.domain.words import clock_words, describe, duration_words, notes


def at(text: str) -> Instant:
    return parse_rfc3339(text, "test")


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("*/5 * * * 1-5", "Every 5 minutes on weekdays"),
        ("5/20 * * * *", "Every 20 minutes from minute 5 of the hour"),
        ("@hourly", "Every hour"),
        ("30 * * * *", "Every hour at minute 30"),
        ("0 */2 * * *", "Every 2 hours"),
        ("15 */2 * * 6,7", "Every 2 hours from 00:15 on Saturdays and Sundays"),
        ("*/7 * * * *", "Every seventh minute of every hour"),
        ("0 9 * * *", "Every day at 09:00"),
        ("*/90 3 * * *", "Every day at 03:00"),
        ("0 17,9 * * *", "Every day at 09:00 and 17:00"),
        ("0 0,6,12,18 * * *", "Every day at 00:00, 06:00, 12:00 and 18:00"),
        ("0 0-4 * * *", "Every hour from 00:00 to 04:00"),
        ("0 9 * * 1-5", "Every weekday at 09:00"),
        ("0 9 * * MON-FRI", "Every weekday at 09:00"),
        ("5 4 * * 0", "Every Sunday at 04:05"),
        ("5 4 * * 7", "Every Sunday at 04:05"),
        ("0 0 * * 0-7", "Every day at 00:00"),
        ("0 22 * * 1,3,5", "Every Monday, Wednesday and Friday at 22:00"),
        ("@monthly", "On the 1st of every month at 00:00"),
        ("@yearly", "Every year on 1 January at 00:00"),
        ("0 0 L * *", "On the last day of every month at 00:00"),
        ("0 0 * * 5L", "On the last Friday of every month at 00:00"),
        ("0 0 * * 1#2", "On the second Monday of every month at 00:00"),
        ("0 0 * 2 *", "Every day in February at 00:00"),
        ("0 0 1 * 1", "At 00:00 on the first day of the month or on Monday"),
        ("0 0 */2 * 1", "At 00:00 on every second day of the month if it is Monday"),
        ("*/15 9-17 * * 1-5", "Every 15 minutes from 09:00 to 17:45 on weekdays"),
        ("30 9 1,22 * *", "On the 1st and 22nd of every month at 09:30"),
        (
            "0 9 4,11,12,13,31 * *",
            "On the 4th, 11th, 12th, 13th and 31st of every month at 09:00",
        ),
        ("*/15 * 1 * *", "Every 15 minutes on the 1st of every month"),
        ("*/15 * * * 7#1,6#1", "Every 15 minutes on the first Saturday and Sunday of every month"),
        ("0 9 * * 2,4", "Every Tuesday and Thursday at 09:00"),
        ("30 9 3,13,23 * *", "On the 3rd, 13th and 23rd of every month at 09:30"),
        ("0 9 2,L * *", "On the 2nd and last day of every month at 09:00"),
        ("0 9 LW * *", "On the last weekday of every month at 09:00"),
        ("0 9 L,LW * *", "On the last day and last weekday of every month at 09:00"),
        ("0 9 L 6,12 *", "On the last day of June and December at 09:00"),
        ("0 18 24,26 12 *", "Every year on 24 and 26 December at 18:00"),
        ("0 9 * * 1#1,1#3,1L", "On the first, third and last Monday of every month at 09:00"),
        ("0 9 * 1,7 0#1,6#1", "On the first Saturday and Sunday of January and July at 09:00"),
        (
            "0 9 * * 1#1,2#3",
            "At 09:00 on the first Monday of the month and the third Tuesday of the month",
        ),
        ("0 9 * * 1,5L", "At 09:00 on Monday and the last Friday of the month"),
        ("0 */6 24 12 *", "Every 6 hours on 24 December"),
        ("*/15 * * 12 1-5", "Every 15 minutes on weekdays in December"),
        ("*/15 * * 12 *", "Every 15 minutes in December"),
        ("0,30 9 * * *", "Every day at 09:00 and 09:30"),
        ("0 9 */2 * *", "At 09:00 on every second day of the month"),
        ("0 0 * * */2", "At 00:00 on every second day of week"),
    ],
)
def test_a_schedule_is_said_in_a_sentence(cron: str, words: str) -> None:
    assert describe(cron) == words


def test_words_are_refused_for_what_is_no_schedule() -> None:
    with pytest.raises(InvalidInput):
        describe("at nine")
    with pytest.raises(InvalidInput):
        notes("at nine", "UTC", ())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (95, "1 min 35 s"),
        (3 * 3600, "3 h"),
        (3 * 3600 + 12 * 60 + 59, "3 h 12 min"),
        (3600 + 59, "1 h"),
        (49 * 3600 + 1800, "2 d 1 h"),
        (400 * 86_400, "400 d"),
    ],
)
def test_a_duration_is_said_by_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_an_instant_is_said_as_the_clock_of_its_zone_shows_it() -> None:
    assert clock_words(at("2025-07-01T07:05:00Z"), "Europe/Berlin") == "09:05"
    assert clock_words(at("2025-01-01T22:05:00Z"), "Asia/Kathmandu") == "03:50"


def test_a_clock_of_a_zone_that_is_gone_is_shown_in_utc() -> None:
    assert clock_words(at("2025-07-01T07:05:00Z"), "Nowhere/Dropped") == "07:05 UTC"


def notes_of(cron: str, timezone: str, start: str, count: int = 1) -> tuple[str, ...]:
    return preview(cron, timezone, at(start), count).notes


def test_the_either_day_rule_is_told_when_both_days_are_restricted() -> None:
    told = "Fires when either the day of the month or the weekday matches."
    assert notes("0 0 1 * 1", "UTC", ()) == (told,)
    assert notes("0 0 L * 5L", "UTC", ()) == (told,)
    assert notes("0 0 1 * *", "UTC", ()) == ()
    assert notes("0 0 * * 1", "UTC", ()) == ()


def test_debians_exception_to_the_either_day_rule_is_told() -> None:
    assert notes("0 0 */2 * 1", "UTC", ()) == (
        (
            "Fires only when both the day of the month and the weekday match,"
            " because one of them starts with a star."
        ),
    )


CLOCK_NOTES = {
    "one fixed time": (
        "30 2 * * *",
        "Europe/Berlin",
        (
            "On 2025-03-30 the clock skips 02:00 to 03:00 in Europe/Berlin;"
            " the 02:30 fire happens at 03:00."
        ),
        (
            "On 2025-10-26 the clock repeats 02:00 to 03:00 in Europe/Berlin;"
            " the 02:30 fire happens once."
        ),
    ),
    "the first skipped minute": (
        "0 2 * * *",
        "Europe/Berlin",
        (
            "On 2025-03-30 the clock skips 02:00 to 03:00 in Europe/Berlin;"
            " the 02:00 fire happens at 03:00."
        ),
        (
            "On 2025-10-26 the clock repeats 02:00 to 03:00 in Europe/Berlin;"
            " the 02:00 fire happens once."
        ),
    ),
    "several fixed times": (
        "0,30 2 * * *",
        "Europe/Berlin",
        (
            "On 2025-03-30 the clock skips 02:00 to 03:00 in Europe/Berlin;"
            " the 02:00 and 02:30 fires happen together, once, at 03:00."
        ),
        (
            "On 2025-10-26 the clock repeats 02:00 to 03:00 in Europe/Berlin;"
            " the 02:00 and 02:30 fires happen once."
        ),
    ),
    "as many times as are listed": (
        "*/15 2 * * *",
        "Europe/Berlin",
        (
            "On 2025-03-30 the clock skips 02:00 to 03:00 in Europe/Berlin;"
            " the 02:00, 02:15, 02:30 and 02:45 fires do not happen."
        ),
        (
            "On 2025-10-26 the clock repeats 02:00 to 03:00 in Europe/Berlin;"
            " the 02:00, 02:15, 02:30 and 02:45 fires happen twice."
        ),
    ),
    "a wildcard minute": (
        "*/10 2 * * *",
        "Europe/Berlin",
        (
            "On 2025-03-30 the clock skips 02:00 to 03:00 in Europe/Berlin;"
            " the 6 fires from 02:00 to 02:50 do not happen."
        ),
        (
            "On 2025-10-26 the clock repeats 02:00 to 03:00 in Europe/Berlin;"
            " the 6 fires from 02:00 to 02:50 happen twice."
        ),
    ),
    "one wildcard fire": (
        "15 */2 * * *",
        "Europe/Berlin",
        (
            "On 2025-03-30 the clock skips 02:00 to 03:00 in Europe/Berlin;"
            " the 02:15 fire does not happen."
        ),
        (
            "On 2025-10-26 the clock repeats 02:00 to 03:00 in Europe/Berlin;"
            " the 02:15 fire happens twice."
        ),
    ),
    "every hour where half an hour is skipped": (
        "45 * * * *",
        "Australia/Lord_Howe",
        (
            "On 2025-04-06 the clock repeats 01:30 to 02:00 in Australia/Lord_Howe;"
            " the 01:45 fire happens twice."
        ),
    ),
    "every minute, listed": (
        "0-59 0-23 * * *",
        "Europe/Berlin",
        (
            "On 2025-03-30 the clock skips 02:00 to 03:00 in Europe/Berlin;"
            " the 60 fires from 02:00 to 02:59 happen together, once, at 03:00."
        ),
        (
            "On 2025-10-26 the clock repeats 02:00 to 03:00 in Europe/Berlin;"
            " the 60 fires from 02:00 to 02:59 happen once."
        ),
    ),
    "over midnight": (
        "30 23 * * 6",
        "America/Nuuk",
        (
            "On 2025-03-29 the clock skips 23:00 to 00:00 in America/Nuuk;"
            " the 23:30 fire happens at 00:00."
        ),
        (
            "On 2025-10-25 the clock repeats 23:00 to 00:00 in America/Nuuk;"
            " the 23:30 fire happens once."
        ),
    ),
    "not in the hour": ("0 9 * * *", "Europe/Berlin"),
    "right after the hour": ("0 3 * * *", "Europe/Berlin"),
    "on another weekday": ("30 2 * * 1", "Europe/Berlin"),
    "every hour": ("30 * * * *", "Europe/Berlin"),
    "every minute": ("* * * * *", "Europe/Berlin"),
    "no daylight saving": ("30 2 * * *", "UTC"),
}


@pytest.mark.parametrize("name", CLOCK_NOTES)
def test_a_change_of_the_clock_that_concerns_the_schedule_is_told(name: str) -> None:
    cron, timezone, *told = CLOCK_NOTES[name]
    assert notes_of(cron, timezone, "2025-01-01T00:00:00Z") == tuple(told)


def test_a_lost_date_is_told() -> None:
    assert notes_of("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z") == (
        (
            "On 2011-12-30 the clock skips 00:00 to 00:00 in Pacific/Apia;"
            " the 09:00 fire does not happen."
        ),
    )


def test_a_change_before_the_first_fire_is_not_told() -> None:
    told = notes_of("30 2 * * *", "Europe/Berlin", "2025-03-30T01:00:00Z")
    assert [note[:13] for note in told] == ["On 2025-10-26", "On 2026-03-29"]


def test_a_change_at_the_first_fire_is_told() -> None:
    told = notes_of("30 2 * * *", "Europe/Berlin", "2025-03-30T00:59:59Z")
    assert [note[:13] for note in told] == ["On 2025-03-30", "On 2025-10-26"]


def test_changes_within_the_listed_fires_are_told_also_after_a_year() -> None:
    told = notes_of("30 2 29 3 *", "Europe/Berlin", "2023-03-30T00:00:00Z", 3)
    assert [note[:13] for note in told] == ["On 2026-03-29"]
    assert notes_of("30 2 29 3 *", "Europe/Berlin", "2023-03-30T00:00:00Z", 1) == ()
