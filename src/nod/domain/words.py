"""Schedules and durations in words, and what a person should know about a schedule."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from cronsim.explain import explain

from nod.domain.cron import Rule, rule
from nod.domain.day_words import day_words, joined
from nod.domain.errors import InvalidInput
from nod.domain.instant import DAY, HOUR, Instant, to_datetime
from nod.domain.zones import Change, changes, local

_MOST_TIMES = 4
_MOST_CLOCK_NOTES = 2
_YEAR = 366 * DAY
_DAY = 1440  # minutes


def duration_words(seconds: float, most: int = 2) -> str:
    """A duration by its largest units, two of them: `3 h 12 min`, `45 s`, `2 d 1 h`."""
    left = int(seconds)
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    largest = next((i for i, (_, size) in enumerate(units) if left >= size), len(units) - 1)
    parts: list[str] = []
    for unit, size in units[largest : largest + most]:
        count, left = divmod(left, size)
        if count or not parts:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def clock_words(at: Instant, timezone: str) -> str:
    """What a clock in the zone shows at the instant, in 24 hours: `09:15`.

    For a zone that the zone data no longer has it says the time in UTC: `08:15 UTC`.
    """
    try:
        return f"{local(at, timezone):%H:%M}"
    except InvalidInput:
        return f"{to_datetime(at):%H:%M} UTC"


def describe(cron: str) -> str:
    """The cron expression as a sentence: `Every weekday at 09:00`. Times have 24 hours.

    Common expressions get words of our own; cronsim, which also reads them, explains the rest.
    Raises InvalidInput for an expression that cannot be used.
    """
    read = rule(cron)
    times, interval, days = _times(read), _interval(read), day_words(read)
    if interval and days:
        sentence = f"{interval} {days.after}".strip()
    elif times and days:
        sentence = f"{days.before} at {times}"
    else:
        sentence = explain(" ".join(read.fields)).replace("day of month", "day of the month")
        sentence = sentence.replace("if it's on", "if it is")
        if read.either:
            sentence = sentence.replace(" and on ", " or on ")
    return sentence[0].upper() + sentence[1:]


def _times(read: Rule) -> str | None:
    """The times of the day, when they are few."""
    if len(read.minutes) > _MOST_TIMES:
        return None
    return joined([_clock(minute) for minute in read.minutes])


def _interval(read: Rule) -> str | None:
    """The interval of a rule that goes through the day, or a part of it, in equal steps."""
    gaps = {after - before for before, after in pairwise(read.minutes)}
    if len(gaps) != 1:
        return None
    gap, start, end = gaps.pop(), read.minutes[0], read.minutes[-1]
    hours = gap % 60 == 0
    count, unit = (gap // 60, "hour") if hours else (gap, "minute")
    every = f"every {unit}" if count == 1 else f"every {count} {unit}s"
    if read.fixed or end + gap - start != _DAY:
        few = len(read.minutes) <= _MOST_TIMES
        return None if few else f"{every} from {_clock(start)} to {_clock(end)}"
    if start == 0:
        return every
    if not hours:
        return f"{every} from minute {start} of the hour"
    return f"{every} at minute {start}" if count == 1 else f"{every} from {_clock(start)}"


def _clock(minute: int) -> str:
    """A minute of the day as a time of 24 hours: `09:05`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def notes(cron: str, timezone: str, fires: Sequence[Instant]) -> tuple[str, ...]:
    """What a person should know about the rule in its zone, one sentence each.

    When both day fields are restricted, which days count; and the next changes of the clock (at
    most two) that move, drop or double a fire, until the last of `fires` or within a year of the
    first. Raises InvalidInput for an expression or a zone that cannot be used.
    """
    read = rule(cron)
    return (*_day_notes(read), *_clock_notes(read, timezone, fires))


def _day_notes(read: Rule) -> Iterator[str]:
    _, _, day, _, weekday = read.fields
    if read.either:
        yield "Fires when either the day of the month or the weekday matches."
    elif day != "*" and weekday != "*":
        yield (
            "Fires only when both the day of the month and the weekday match,"
            " because one of them starts with a star."
        )


def _clock_notes(read: Rule, timezone: str, fires: Sequence[Instant]) -> list[str]:
    found: list[str] = []
    if fires:
        until = max(fires[-1], fires[0] + _YEAR)
        for change in changes(timezone, fires[0] - 1, until):
            found += filter(None, [_clock_note(read, timezone, change)])
            if len(found) == _MOST_CLOCK_NOTES:
                break
    return found


def _clock_note(read: Rule, timezone: str, change: Change) -> str | None:
    """What the change of the clock does to the rule; None when it does nothing."""
    shift = (change.after - change.before) // timedelta(milliseconds=1)
    hourly = len({minute // 60 for minute in read.minutes}) == 24 and not read.fixed
    times = _affected(read, change)
    if not times or (hourly and shift % HOUR == 0):
        return None
    first, last = sorted((change.before, change.after))
    verb = "skips" if shift > 0 else "repeats"
    effect = _effect(shift, len(times), bridged=read.bridges(shift), after=change.after)
    return (
        f"On {first:%Y-%m-%d} the clock {verb} {first:%H:%M} to {last:%H:%M} in {timezone};"
        f" {_fires(times)} {effect}."
    )


def _fires(times: list[str]) -> str:
    if len(times) > _MOST_TIMES:
        return f"the {len(times)} fires from {times[0]} to {times[-1]}"
    return f"the {joined(times)} fire{'s' if len(times) > 1 else ''}"


def _effect(shift: int, count: int, *, bridged: bool, after: datetime) -> str:
    happen = "happens" if count == 1 else "happen"
    if shift < 0:
        return f"{happen} once" if bridged else f"{happen} twice"
    if not bridged:
        return "does not happen" if count == 1 else "do not happen"
    together = "" if count == 1 else "together, once, "
    return f"{happen} {together}at {after:%H:%M}"


def _affected(read: Rule, change: Change) -> list[str]:
    """The rule's local times that the change skips or repeats, as times of the day."""
    first, last = sorted((change.before, change.after))
    return [
        _clock(minute)
        for day in range(first.toordinal(), last.toordinal() + 1)
        if read.next_day(day, day)
        for minute in read.minutes
        if first <= datetime.fromordinal(day) + timedelta(minutes=minute) < last
    ]
