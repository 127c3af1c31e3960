"""What a person types about when becomes a schedule, or a sentence that helps."""

import contextlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nod.domain.cron import rule
from nod.domain.errors import InvalidInput
from nod.domain.instant import parse_rfc3339
from nod.domain.phrases import _EXAMPLES, When, read_when
from nod.domain.words import describe
from nod.domain.zones import local

BERLIN = "Europe/Berlin"
# A Tuesday, 11:30:15 in Berlin.
NOW = parse_rfc3339("2026-11-24T10:30:15Z", "now")

RULES = {
    "every weekday at 9": "0 9 * * 1-5",
    "Workdays at 9 o'clock": "0 9 * * 1-5",
    "every day at 7:30 pm": "30 19 * * *",
    "every day at 7.30 p.m.": "30 19 * * *",
    "First Monday of the month": "0 9 * * 1#1",
    "last friday of the month at 2:30 pm": "30 14 * * 5L",
    "first and third monday of the month at 9": "0 9 * * 1#1,1#3",
    "first and last monday of the month at 9": "0 9 * * 1#1,1L",
    "every second tuesday of the month": "0 9 * * 2#2",
    "every last friday at 16": "0 16 * * 5L",
    "fourth thursday in november": "0 9 * 11 4#4",
    "every 6 hours": "0 */6 * * *",
    "every 12 hours": "0 */12 * * *",
    "every second hour": "0 */2 * * *",
    "every 15 minutes": "*/15 * * * *",
    "every 15 min on weekdays": "*/15 * * * 1-5",
    "every half hour": "*/30 * * * *",
    "every quarter of an hour": "*/15 * * * *",
    "every minute": "* * * * *",
    "every hour": "0 * * * *",
    "hourly": "0 * * * *",
    "every hour at minute 15": "15 * * * *",
    "every hour at :15": "15 * * * *",
    "once an hour": "0 * * * *",
    "twice an hour": "*/30 * * * *",
    "once a minute": "* * * * *",
    "every 2 hours from 9 to 17": "0 9,11,13,15,17 * * *",
    "every 2 hours from 00:15": "15 */2 * * *",
    "every 2 hours from 01:15": "15 1,3,5,7,9,11,13,15,17,19,21,23 * * *",
    "every 6 hours from 9": "0 3,9,15,21 * * *",
    "every 15 minutes between 9 and 17 on weekdays": "*/15 9-16 * * 1-5",
    "every 15 minutes from 9:00 to 16:45": "*/15 9-16 * * *",
    "every 30 minutes from 9:10 to 11:40": "10,40 9-11 * * *",
    "every minute between 9 and 10": "* 9 * * *",
    "every hour from 9am to 5pm": "0 9-17 * * *",
    "every hour from 9 to 5": "0 9-17 * * *",
    "every hour from 22 to 6": "0 0-6,22,23 * * *",
    "twice a day": "0 8,20 * * *",
    "3 times a day": "0 8,14,20 * * *",
    "twice a day at 7 and 19": "0 7,19 * * *",
    "daily": "0 9 * * *",
    "nightly": "0 22 * * *",
    "every morning": "0 8 * * *",
    "every evening at 7": "0 19 * * *",
    "every afternoon at 12": "0 12 * * *",
    "every night at 12": "0 0 * * *",
    "every night at 11": "0 23 * * *",
    "every night at 2": "0 2 * * *",
    "daily at 7 in the evening": "0 19 * * *",
    "every noon": "0 12 * * *",
    "every day at midnight": "0 0 * * *",
    "every day at 9 and at 17": "0 9,17 * * *",
    "every day at 9:30 and 17:30": "30 9,17 * * *",
    "every day at quarter to ten": "45 9 * * *",
    "every day at quarter past nine": "15 9 * * *",
    "every day at 1am": "0 1 * * *",
    "every day at 1 pm": "0 13 * * *",
    "every 60 minutes from 0:30": "30 * * * *",
    "last weekday and last day of the month at 9": "0 9 L,LW * *",
    "every day at 12am": "0 0 * * *",
    "every 1 day at 9": "0 9 * * *",
    "every day except sunday at 8": "0 8 * * 1-6",
    "every weekday but not on friday": "0 9 * * 1-4",
    "every weekday in december at 9": "0 9 * 12 1-5",
    "mondays and thursdays at 10": "0 10 * * 1,4",
    "monday and thursday at 10": "0 10 * * 1,4",
    "every monday, wednesday and friday at 8am": "0 8 * * 1,3,5",
    "mon-fri 9:00": "0 9 * * 1-5",
    "friday to monday at 9": "0 9 * * 0,1,5,6",
    "weekends at noon": "0 12 * * 0,6",
    "monday to sunday at 9": "0 9 * * *",
    "every tuesday 9": "0 9 * * 2",
    "at 9, mondays": "0 9 * * 1",
    "weekly": "0 9 * * 1",
    "weekly on friday at 16:00": "0 16 * * 5",
    "once a week": "0 9 * * 1",
    "twice a week": "0 9 * * 1,4",
    "twice a week on monday and friday": "0 9 * * 1,5",
    "every 2nd of the month": "0 9 2 * *",
    "on the 1st and 15th at 8": "0 8 1,15 * *",
    "last day of the month at 18:00": "0 18 L * *",
    "1st and last day of every month": "0 9 1,L * *",
    "last weekday of the month at 17": "0 17 LW * *",
    "last weekday at 17": "0 17 LW * *",
    "every month": "0 9 1 * *",
    "monthly on the 15th": "0 9 15 * *",
    "monthly on the first monday": "0 9 * * 1#1",
    "twice a month": "0 9 1,15 * *",
    "twice a month on the first and third monday": "0 9 * * 1#1,1#3",
    "quarterly": "0 9 1 1,4,7,10 *",
    "every quarter": "0 9 1 1,4,7,10 *",
    "every 3 months on the 15th": "0 9 15 1,4,7,10 *",
    "every 4 months in march and june": "0 9 1 3,6 *",
    "on the 1st of january, april, july and october": "0 9 1 1,4,7,10 *",
    "every december": "0 9 1 12 *",
    "yearly": "0 9 1 1 *",
    "yearly in june": "0 9 1 6 *",
    "twice a year": "0 9 1 1,7 *",
    "twice a year on 1 january and 1 july": "0 9 1 1,7 *",
    "yearly on 24 december at 18:00": "0 18 24 12 *",
    "every december 24": "0 9 24 12 *",
    "every year on 24 and 26 december at 18:00": "0 18 24,26 12 *",
    "every 1 january and 1 july": "0 9 1 1,7 *",
    "0  9 * * mon-fri": "0 9 * * MON-FRI",
    "@daily": "@daily",
}  # fmt: skip

MOMENTS = {
    "at midnight": "2026-11-25 00:00",
    "at 9": "2026-11-25 09:00",
    "at 17:00": "2026-11-24 17:00",
    "10am": "2026-11-25 10:00",
    "half past 9": "2026-11-25 09:30",
    "this afternoon": "2026-11-24 14:00",
    "tonight at 8": "2026-11-24 20:00",
    "tomorrow": "2026-11-25 09:00",
    "tomorrow at 9": "2026-11-25 09:00",
    "tomorrow 9": "2026-11-25 09:00",
    "tomorrow morning": "2026-11-25 08:00",
    "noon tomorrow": "2026-11-25 12:00",
    "today at 18:00": "2026-11-24 18:00",
    "the day after tomorrow at noon": "2026-11-26 12:00",
    "in 20 minutes": "2026-11-24 11:50",
    "in half an hour": "2026-11-24 12:00",
    "in an hour": "2026-11-24 12:30",
    "in 2 hours and 30 minutes": "2026-11-24 14:00",
    "in 1h30m": "2026-11-24 13:00",
    "2 hours from now": "2026-11-24 13:30",
    "in 3 days": "2026-11-27 11:30",
    "in 3 days at 9": "2026-11-27 09:00",
    "in 3 days and 2 hours": "2026-11-27 13:30",
    "in a week": "2026-12-01 11:30",
    "in 3 months": "2027-02-24 11:30",
    "in 2077 months": "2199-12-24 11:30",
    "in 5228 weeks and 4 days": "2127-02-08 11:30",
    "friday": "2026-11-27 09:00",
    "on tuesday at 18": "2026-11-24 18:00",
    "on tuesday at 9": "2026-12-01 09:00",
    "next tuesday 14:00": "2026-12-01 14:00",
    "next friday at 5pm": "2026-11-27 17:00",
    "the 15th": "2026-12-15 09:00",
    "on the 31st at 8": "2026-12-31 08:00",
    "the last day at 8": "2026-11-30 08:00",
    "on 24 december at 18:00": "2026-12-24 18:00",
    "the 24th of december at 18:00": "2026-12-24 18:00",
    "thursday, 24 december at 18:00": "2026-12-24 18:00",
    "sunday 27 december": "2026-12-27 09:00",
    "tuesday 24 november at 18:00": "2026-11-24 18:00",
    "1 march": "2027-03-01 09:00",
    "29 february": "2028-02-29 09:00",
    "dec 24th, 2027 at noon": "2027-12-24 12:00",
    "24.12.2026 18:00": "2026-12-24 18:00",
    "2026-12-01 09:00": "2026-12-01 09:00",
    "2026-12-01T09:00:00": "2026-12-01 09:00",
    "2026-12-01T09:00:00Z": "2026-12-01 10:00",
    "2027-03-28 02:30": "2027-03-28 03:00",
}  # fmt: skip

REFUSED = {
    "": "Say when it is to run",
    "asdf": "every weekday at 9",
    "every wekday at 9": "every weekday at 9",
    "once": "It is not clear",
    "every": "It is not clear",
    "every 9": "It is not clear",
    "9": "It is not clear",
    "in": "It is not clear",
    "at 25:00": "It is not clear",
    "at 9:60": "It is not clear",
    "at 9:75": "It is not clear",
    "at 13 pm": "It is not clear",
    "at half past": "It is not clear",
    "every day from 9 to 17": "It is not clear",
    "every hour at 9": "It is not clear",
    "every 15 minutes at minute 5": "It is not clear",
    "every hour at minute 5 from 9 to 17": "It is not clear",
    "every day at minute 5": "It is not clear",
    "every day tomorrow": "It is not clear",
    "between 9 and": "It is not clear",
    "first weekend of the month": "It is not clear",
    "9th monday of the month": "It is not clear",
    "first monday of the month except monday": "no weekday",
    "first monday and friday of the month except friday": "It is not clear",
    "next month": "It is not clear",
    "20 times": "It is not clear",
    "2 hours": "It is not clear",
    "2026-xx-01": "It is not clear",
    "24.12.": "It is not clear",
    "december 9:30": "It is not clear",
    "when the day ends": "It is not clear",
    "when": "It is not clear",
    "x" * 700: "It is not clear",
    "every 90 minutes": "90 minutes do not divide",
    "every 45 minutes": "45 minutes do not divide the hour",
    "every 5 hours": "5 hours do not divide the day",
    "every 24 hours": "24 hours do not divide",
    "every 2 weeks": "cannot count weeks",
    "biweekly": "cannot count weeks",
    "every other day": "cannot count days",
    "every 2nd day": "cannot count days",
    "every 5 months": "do not divide a year",
    "every 30 seconds": "counts in minutes",
    "every second tuesday": "Every second",
    "first weekday of the month": "the last of a month only",
    "every friday the 13th": "cron takes either",
    "friday the 13th": "names two days",
    "tomorrow on friday": "names two days",
    "tuesday at 9 wednesday": "names two days",
    "next tuesday next wednesday": "names two days",
    "on 24 december and 26 december": "names two days",
    "tomorrow at 9 and 17": "one time",
    "friday 24 december": "24 December 2026 is a Thursday",
    "every day at 9 and 17:30": "09:00 and 17:30",
    "every 1 january and 2 july": "the same days in each month",
    "every 1 january and 2 july in may": "Name the months with one day",
    "every 24 december 2026": "comes once",
    "seven times a week": "can mean many",
    "7 times an hour": "do not divide an hour",
    "2 times a minute": "do not divide an hour",
    "31 november": "no such date (31.11.)",
    "31 november 2030": "no such date (31.11.2030)",
    "24 december 2400": "no such date",
    "24 december 2020": "has passed",
    "thursday 24 december 2020": "has passed",
    "today at 9": "has passed",
    "in 0 minutes": "has passed",
    "in 9999 weeks": "too far away",
    "in 9999 months": "too far away",
    "in 2078 months": "too far away",
    "in 5228 weeks and 5 days": "too far away",
    "in 2 hours at 9": "exclude each other",
    "every hour from 9 to 9:30 except monday, tuesday, wednesday, thursday, friday, saturday and"
    " sunday": "no weekday",
    "0 9 * * 9": "The weekday",
    "* * * *": "has 4 fields",
    "² days": "It is not clear",
    "@reboot": "@reboot",
}  # fmt: skip


@pytest.mark.parametrize(("text", "cron"), RULES.items())
def test_what_comes_again_becomes_cron(text: str, cron: str) -> None:
    assert read_when(text, BERLIN, NOW) == When(cron)


@pytest.mark.parametrize(("text", "at"), MOMENTS.items())
def test_one_moment_becomes_once_in_the_zone(text: str, at: str) -> None:
    found = read_when(text, BERLIN, NOW)
    assert found.schedule == "once"
    assert found.run_at is not None
    assert f"{local(found.run_at, BERLIN):%Y-%m-%d %H:%M}" == at


@pytest.mark.parametrize(
    "text",
    [
        "when something calls", "on an event", "when GitHub pushes", "event", "webhook",
        "on every push", "whenever a payment fails", "by webhook calls",
    ],
)  # fmt: skip
def test_a_call_from_outside_becomes_event(text: str) -> None:
    assert read_when(text, BERLIN, NOW) == When("event")


@pytest.mark.parametrize(("text", "says"), REFUSED.items())
def test_what_is_not_understood_or_cannot_be_is_refused_with_help(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_when(text, BERLIN, NOW)
    assert says in refused.value.detail


@pytest.mark.parametrize(
    ("text", "at"),
    [("in 20 minutes", "2026-11-24T10:50:15Z"), ("in 3 days", "2026-11-27T10:30:15Z")],
)
def test_so_long_from_now_is_a_whole_second(text: str, at: str) -> None:
    assert read_when(text, BERLIN, NOW + 789).run_at == parse_rfc3339(at, "at")


def test_a_month_from_the_31st_is_the_last_day_of_a_shorter_one() -> None:
    end_of_august = parse_rfc3339("2026-08-31T10:00:00Z", "now")
    assert read_when("in 1 month", "UTC", end_of_august) == When(
        "once", parse_rfc3339("2026-09-30T10:00:00Z", "at")
    )


def test_the_29th_of_february_is_found_where_eight_years_lie_between() -> None:
    now = parse_rfc3339("2096-03-01T00:00:00Z", "now")
    assert read_when("29 february at noon", "UTC", now) == When(
        "once", parse_rfc3339("2104-02-29T12:00:00Z", "at")
    )


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not an IANA time zone"):
        read_when("every day at 9", "Berlin", NOW)


@pytest.mark.parametrize("text", _EXAMPLES)
def test_every_example_that_is_offered_works(text: str) -> None:
    assert read_when(text, BERLIN, NOW).schedule


@pytest.mark.parametrize("cron", sorted({rule(cron).text for cron in RULES.values()}))
def test_the_words_for_what_was_understood_read_back_to_the_same(cron: str) -> None:
    words = describe(cron)
    if words.startswith("At minute 0 past") or cron.startswith("@") or "MON" in cron:
        return
    assert read_when(words, BERLIN, NOW).schedule == cron


_WORDS = st.sampled_from(
    sorted({word for text in (*RULES, *MOMENTS, *REFUSED) for word in text.split()} | {""})
)


@given(st.lists(_WORDS, max_size=12).map(" ".join))
@example("in 9999 months at 9")
@example("every hour from 0 to 0")
def test_words_in_any_order_are_understood_or_refused(text: str) -> None:
    try:
        found = read_when(text, BERLIN, NOW)
    except InvalidInput:
        return
    if found.schedule not in ("once", "event"):
        _reads_back(found.schedule)
    elif found.run_at is not None:
        assert found.run_at > NOW


def _reads_back(cron: str) -> None:
    """The words lead to the same fires, or to no schedule; never to another one."""
    try:
        again = read_when(describe(cron), BERLIN, NOW).schedule
    except InvalidInput:
        return
    one, other = rule(cron), rule(again)
    assert (one.minutes, one.months) == (other.minutes, other.months)
    assert (one.matcher.days, one.matcher.weekdays) == (other.matcher.days, other.matcher.weekdays)


@given(st.text(max_size=700))
@example("Z" * 600)
@example("half past " * 60)
@example("1 and " * 100)
@example("٣ days")
def test_any_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert read_when(text, BERLIN, NOW).schedule


@pytest.mark.parametrize(
    "piece", ["1 and ", "half past ", "the 1st and ", "a", "monday, ", "9:00 "]
)
def test_the_longest_text_takes_no_time(piece: str) -> None:
    started = time.process_time()
    for _ in range(10):
        with contextlib.suppress(InvalidInput):
            read_when((piece * 600)[:600], BERLIN, NOW)
    assert time.process_time() - started < 1
