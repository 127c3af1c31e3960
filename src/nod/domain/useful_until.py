"""`useful_until`: until when a fire's result is still wanted, as a duration or a time of day."""

import re
from datetime import datetime, time, timedelta

from nod.domain.errors import InvalidInput
from nod.domain.instant import SECOND, Instant
from nod.domain.zones import local, read

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DURATION = re.compile(r"(?:(\d+)D)?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", re.ASCII)
# ISO 8601: weeks alone, or days, then T and hours, minutes, seconds. Months and years have no
# fixed length.
_ISO_WEEKS = re.compile(r"P(\d+)W", re.ASCII)
_ISO_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
# A year: what is useful for longer needs no end. It also keeps the sums within the calendar.
_LONGEST_S = 366 * 86_400
_LONGEST_CHARS = 40


def parse_useful_until(text: str) -> str:
    """The normal form: a duration in its largest whole unit (`90m`), or a time of day (`09:00`).

    Reads `90s`, `30m`, `2h`, `1d`, `1h30m`, ISO 8601 durations such as `PT2H`, and times of day,
    which are in the task's zone. Raises InvalidInput.
    """
    stripped = text.strip()
    if at := _TIME_OF_DAY.fullmatch(stripped):
        return f"{int(at[1]):02}:{at[2]}"
    seconds = _seconds(stripped.upper()) if len(stripped) <= _LONGEST_CHARS else 0
    if not 0 < seconds <= _LONGEST_S:
        raise InvalidInput(
            f"{text[:_LONGEST_CHARS]!r} must be a duration of at most 366 days, such as"
            ' "30m", "2h" or "PT2H", or a time of day such as "10:00".',
            field="useful_until",
        )
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"


def _seconds(text: str) -> int:
    """The length of a duration in upper case; 0 when it is none."""
    if weeks := _ISO_WEEKS.fullmatch(text):
        return int(weeks[1]) * 7 * 86_400
    parts = _DURATION.fullmatch(text) or _ISO_DURATION.fullmatch(text)
    if parts is None:
        return 0
    return sum(
        int(count or 0) * size for count, (_, size) in zip(parts.groups(), _UNITS, strict=True)
    )


def useful_until_at(spec: str, scheduled_for: Instant, timezone: str) -> Instant:
    """When a fire of `scheduled_for` stops being useful, by a spec in its normal form.

    A duration counts from the fire. A time of day is the first such local time strictly after
    the fire; where the clock skips it, the instant right after the change.
    """
    at = _TIME_OF_DAY.fullmatch(spec)
    if at is None:
        return scheduled_for + _seconds(spec.upper()) * SECOND
    today = datetime.combine(local(scheduled_for, timezone), time())
    of_day = timedelta(hours=int(at[1]), minutes=int(at[2]))
    # The day before, because a clock put back over midnight shows its last hour once more.
    return min(
        instant
        for days in (-1, 0, 1)
        for instant in read(today + timedelta(days=days) + of_day, timezone).instants
        if instant > scheduled_for
    )
