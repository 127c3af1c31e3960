"""Schedules: from a cron expression and a zone to the instants at which a task fires.

Debian cron's rules for changes of the clock (cron(8), Notes):

- A rule with fixed times that falls into a skipped time fires right after the change, once however
  many of its times were skipped; in a repeated time it fires the first time only.
- A rule whose hour or minute field starts with a star goes by what the clock shows: nothing in a
  skipped time, and in a repeated time again, so that `*/10 * * * *` stays ten minutes apart.
- A change of more than three hours counts as a correction: the new time holds at once. A date that
  does not exist (Apia, 2011-12-30) has no fires.

cronsim follows the first two, but moves fires over a change of any size and differs between its
two directions around a change, so only its parser and its days are used (`cron.py`). Fires are made
date by date from the local times of the rule; both directions use the same function for a date,
which is why they agree.
"""

import hashlib
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import chain, islice, pairwise, takewhile
from typing import Literal

from nod.domain import words
from nod.domain.cron import Rule, check_cron, rule
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from nod.domain.zones import check_timezone, local, midnight, read

__all__ = [
    "Preview",
    "TriggerType",
    "all_fires",
    "check_cron",
    "check_timezone",
    "fires",
    "newest_fires",
    "next_fire",
    "period_s",
    "preview",
    "spread_offset_s",
    "trigger_type",
]

TriggerType = Literal["scheduled", "once", "event"]

# Fires are on local dates from 1970, where instants begin, to 2199.
_FIRST_DATE = date(1970, 1, 1).toordinal()
_LAST_DATE = date(2199, 12, 31).toordinal()
_BEGIN: Instant = -2 * DAY
_END: Instant = (_LAST_DATE - _FIRST_DATE + 3) * DAY


def trigger_type(schedule: str) -> TriggerType:
    """What starts a task with this schedule: the words `once` and `event`, or else cron."""
    match schedule:
        case "once":
            return "once"
        case "event":
            return "event"
        case _:
            return "scheduled"


def next_fire(cron: str, timezone: str, after: Instant) -> Instant | None:
    """The first fire strictly after an instant; None from the year 2200 on.

    Raises InvalidInput for an expression or a zone that cannot be used.
    """
    # Fires are whole seconds, so the rest of a second does not matter and the cache hits more.
    return _next_fire(cron, timezone, after // SECOND * SECOND)


@lru_cache(maxsize=8192)
def _next_fire(cron: str, timezone: str, after: Instant) -> Instant | None:
    return next(_ascending(rule(cron), timezone, after), None)


def fires(cron: str, timezone: str, since: Instant, until: Instant) -> Iterator[Instant]:
    """All fires in (since, until], ascending. Raises InvalidInput like `next_fire`."""
    return takewhile(lambda at: at <= until, _ascending(rule(cron), timezone, since))


def all_fires(cron: str, timezone: str, since: Instant, until: Instant) -> list[Instant]:
    """The same as `fires` as a list, a good deal faster where they are many."""
    found: list[Instant] = []
    for of_date in _by_date(rule(cron), timezone, since):
        wanted = bisect_right(of_date, until)
        found += of_date[:wanted]
        if wanted < len(of_date):
            break
    return found


def newest_fires(
    cron: str, timezone: str, since: Instant, until: Instant, limit: int
) -> tuple[list[Instant], bool]:
    """The newest `limit` fires in (since, until], ascending, and whether there are older ones.

    Walks back from `until`, so a long interval costs no more than a short one.
    """
    backward = takewhile(lambda at: at > since, _descending(rule(cron), timezone, until))
    newest = list(islice(backward, limit))
    return newest[::-1], next(backward, None) is not None


@lru_cache(maxsize=8192)
def _period_s(cron: str, timezone: str, day: Instant) -> int:
    around = [
        *islice(_descending(rule(cron), timezone, day), 4),
        *islice(_ascending(rule(cron), timezone, day), 5),
    ]
    gaps = [later - earlier for earlier, later in pairwise(sorted(around))]
    return statistics.median_low(gaps) // SECOND


def period_s(cron: str, timezone: str, at: Instant) -> int:
    """The usual gap in seconds between two fires around an instant: the median of eight gaps."""
    return _period_s(cron, timezone, at // HOUR * HOUR)


def spread_offset_s(task_id: str, spread_s: int) -> int:
    """The task's fixed offset in [0, spread_s] seconds, the same in every process and release."""
    digest = hashlib.sha256(task_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % (spread_s + 1)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a schedule means: in words, and its next fires as instants and as local times."""

    schedule: str
    timezone: str
    description: str
    next: tuple[Instant, ...]
    local: tuple[str, ...]
    notes: tuple[str, ...]


def preview(
    schedule: str, timezone: str, start: Instant, count: int, run_at: Instant | None = None
) -> Preview:
    """The first `count` fires after `start`, with a description and notes.

    `run_at` is when a `once` schedule fires. Raises InvalidInput for an expression or a zone that
    cannot be used.
    """
    check_timezone(timezone)
    upcoming: tuple[Instant, ...]
    notes: tuple[str, ...] = ()
    kind = trigger_type(schedule)
    if kind == "event":
        upcoming, description = (), "Each time its trigger address is called"
    elif kind == "once":
        upcoming = () if run_at is None or run_at <= start else (run_at,)
        description = "Once, at its run_at time" if run_at is None else _once(run_at, timezone)
    else:
        schedule = check_cron(schedule)
        upcoming = tuple(islice(_ascending(rule(schedule), timezone, start), count))
        description = words.describe(schedule)
        notes = words.notes(schedule, timezone, upcoming)
    shown = tuple(local(at, timezone).isoformat(timespec="seconds") for at in upcoming)
    return Preview(schedule, timezone, description, upcoming, shown, notes)


def _once(run_at: Instant, timezone: str) -> str:
    return f"Once, on {local(run_at, timezone):%Y-%m-%d at %H:%M} ({timezone})"


def _ascending(read_rule: Rule, timezone: str, after: Instant) -> Iterator[Instant]:
    """All fires after an instant, ascending."""
    return chain.from_iterable(_by_date(read_rule, timezone, after))


def _by_date(read_rule: Rule, timezone: str, after: Instant) -> Iterator[list[Instant]]:
    """All fires after an instant, ascending, those of a date at once.

    Around a change of the clock, fires of one date can come after fires of the next (the clock is
    put back over midnight) or together with them (it is put forward over midnight): they are held
    until no fire of a later date can come before them.
    """
    after = _within(after)
    start = local(after, timezone).toordinal()
    while midnight(start, timezone)[1] > after:
        start -= 1
    held: set[Instant] = set()
    day = read_rule.next_day(max(start, _FIRST_DATE), _LAST_DATE)
    while day is not None:
        ready = _merged(_of_date(read_rule, timezone, day), held)
        wanted = ready[bisect_right(ready, after) :]
        certain = bisect_left(wanted, midnight(day + 1, timezone)[0])
        held.update(wanted[certain:])
        yield wanted[:certain]
        day = read_rule.next_day(day + 1, _LAST_DATE)
    yield sorted(held)


def _descending(read_rule: Rule, timezone: str, until: Instant) -> Iterator[Instant]:
    """All fires up to and including an instant, descending: the mirror of `_ascending`."""
    until = _within(until)
    start = local(until, timezone).toordinal()
    while midnight(start + 1, timezone)[0] <= until:
        start += 1
    held: set[Instant] = set()
    day = read_rule.previous_day(min(start, _LAST_DATE), _FIRST_DATE)
    while day is not None:
        bound = midnight(day, timezone)[1]
        ready = _merged(_of_date(read_rule, timezone, day), held)
        for at in reversed(ready[: bisect_right(ready, until)]):
            if at > bound:
                yield at
            else:
                held.add(at)
        day = read_rule.previous_day(day - 1, _FIRST_DATE)
    yield from sorted(held, reverse=True)


def _within(at: Instant) -> Instant:
    """The instant, or the end of the supported time that lies nearer: all fires are between."""
    return min(max(at, _BEGIN), _END)


def _merged(of_date: list[Instant], held: set[Instant]) -> list[Instant]:
    """The fires of a date and those held back until now, ascending, each once. Empties `held`."""
    if not held:
        return of_date
    together = sorted(held.union(of_date))
    held.clear()
    return together


def _of_date(read_rule: Rule, timezone: str, day: int) -> list[Instant]:
    """The fires that come from the local times of one date, ascending, each once."""
    start, late_start = midnight(day, timezone)
    end, late_end = midnight(day + 1, timezone)
    if start == late_start and end == late_end and end - start == DAY:
        return [start + minute * MINUTE for minute in read_rule.minutes]
    first = datetime.combine(date.fromordinal(day), time())
    at_times = (
        _of_time(read_rule, timezone, first + timedelta(minutes=minute))
        for minute in read_rule.minutes
    )
    return sorted({at for at_time in at_times for at in at_time})


def _of_time(read_rule: Rule, timezone: str, wall: datetime) -> Sequence[Instant]:
    """The fires that come from one local time: Debian's rules, as at the head of this file."""
    reading = read(wall, timezone)
    if read_rule.bridges(reading.shift):
        return reading.instants[:1]
    return () if reading.shift > 0 else reading.instants
