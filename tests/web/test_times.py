"""Times as a person reads them: in their zone, in their way of writing dates."""

from datetime import UTC, datetime

import pytest
from babel.localedata import locale_identifiers

from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from nod.web.times import Times


def at(text: str) -> Instant:
    """The instant of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


# Tuesday
NOW = at("2026-11-24T22:30")


def times(zone: str = "UTC", locale: str = "en_GB", now: Instant = NOW) -> Times:
    return Times(zone, locale, now)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", "2026-11-24T00:00", "Today"),
        ("UTC", "2026-11-24T23:59:59", "Today"),
        ("UTC", "2026-11-25T00:00", "Tomorrow"),
        ("UTC", "2026-11-23T23:59:59", "Yesterday"),
        ("Europe/Berlin", "2026-11-24T22:59", "Today"),
        ("Europe/Berlin", "2026-11-24T23:00", "Tomorrow"),
        # There it is the 25th already.
        ("Asia/Tokyo", "2026-11-24T14:59", "Yesterday"),
        ("Asia/Tokyo", "2026-11-24T15:00", "Today"),
        ("America/Los_Angeles", "2026-11-25T07:59", "Today"),
        ("America/Los_Angeles", "2026-11-25T08:00", "Tomorrow"),
        ("UTC", "2026-11-26T00:00", "Thu 26 Nov"),
        ("UTC", "2026-11-22T12:00", "Sun 22 Nov"),
        ("UTC", "2025-11-24T12:00", "Mon, 24 Nov 2025"),
    ],
)
def test_today_and_its_neighbours_are_those_of_the_persons_zone(
    zone: str, moment: str, day: str
) -> None:
    assert times(zone).day(at(moment)).replace(",", "") == day.replace(",", "")


def test_the_day_turns_with_the_clock_on_a_day_of_25_hours() -> None:
    # Berlin, 25 October 2026: clocks go back at 3:00.
    berlin = times("Europe/Berlin", now=at("2026-10-24T22:30"))
    assert berlin.day(at("2026-10-25T22:59")) == "Today"
    assert berlin.day(at("2026-10-25T23:00")) == "Tomorrow"


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (0, "in a moment"),
        (9 * SECOND, "in a moment"),
        (30 * SECOND, "in 30 s"),
        (MINUTE, "in 1 min"),
        (2 * HOUR + 51 * MINUTE, "in 2 h 51 min"),
        (2 * HOUR + 51 * MINUTE + 59 * SECOND, "in 2 h 51 min"),
        (6 * HOUR - 1, "in 5 h 59 min"),
        (6 * HOUR, "tomorrow, 04:30"),
        (-1, "today, 22:29"),
        (-DAY, "yesterday, 22:30"),
    ],
)
def test_a_time_to_come_is_told_by_how_far_away_it_is(ahead: int, words: str) -> None:
    assert times().when(NOW + ahead) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-24T22:50", "in 20 min"),
        ("2026-11-25T04:00", "in 5 h 30 min"),
        ("2026-11-25T05:00", "tomorrow"),
        ("2026-11-28T14:30", "in 4 days"),
        ("2026-11-23T14:30", "yesterday, 14:30"),
    ],
)
def test_beside_a_date_stands_how_far_away_it_is(moment: str, words: str) -> None:
    assert times().ahead(at(moment)) == words


def test_a_time_later_today_is_today() -> None:
    assert times(now=at("2026-11-24T01:00")).ahead(at("2026-11-24T22:00")) == "today"


def test_a_date_with_its_time_is_shown_by_the_clock_of_any_zone() -> None:
    fire = at("2026-11-24T23:30")
    assert times().on(fire) == "Tue 24 Nov, 23:30"
    assert times().there("Asia/Tokyo").on(fire) == "Wed 25 Nov, 08:30"


def test_a_time_further_away_is_told_by_day_and_time() -> None:
    assert times().at(at("2026-11-25T09:00")) == "tomorrow, 09:00"
    assert times().at(at("2026-11-27T14:30")).replace("Fri, ", "Fri ") == "Fri 27 Nov, 14:30"
    assert times("Asia/Kolkata").at(at("2026-11-24T20:00")) == "today, 01:30"


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-11-24T09:02", "09:02"),
        ("2026-11-23T09:02", "Yesterday"),
        ("2026-11-22T09:02", "Sun"),
        ("2026-11-18T09:02", "Wed"),
        ("2026-11-17T09:02", "17 Nov"),
        ("2025-11-17T09:02", "17 Nov 2025"),
        ("2026-11-25T09:02", "25 Nov"),
    ],
)
def test_the_end_of_a_line_says_only_as_much_as_is_needed(moment: str, words: str) -> None:
    assert times().short(at(moment)) == words


@pytest.mark.parametrize(
    ("locale", "clock", "exact"),
    [
        ("en_GB", "15:05", "15:05:09"),
        ("de_DE", "15:05", "15:05:09"),
        ("en_US", "3:05\u202fPM", "3:05:09\u202fPM"),
        ("fi_FI", "15.05", "15.05.09"),
    ],
)
def test_the_time_of_day_is_written_as_in_the_persons_country(
    locale: str, clock: str, exact: str
) -> None:
    moment = at("2026-11-24T15:05:09")
    assert times(locale=locale).clock(moment) == clock
    assert times(locale=locale).exact_clock(moment) == exact


def test_dates_are_written_as_in_the_persons_country() -> None:
    moment = at("2026-11-27T14:30")
    assert times(locale="de_DE").date(moment) == "Fr., 27. Nov."
    assert times(locale="en_US").date(moment) == "Fri, Nov 27"


@pytest.mark.parametrize("locale", ["en_150", "en_DE", "es_419", "zh_Hant_TW", "sr_Latn_RS", "gsw"])
def test_locales_that_only_unicode_knows_are_fine_too(locale: str) -> None:
    assert times(locale=locale).at(at("2026-11-27T14:30"))


def test_every_locale_there_is_can_say_every_time() -> None:
    for locale in locale_identifiers():
        read = times("Europe/Berlin", locale)
        for moment in (NOW, NOW - 3 * DAY, NOW - 400 * DAY):
            assert read.short(moment), locale
            assert read.at(moment), locale
            assert read.exact_clock(moment), locale


def test_a_zone_that_is_gone_falls_back_to_utc() -> None:
    gone = times("Mars/Olympus")
    assert gone.clock(NOW) == "22:30"
    assert gone.day(NOW) == "Today"
    assert "Coordinated Universal Time" in gone.exact(NOW)


def test_the_exact_time_stands_on_hover_and_for_machines() -> None:
    tag = times("Europe/Berlin").tag(at("2026-11-24T15:05:09"))
    assert 'datetime="2026-11-24T15:05:09' in tag
    assert "Tuesday" in tag
    assert "16:05:09 Central European Standard Time" in tag
    assert tag.endswith(">16:05</time>")
    assert ">today, 16:05</time>" in times("Europe/Berlin").tag(at("2026-11-24T15:05"), "when")


def test_the_moment_of_the_page_is_told() -> None:
    assert times().iso_now.startswith("2026-11-24T22:30:00")
