"""The agenda as a calendar that other programs subscribe to (iCalendar, RFC 5545). Pure.

An event keeps its UID when a fire becomes its result, so that a calendar changes it in place and
never shows both. Nothing in it depends on when it was asked for, so that what has not changed is
the same to the byte.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from icalendar import Calendar, Event

from nod.domain.agenda import STATE_WORDS, Agenda, Band, Entry, State, tally_words
from nod.domain.agenda_days import Day, day_of, days_between, whole_day
from nod.domain.instant import SECOND, Instant, to_datetime
from nod.domain.limits import Limits
from nod.version import __version__

_NAME = "Nod"
_LOOK_AGAIN = timedelta(minutes=15)
# Calendars cut a title at its end, so what came of it stands at its beginning.
_SIGNS: dict[State, str] = {
    "done": "\u2713 ",
    "failed": "\u2717 ",
    "skipped": "\u21b7 ",
    "cancelled": "\u2715 ",
    "waiting": "? ",
}
_GOING = frozenset({"pending", "running", "waiting"})
_CONTROLS = dict.fromkeys((*range(32), 127), " ")


class FeedEvent(NamedTuple):
    """One event. `end` is None where it has no length, or none yet."""

    uid: str
    changed_at: Instant
    start: Instant
    end: Instant | None
    summary: str
    description: str
    url: str


def feed_days(now: Instant, zone: str, limits: Limits) -> list[Day]:
    """The days of a feed, from their beginning, so that it changes with the days alone."""
    first = whole_day(day_of(now - limits.feed_past_s * SECOND, zone), zone)
    last = whole_day(day_of(now + limits.feed_future_s * SECOND, zone), zone)
    return list(days_between(first.start, last.end, zone))


def feed_events(
    found: Agenda, agents: Mapping[str, str], url: str, now: Instant, most: int
) -> list[FeedEvent]:
    """The agenda's events, at most so many: those nearest to now, in order of time.

    `agents` has the names of the agents, `url` is where people reach Nod.
    """
    events = [_of_entry(each, agents[each.agent_id], url) for each in found.entries]
    events += [_of_band(each, agents[each.agent_id], url) for each in found.bands]
    nearest = sorted(events, key=lambda each: (abs(each.start - now), each.uid))[:most]
    return sorted(nearest, key=lambda each: (each.start, each.uid))


def feed_tag(events: Iterable[FeedEvent]) -> str:
    """A text that is another one when any of the events is."""
    digest = hashlib.sha256(__version__.encode())
    for each in events:
        digest.update(repr(each).encode())
    return digest.hexdigest()[:32]


def write_feed(events: Iterable[FeedEvent]) -> bytes:
    """The events as a calendar file."""
    calendar = Calendar()
    calendar.add("prodid", "-//Nod//Agenda//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("name", _NAME)
    calendar.add("x-wr-calname", _NAME)
    calendar.add("refresh-interval", _LOOK_AGAIN, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    for each in events:
        calendar.add_component(_component(each))
    return bytes(calendar.to_ical())


def _component(each: FeedEvent) -> Event:
    event = Event()
    event.add("uid", each.uid)
    event.add("dtstamp", _second(each.changed_at))
    event.add("last-modified", _second(each.changed_at))
    event.add("dtstart", _second(each.start))
    if each.end is not None and each.end // SECOND > each.start // SECOND:
        event.add("dtend", _second(each.end))
    event.add("summary", each.summary.translate(_CONTROLS))
    event.add("description", each.description.translate(_CONTROLS))
    event.add("url", each.url)
    event.add("transp", "TRANSPARENT")  # nobody is busy because an agent is
    return event


def _second(at: Instant) -> datetime:
    return to_datetime(at // SECOND * SECOND)


def _of_entry(entry: Entry, agent: str, url: str) -> FeedEvent:
    word = "" if entry.state == "due" else f": {STATE_WORDS[entry.state]}"
    path = f"/tasks/{entry.task_id}" if entry.run_id is None else f"/runs/{entry.run_id}"
    return FeedEvent(
        uid=f"{entry.key}@nod",
        changed_at=entry.changed_at,
        start=entry.at,
        end=None if entry.state in _GOING else entry.end,
        summary=f"{_SIGNS.get(entry.state, '')}{entry.task_name}{word}",
        description=f"{agent}: {entry.words}",
        url=url + path,
    )


def _of_band(band: Band, agent: str, url: str) -> FeedEvent:
    return FeedEvent(
        uid=f"{band.task_id}-{band.day.date:%Y%m%d}@nod",
        changed_at=band.day.start,
        start=band.start,
        end=band.end,
        summary=f"{band.task_name}: {band.total:,} times",
        description=f"{agent}: {tally_words(band.counts)}",
        url=f"{url}/tasks/{band.task_id}",
    )
