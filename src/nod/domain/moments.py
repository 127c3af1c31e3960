"""Times, durations and counts as a person reads them in the app. Pure."""

from nod.domain.instant import SECOND, Instant
from nod.domain.words import duration_words
from nod.domain.zones import local

_WEEK_DAYS = 7


def time_words(at: Instant, timezone: str) -> str:
    """What a clock shows, to the second: `09:02:30`."""
    return f"{local(at, timezone):%H:%M:%S}"


def day_time_words(at: Instant, timezone: str) -> str:
    """A day and a time of day: `Mon 23 Nov 09:00`."""
    moment = local(at, timezone)
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def since_words(then: Instant, now: Instant, timezone: str) -> str:
    """When it was, seen from now: `09:00`, `yesterday`, `Friday`, `12 Nov`, `12 Nov 2025`."""
    moment, today = local(then, timezone), local(now, timezone)
    days = today.toordinal() - moment.toordinal()
    if days <= 0:
        return f"{moment:%H:%M}"
    if days == 1:
        return "yesterday"
    if days < _WEEK_DAYS:
        return f"{moment:%A}"
    year = "" if moment.year == today.year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year}"


def length_words(start: Instant, end: Instant) -> str:
    """A length of time: `4 ms`, `41 s`, `2 min 30 s`."""
    length = max(0, end - start)
    return f"{length} ms" if length < SECOND else duration_words(length / SECOND)
