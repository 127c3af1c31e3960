"""Time zones: which names exist, and when a wall clock there shows a given local time.

A wall clock skips times (daylight saving begins) and repeats times (it ends). Python tells the
two by `fold` (PEP 495): in a repeated time fold 0 is the first and fold 1 the second; in a skipped
time fold 0 counts with the offset before the change and fold 1 with the offset after it.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from nod.domain.errors import InvalidInput
from nod.domain.instant import DAY, SECOND, Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# Entries of the zone directory that name no place: the host's own zone is never a task's zone.
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory"})


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Every IANA name, by its lower-case form."""
    return {name.lower(): name for name in available_timezones() - _NO_PLACES}


def timezones() -> list[str]:
    """Every IANA name that `check_timezone` takes, in order."""
    return sorted(_names().values())


def check_timezone(name: str) -> str:
    """The IANA name, if there is such a zone. Raises InvalidInput with near matches."""
    known = _names()
    if known.get(name.lower()) == name:
        return name
    key = name.lower()[:64]
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.75)
    near += [low for low in known if low.rpartition("/")[2] == key.replace(" ", "_")]
    places = ", ".join(dict.fromkeys(known[low] for low in near)) or "Europe/Berlin or UTC"
    raise InvalidInput(
        f"{name[:64]!r} is not an IANA time zone, exactly spelled; try {places}.", field="timezone"
    )


def known_timezone(name: str) -> str:
    """The name, or UTC for a zone that the zone data no longer has."""
    try:
        return check_timezone(name)
    except InvalidInput:
        return "UTC"


@lru_cache(maxsize=1024)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(check_timezone(timezone))


def local(at: Instant, timezone: str) -> datetime:
    """The aware datetime that a wall clock in the zone shows at the instant."""
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(_zone(timezone))


def offset(at: Instant, timezone: str) -> int:
    """The zone's distance from UTC at the instant, in milliseconds; east is positive."""
    return _milliseconds(local(at, timezone).utcoffset())


def _milliseconds(delta: timedelta | None) -> int:
    return 0 if delta is None else delta // _MILLISECOND


def _by_fold(wall: datetime, timezone: str) -> tuple[Instant, Instant]:
    """The naive local time as an instant, by fold 0 and by fold 1."""
    zone = _zone(timezone)
    as_if_utc = (wall.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
    first = wall.replace(tzinfo=zone, fold=0).utcoffset()
    second = wall.replace(tzinfo=zone, fold=1).utcoffset()
    return as_if_utc - _milliseconds(first), as_if_utc - _milliseconds(second)


@dataclass(frozen=True, slots=True)
class Reading:
    """When a wall clock shows some local time.

    `instants`: once as a rule, twice for a repeated time; for a skipped time the instant right
    after the change. `shift` is 0, or by how many milliseconds the clock is put forward
    (positive, skipped) or back (negative, repeated) there.
    """

    instants: tuple[Instant, ...]
    shift: int


def read(wall: datetime, timezone: str) -> Reading:
    """When the clock of the zone shows the naive local time `wall`."""
    first, second = _by_fold(wall, timezone)
    if first == second:
        return Reading((first,), 0)
    if first < second:
        return Reading((first, second), first - second)
    return Reading((_change(second, first, timezone),), first - second)


def _change(before: Instant, after: Instant, timezone: str) -> Instant:
    """The first whole second in (before, after] at which the offset is no longer that of before."""
    old = offset(before, timezone)
    low, high = before // SECOND, after // SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if offset(middle * SECOND, timezone) == old:
            low = middle
        else:
            high = middle
    return high * SECOND


@lru_cache(maxsize=16_384)
def midnight(ordinal: int, timezone: str) -> tuple[Instant, Instant]:
    """Bounds around the start of a local date (a proleptic Gregorian ordinal).

    No local time of this or a later date is shown before the first bound, none of an earlier date
    after the second. On all but a few days both are the same instant.
    """
    first, second = _by_fold(datetime.combine(date.fromordinal(ordinal), time()), timezone)
    return min(first, second), max(first, second)


def start_of_day(day: date, timezone: str) -> Instant:
    """When the day begins there: from then on no earlier date is shown.

    Each day ends where the next one begins. It has 23, 24 or 25 hours, rarely another length, and
    none where the date was left out (Apia, 2011-12-30).
    """
    instants = read(datetime.combine(day, time()), timezone).instants
    # Of two midnights the first one counts, unless the clock was put back over it.
    goes_back = local(instants[-1] - 1, timezone).date() < day
    return instants[-1] if goes_back else instants[0]


@dataclass(frozen=True, slots=True)
class Change:
    """A zone's clock is put from the local time `before` to the local time `after`."""

    before: datetime
    after: datetime


def changes(timezone: str, since: Instant, until: Instant) -> Iterator[Change]:
    """The changes of the zone's offset in (since, until], ascending.

    Looks at the offset once a week, so two changes within a week that undo each other are not
    seen: good for telling a person, while fires are computed without this.
    """
    week = 7 * DAY
    for start in range(since, until, week):
        stop = min(start + week, until)
        if offset(start, timezone) != offset(stop, timezone):
            yield _described(_change(start, stop, timezone), timezone)


def _described(at: Instant, timezone: str) -> Change:
    after = local(at, timezone).replace(tzinfo=None)
    jump = offset(at, timezone) - offset(at - SECOND, timezone)
    return Change(after - timedelta(milliseconds=jump), after)
