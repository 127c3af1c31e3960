"""Times of the day and lengths of time, as phrases name them."""

from dataclasses import dataclass, field

from nod.domain.errors import InvalidInput
from nod.domain.instant import HOUR, MINUTE, Instant
from nod.domain.phrase_tokens import MONTH_NAMES, Reader

_HOUR = 60
NOON = 12 * _HOUR
DAY_MINUTES = 24 * _HOUR
# When a part of the day is named and no time.
PARTS = {"morning": 8 * _HOUR, "afternoon": 14 * _HOUR, "evening": 18 * _HOUR, "night": 22 * _HOUR}
# A number before one of these is no hour.
_NO_HOUR = frozenset({
    "st", "nd", "rd", "th", "-", "minute", "hour", "day", "week", "month", "year", "times", "past",
    *MONTH_NAMES,
})  # fmt: skip
_UNITS = ("minute", "hour", "day", "week", "month")
_MOST = 9999


@dataclass(frozen=True, slots=True)
class Clock:
    """A minute of the day. `bare`: an hour from 1 to 12 without am or pm, meant by 24 hours
    unless a part of the day says otherwise."""

    minute: int
    bare: bool = False


@dataclass(slots=True)
class Delay:
    """A length of time from now: by the calendar, and by the clock."""

    months: int = 0
    days: int = 0
    time: Instant = field(default=0)


def read_clocks(reader: Reader) -> list[Clock]:
    """`at 9 and 17:30`, `9am`, `noon`: a list of times; without "at" the first tells itself."""
    start = reader.place
    at = reader.take("at")
    first = _clock(reader, plain=at)
    if first is None:
        reader.place = start
        return []
    found, end = [first], reader.place
    while reader.listed():
        again = reader.take("at")
        more = _clock(reader, plain=at or again)
        if more is None:
            break
        found.append(more)
        end = reader.place
    reader.place = end
    return found


def read_window(reader: Reader) -> tuple[int, int | None] | None:
    """`between 9 and 17`, `from 9am to 5pm`, `from 08:30`: the first and the last time."""
    start = reader.place
    opening = reader.any_of("between", "from")
    first = _clock(reader, plain=True) if opening else None
    if first is None:
        reader.place = start
        return None
    after = reader.place
    closing = reader.any_of("and") if opening == "between" else reader.any_of("to", "-")
    last = _clock(reader, plain=True) if closing else None
    if last is None:
        reader.place = after
        return (first.minute, None) if opening == "from" else None
    if last.minute <= first.minute < last.minute + NOON and last.bare:
        return first.minute, last.minute + NOON
    return first.minute, last.minute


def _clock(reader: Reader, *, plain: bool) -> Clock | None:
    """One time; a plain number only where it can be nothing else."""
    named = {"noon": NOON, "midnight": 0}
    minute = reader.pick(named)
    if minute is not None:
        return Clock(minute)
    start = reader.place
    found = _spoken(reader) or _digits(reader, plain=plain)
    if found is None:
        reader.place = start
    return found


def _spoken(reader: Reader) -> Clock | None:
    """`half past 9`, `quarter to ten`."""
    for words, minutes in (
        (("half", "past"), 30),
        (("quarter", "past"), 15),
        (("quarter", "to"), -15),
    ):
        if reader.take(*words):
            hour = _digits(reader, plain=True)
            return hour and Clock((hour.minute + minutes) % DAY_MINUTES, hour.bare)
    return None


def _digits(reader: Reader, *, plain: bool) -> Clock | None:
    hour = reader.number(0, 23)
    if hour is None:
        return None
    minute, told = _minute(reader), False
    half = reader.any_of("am", "pm")
    if half and 1 <= hour <= 12:
        return Clock(hour % 12 * _HOUR + (minute or 0) + (NOON if half == "pm" else 0))
    told = minute is not None
    if half or not (told or plain) or (not told and reader.peek() in _NO_HOUR):
        return None
    return Clock(hour * _HOUR + (minute or 0), bare=1 <= hour <= 12)


def _minute(reader: Reader) -> int | None:
    """The `:30` of a time, also written `.30`; two digits."""
    if (
        reader.peek() not in (":", ".")
        or len(reader.peek(1)) != 2
        or not reader.peek(1).isdecimal()
    ):
        return None
    start = reader.place
    reader.place += 1
    minute = reader.number(0, 59)
    if minute is None:
        reader.place = start
    else:
        reader.take(":", "00")
    return minute


def read_delay(reader: Reader) -> Delay | None:
    """`in 20 minutes`, `in 1 hour and 30 minutes`, `2 days from now`."""
    start = reader.place
    opened = reader.take("in")
    delay = _lengths(reader)
    if delay is None or not (opened or reader.take("from", "now")):
        reader.place = start
        return None
    return delay


def _lengths(reader: Reader) -> Delay | None:
    found: Delay | None = None
    while True:
        start = reader.place
        if found is not None:
            reader.listed()
        delay = found or Delay()
        if not _length(reader, delay):
            reader.place = start
            return found
        found = delay


def _length(reader: Reader, delay: Delay) -> bool:
    """Add one length of time; False when none comes."""
    if reader.take("half", "an", "hour") or reader.take("half", "a", "hour"):
        delay.time += 30 * MINUTE
        return True
    count = 1 if reader.any_of("a", "an") else reader.number(0, _MOST)
    unit = reader.any_of(*_UNITS)
    if count is None or not unit:
        return False
    match unit:
        case "minute":
            delay.time += count * MINUTE
        case "hour":
            delay.time += count * HOUR
        case "month":
            delay.months += count
        case _:
            delay.days += count * (7 if unit == "week" else 1)
    return True


def by_part_of_day(clocks: list[Clock], part: str) -> list[int]:
    """The minutes of the day that the times mean: "at 7 in the evening" is 19:00."""
    if not clocks:
        return [PARTS[part]] if part else []
    return [_in_part(clock, part) for clock in clocks]


def _in_part(clock: Clock, part: str) -> int:
    hour = clock.minute // _HOUR
    if not clock.bare or part in ("", "morning"):
        return clock.minute
    if part == "night":
        if hour == 12:
            return clock.minute - NOON
        return clock.minute + NOON if hour >= 6 else clock.minute
    return clock.minute if hour == 12 else clock.minute + NOON


def minutes_and_hours(minutes: list[int]) -> tuple[set[int], set[int]]:
    """The times as cron's minutes and hours. Raises InvalidInput where cron cannot say them."""
    found = set(minutes)
    of_hour, hours = {each % _HOUR for each in found}, {each // _HOUR for each in found}
    if len(of_hour) * len(hours) != len(found):
        shown = " and ".join(f"{each // 60:02}:{each % 60:02}" for each in sorted(found)[:2])
        raise InvalidInput(
            f"One schedule cannot fire at {shown}, as their minutes differ; use the same minute,"
            ' as in "every day at 9:30 and 17:30", or make two tasks.'
        )
    return of_hour, hours
