"""The days that an agenda is cut into, by the clock of a person's zone. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from nod.domain.instant import HOUR, MINUTE, SECOND, Instant
from nod.domain.zones import changes, local, read, start_of_day

_ONE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """A day, or the part of it that was asked for: from `start` up to `end`, which is not in it."""

    date: date
    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class Tick:
    """A full hour on the clock. On a day that has an hour twice there are two of it."""

    at: Instant
    hour: int


def day_of(at: Instant, zone: str) -> date:
    """The day to which the instant belongs."""
    found = local(at, zone).date()
    return found if start_of_day(found, zone) <= at else found - _ONE


def whole_day(day: date, zone: str) -> Day:
    """All of a day."""
    return Day(day, start_of_day(day, zone), start_of_day(day + _ONE, zone))


def days_between(since: Instant, until: Instant, zone: str) -> Iterator[Day]:
    """The span cut at each beginning of a day: every instant of it is in exactly one part."""
    day = day_of(since, zone)
    while since < until:
        end = min(start_of_day(day + _ONE, zone), until)
        if since < end:
            yield Day(day, since, end)
            since = end
        day += _ONE


def ticks(day: Day, zone: str) -> Iterator[Tick]:
    """The full hours that the clock shows on the day, in order."""
    found = (
        Tick(at, hour)
        for hour in range(24)
        for at in _shown(datetime.combine(day.date, time(hour)), zone)
        if day.start <= at < day.end
    )
    yield from sorted(found, key=lambda each: each.at)


def _shown(wall: datetime, zone: str) -> tuple[Instant, ...]:
    """When the clock shows the time; never where it is put forward over it."""
    reading = read(wall, zone)
    return () if reading.shift > 0 else reading.instants


def clock_note(day: Day, zone: str) -> str | None:
    """What a person should know of a day on which the clock is changed; None on all others."""
    whole = whole_day(day.date, zone)
    change = next(changes(zone, whole.start - SECOND, whole.end - SECOND), None)
    if change is None:
        return None
    way = "forward" if change.after > change.before else "back"
    hours, rest = divmod(whole.end - whole.start, HOUR)
    length = f"{hours} h {rest // MINUTE} min" if rest else f"{hours} hours"
    return (
        f"The clock goes {way} from {change.before:%H:%M} to {change.after:%H:%M}:"
        f" this day has {length}."
    )
