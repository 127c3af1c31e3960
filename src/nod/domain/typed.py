"""Schedules, moments and lengths of time as a person types them, and the way back. Pure.

What `…_typed` writes reads back to exactly the same, so a form can show what is there.
"""

import re
from datetime import datetime

from nod.domain.errors import InvalidInput
from nod.domain.instant import MINUTE, SECOND, Instant
from nod.domain.phrases import When, read_when
from nod.domain.words import describe, duration_words
from nod.domain.zones import local, read

_CALLED = "when something calls"
_SIZES = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LENGTH = re.compile(
    r"(\d{1,9}(?:\.\d{1,3})?)(days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[dhms])", re.ASCII
)
_YEARS = range(1970, 2200)


def schedule_typed(schedule: str, run_at: Instant | None, timezone: str) -> str:
    """The schedule in words where they mean exactly the same, else as cron or as an exact time.

    Raises InvalidInput for a zone that does not exist.
    """
    if schedule == "event":
        return _CALLED
    if run_at is not None:
        return _moment_typed(run_at, timezone)
    words = describe(schedule)
    words = words[:1].lower() + words[1:]
    return words if _means(words, timezone, When(schedule)) else schedule


def _moment_typed(at: Instant, timezone: str) -> str:
    shown = local(at, timezone)
    words = f"{shown.day} {shown:%B %Y} at {shown:%H:%M}"
    return words if _means(words, timezone, When("once", at), at - 1) else shown.isoformat(" ")


def _means(words: str, timezone: str, what: When, now: Instant = 0) -> bool:
    try:
        return read_when(words, timezone, now) == what
    except InvalidInput:
        return False


def length_typed(seconds: int) -> str:
    """`1 h 30 min`, exact."""
    return duration_words(seconds, most=len(_SIZES))


def read_length(text: str, field: str) -> int:
    """The seconds of `90 min`, `1 h 30 min`, `1.5 hours`, `2 d`. Raises InvalidInput."""
    squeezed = "".join(text.lower().replace(",", " ").split())
    parts = _LENGTH.findall(squeezed)
    if not parts or "".join(number + unit for number, unit in parts) != squeezed:
        raise InvalidInput(
            f'takes a length of time such as "90 min" or "2 h"; got {text[:40]!r}', field=field
        )
    return round(sum(float(number) * _SIZES[unit[0]] for number, unit in parts))


def clock_typed(at: Instant, timezone: str) -> str:
    """What a clock in the zone shows, as fields for a day and a time have it: `2030-12-24T18:00`.

    No longer than it must be, as browsers shorten it. Raises InvalidInput for a zone that does not
    exist.
    """
    exact = "milliseconds" if at % SECOND else "seconds" if at % MINUTE else "minutes"
    return local(at, timezone).replace(tzinfo=None).isoformat(timespec=exact)


def read_clock(text: str, timezone: str, field: str) -> Instant:
    """When a clock in the zone shows that for the first time. Raises InvalidInput."""
    try:
        wall = datetime.fromisoformat(text)
        if wall.tzinfo is not None or wall.year not in _YEARS:
            raise ValueError(text)
    except ValueError:
        raise InvalidInput(
            f"takes a day and a time such as 2030-12-24T18:00; got {text[:40]!r}", field=field
        ) from None
    return read(wall, timezone).instants[0]
