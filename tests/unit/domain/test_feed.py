"""The calendar: events that keep their names, real times, and nothing that changes by itself."""

from dataclasses import replace
from datetime import UTC, datetime

import icalendar
import pytest

from nod.domain.agenda import Agenda
from nod.domain.feed import FeedEvent, feed_days, feed_events, feed_tag, write_feed
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant, to_datetime
from nod.domain.limits import Limits
from nod.domain.runs import make_run, skipped_run
from support.agendas import agenda_of, done
from support.clock import MONDAY_9
from support.values import AGENT, make_task

MONDAY: Instant = MONDAY_9 - 9 * HOUR
TUESDAY: Instant = MONDAY + DAY
URL = "https://nod.example.org"
NAMES = {AGENT.id: "Ada"}


def events(found: Agenda, most: int = 1000) -> list[FeedEvent]:
    return feed_events(found, NAMES, URL, MONDAY_9, most)


def read(found: list[FeedEvent]) -> list[icalendar.cal.Component]:
    return icalendar.Calendar.from_ical(write_feed(found)).walk("VEVENT")


def test_a_fire_and_its_result_are_one_event() -> None:
    task = make_task(name="Digest", schedule="0 10 * * *", timezone="UTC")
    (ahead,) = events(agenda_of([task], [], MONDAY, TUESDAY, now=MONDAY_9))
    at = MONDAY + 10 * HOUR
    after = replace(task, next_fire_at=at + DAY)
    run = done(task, at, 150 * SECOND)
    (over,) = events(agenda_of([after], [run], MONDAY, TUESDAY, now=at + HOUR))
    assert over.uid == ahead.uid
    assert (ahead.summary, ahead.url) == ("Digest", f"{URL}/tasks/{task.id}")
    assert (over.summary, over.url) == ("\u2713 Digest: done", f"{URL}/runs/{run.id}")
    assert over.description == "Ada: done in 2 min 30 s"
    assert (over.start, over.end) == (at, run.finished_at)


def test_what_did_not_run_says_why() -> None:
    task = replace(make_task(name="Digest"), next_fire_at=None)
    reason = "the 08:00 run was still going"
    run = skipped_run(task, MONDAY_9, MONDAY_9, "schedule", reason)
    (event,) = events(agenda_of([task], [run], MONDAY, TUESDAY, now=MONDAY_9))
    assert event.summary == "\u21b7 Digest: skipped"
    assert event.description == f"Ada: skipped: {reason}"


def test_a_run_under_way_has_no_end_yet() -> None:
    task = replace(make_task(name="Digest"), next_fire_at=None)
    run = replace(make_run(task, MONDAY, MONDAY, "manual"), status="running", started_at=MONDAY)
    (event,) = events(agenda_of([task], [run], MONDAY, TUESDAY, now=MONDAY_9))
    assert (event.summary, event.end) == ("Digest: working", None)
    assert event.uid == f"{run.id}@nod"


def test_a_task_with_too_many_entries_is_one_event_a_day() -> None:
    task = make_task(name="Watch", schedule="* * * * *", timezone="UTC")
    found = agenda_of([task], [], TUESDAY, TUESDAY + 2 * DAY, now=MONDAY_9)
    first, second = events(found)
    assert (first.summary, first.description) == ("Watch: 1,440 times", "Ada: 1,440 to come")
    assert (first.start, first.end) == (TUESDAY, TUESDAY + DAY - MINUTE)
    assert first.uid != second.uid
    again = agenda_of([task], [], TUESDAY, TUESDAY + DAY, now=TUESDAY - MINUTE)
    assert events(again)[0].uid == first.uid


def test_of_more_events_than_the_limit_those_nearest_to_now_are_there_in_order() -> None:
    task = make_task(schedule="0 * * * *", timezone="UTC")
    runs = [done(task, MONDAY + hour * HOUR) for hour in range(10)]
    found = agenda_of([task], runs, MONDAY, TUESDAY, now=MONDAY_9)
    assert [each.start for each in events(found, 3)] == [
        MONDAY_9 - HOUR,
        MONDAY_9,
        MONDAY_9 + HOUR,
    ]
    assert len(events(found, 24)) == 24
    assert len(events(found, 25)) == 24


def test_a_calendar_program_reads_what_was_written() -> None:
    task = make_task(name='Größe; "x", y\nBEGIN:VEVENT\x07', schedule="0 12 * * *")
    run = done(task, MONDAY + 8 * HOUR, 90 * SECOND + 250)
    found = agenda_of([task], [run], MONDAY, TUESDAY, now=MONDAY_9)
    over, ahead = read(events(found))
    assert over["SUMMARY"] == '\u2713 Größe; "x", y BEGIN:VEVENT : done'
    assert over.decoded("DTSTART") == datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert over.decoded("DTEND") == datetime(2026, 3, 2, 8, 1, 30, tzinfo=UTC)
    assert over.decoded("DTSTAMP") == datetime(2026, 3, 2, 8, 1, 30, tzinfo=UTC)
    assert over["TRANSP"] == "TRANSPARENT"
    assert ahead.decoded("DTSTART") == datetime(2026, 3, 2, 11, tzinfo=UTC)  # 12:00 in Berlin
    assert "DTEND" not in ahead  # nobody knows how long it takes


def test_the_calendar_says_what_it_is_and_when_to_look_again() -> None:
    text = write_feed([]).decode()
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    for line in ("VERSION:2.0", "NAME:Nod", "REFRESH-INTERVAL;VALUE=DURATION:PT15M"):
        assert f"\r\n{line}\r\n" in text


def test_what_has_not_changed_is_the_same_to_the_byte() -> None:
    task = make_task(schedule="0 10 * * *", timezone="UTC")
    run = replace(
        make_run(task, MONDAY, MONDAY, "manual"), id="run_1", status="running", started_at=MONDAY
    )
    early = events(agenda_of([task], [run], MONDAY, TUESDAY, now=MONDAY_9))
    late = events(agenda_of([task], [run], MONDAY, TUESDAY, now=MONDAY_9 + MINUTE))
    assert feed_tag(early) == feed_tag(late)
    assert write_feed(early) == write_feed(late)
    ended = replace(run, status="completed", finished_at=MONDAY_9)
    after = events(agenda_of([task], [ended], MONDAY, TUESDAY, now=MONDAY_9))
    assert feed_tag(after) != feed_tag(early)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati"])
def test_a_feed_goes_two_weeks_back_and_four_ahead_by_whole_days(zone: str) -> None:
    limits = Limits()
    days = feed_days(MONDAY_9, zone, limits)
    assert len(days) == (limits.feed_past_s + limits.feed_future_s) // 86_400 + 1
    assert days[0].start <= MONDAY_9 - limits.feed_past_s * SECOND < days[0].end
    assert days[-1].start <= MONDAY_9 + limits.feed_future_s * SECOND < days[-1].end
    assert feed_days(MONDAY_9 + MINUTE, zone, limits) == days
    assert to_datetime(days[0].start).minute == 0
    shorter = replace(limits, feed_past_s=0, feed_future_s=86_400)
    assert len(feed_days(MONDAY_9, zone, shorter)) == 2
