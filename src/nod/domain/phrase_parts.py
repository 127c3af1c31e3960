"""The clauses of a phrase, in any order: each is read once and leaves its part of the meaning."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cronsim import CronSim

from nod.domain.errors import InvalidInput
from nod.domain.phrase_times import (
    PARTS,
    Clock,
    Delay,
    read_clocks,
    read_delay,
    read_window,
)
from nod.domain.phrase_tokens import DAY_PLURALS, DAYS, MONTH_NAMES, NUMBERS, PLACES, Reader

LAST, LAST_WEEKDAY = CronSim.LAST, CronSim.LAST_WEEKDAY
_ENDINGS = ("st", "nd", "rd", "th")
_INTERVALS = ("minute", "hour", "day", "week", "month", "quarter", "year")
_ADVERBS = {
    "hourly": (1, "hour"), "daily": (1, "day"), "nightly": (1, "day"), "weekly": (1, "week"),
    "biweekly": (2, "week"), "monthly": (1, "month"), "quarterly": (3, "month"),
    "yearly": (1, "year"),
}  # fmt: skip
_SETS = {
    "weekday": {1, 2, 3, 4, 5}, "weekdays": {1, 2, 3, 4, 5}, "weekend": {6, 0}, "weekends": {6, 0},
}  # fmt: skip
_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_FILLER = ("on", "the", "and", ",", ".", "run", "please", "once", "in", "of", "or")
_MOST = 9999


@dataclass(slots=True)
class Parts:
    """What the clauses say, before it is known what they mean together.

    `recurring`: a word such as "every" says that it comes again. `dates` are (year or None, month,
    day). `ahead` counts days from today. `often` is (times, unit): "twice a day".
    """

    recurring: bool = False
    every: tuple[int, str] | None = None
    often: tuple[int, str] | None = None
    clocks: list[Clock] = field(default_factory=list)
    part_of_day: str = ""
    minute: int | None = None
    window: tuple[int, int | None] | None = None
    weekdays: set[int] = field(default_factory=set)
    without: set[int] = field(default_factory=set)
    next_week: bool = False
    places: set[int] = field(default_factory=set)
    days: set[int] = field(default_factory=set)
    months: set[int] = field(default_factory=set)
    dates: list[tuple[int | None, int, int]] = field(default_factory=list)
    ahead: int | None = None
    delay: Delay | None = None


def read_parts(reader: Reader) -> Parts | None:
    """All clauses; None when there is a word that no clause knows."""
    parts = Parts()
    while not reader.done:
        if not any(clause(reader, parts) for clause in _CLAUSES) and not reader.any_of(*_FILLER):
            return None
    return parts


def _or_back(reader: Reader, clause: Callable[[], bool]) -> bool:
    """Read the clause, or go back to where it began."""
    start = reader.place
    if clause():
        return True
    reader.place = start
    return False


def _delay(reader: Reader, parts: Parts) -> bool:
    found = None if parts.delay else read_delay(reader)
    parts.delay = found or parts.delay
    return found is not None


def _date(reader: Reader, parts: Parts) -> bool:
    found = _iso_date(reader) or _dotted_date(reader) or _named_date(reader)
    if found is not None:
        parts.dates.append(found)
    return found is not None


def _iso_date(reader: Reader) -> tuple[int | None, int, int] | None:
    """`2026-12-01`, and the T before its time."""
    if reader.peek(1) != "-" or reader.peek(3) != "-" or len(reader.peek()) != 4:
        return None
    found = _numbers(reader, 0, 2, 4)
    if found is not None:
        reader.any_of("t")
    return found


def _dotted_date(reader: Reader) -> tuple[int | None, int, int] | None:
    """`24.12.2026`."""
    if reader.peek(1) != "." or reader.peek(3) != "." or len(reader.peek(4)) != 4:
        return None
    return _numbers(reader, 4, 2, 0)


def _numbers(reader: Reader, year: int, month: int, day: int) -> tuple[int, int, int] | None:
    texts = [reader.peek(place) for place in (year, month, day)]
    if not all(text.isdecimal() and len(text) <= 4 for text in texts):
        return None
    reader.place += 5
    return int(texts[0]), int(texts[1]), int(texts[2])


def _named_date(reader: Reader) -> tuple[int | None, int, int] | None:
    """`24 december`, `the 24th of december 2026`, `dec 24th, 2026`."""
    start = reader.place
    reader.take("the")
    month = reader.pick(MONTH_NAMES)
    if month is not None:
        reader.take("the")
    day = reader.number(1, 31)
    if day is not None:
        reader.any_of(*_ENDINGS)
        if month is None:
            reader.take("of")
            month = reader.pick(MONTH_NAMES)
    if month is None or day is None or (not reader.done and reader.peek() in (":", "am", "pm")):
        reader.place = start
        return None
    if reader.peek() == "," and len(reader.peek(1)) == 4:
        reader.take(",")
    year = reader.number(1000, 9999) if len(reader.peek()) == 4 else None
    return year, month, day


def _dates(reader: Reader, parts: Parts) -> bool:
    """`24 and 26 december`."""

    def read() -> bool:
        days: set[int] = set()
        day = reader.number(1, 31)
        while day is not None:
            days.add(day)
            reader.listed()
            day = reader.number(1, 31)
        month = reader.pick(MONTH_NAMES)
        if month is None:
            return False
        parts.dates += [(None, month, each) for each in sorted(days)]
        return True

    return len(reader.peek()) < 3 and _or_back(reader, read)


def _every(reader: Reader, parts: Parts) -> bool:
    """`every`, with a count and a unit if they follow."""
    if not reader.take("every"):
        return False
    parts.recurring = True
    if reader.peek() in PARTS or reader.peek() in ("noon", "midnight"):
        parts.every = (1, "day")
    else:
        _interval(reader, parts)
    return True


def _interval(reader: Reader, parts: Parts) -> None:
    start = reader.place
    if reader.take("half", "hour") or reader.take("half", "an", "hour"):
        parts.every = (30, "minute")
        return
    if reader.take("quarter", "of", "an", "hour"):
        parts.every = (15, "minute")
        return
    other = reader.take("other")
    count = 2 if other else reader.number(1, _MOST)
    if count is not None and not other and reader.any_of(*_ENDINGS):
        other = True
    if count is None:
        count = reader.pick(PLACES)
        other = count is not None
    if reader.any_of("sec"):
        raise InvalidInput(
            'A schedule counts in minutes; the shortest is "every minute". Others are'
            ' "every 5 minutes" and "every hour".'
        )
    unit = reader.any_of(*_INTERVALS)
    if not unit or (unit == "day" and other and reader.peek() in ("of", "in")):
        reader.place = start
        return
    parts.every = (count or 1, unit) if unit != "quarter" else (3 * (count or 1), "month")


def _adverb(reader: Reader, parts: Parts) -> bool:
    found = _ADVERBS.get(reader.peek())
    if found is not None:
        parts.part_of_day = "night" if reader.take("nightly") else parts.part_of_day
        reader.any_of(*_ADVERBS)
        parts.recurring, parts.every = True, found
    return found is not None


def _often(reader: Reader, parts: Parts) -> bool:
    """`twice a day`, `3 times a week`."""

    def read() -> bool:
        count = reader.pick(_TIMES)
        if count is None:
            count = reader.number(1, 60)
            if count is None or not reader.take("times"):
                return False
        unit = reader.any_of(*_INTERVALS) if reader.any_of("a", "an", "per", "every") else ""
        if unit:
            parts.recurring, parts.often = True, (count, unit)
        return bool(unit)

    return _or_back(reader, read)


def _ahead(reader: Reader, parts: Parts) -> bool:
    """`tomorrow`, `tonight`, `this evening`."""
    if reader.take("day", "after", "tomorrow"):
        parts.ahead = 2
    elif reader.take("tomorrow"):
        parts.ahead = 1
    elif reader.take("tonight"):
        parts.ahead, parts.part_of_day = 0, "night"
    elif reader.take("today") or (
        reader.peek() == "this" and reader.peek(1) in PARTS and reader.take("this")
    ):
        parts.ahead = 0
    else:
        return False
    return True


def _plain_hour(reader: Reader, parts: Parts) -> bool:
    """The 9 at the end of "tomorrow 9", where it can be nothing but the hour."""
    a_day = parts.weekdays or parts.ahead is not None or parts.every == (1, "day")
    if not a_day or parts.clocks or reader.place + 1 != len(reader.tokens):
        return False
    hour = reader.number(0, 23)
    if hour is not None:
        parts.clocks.append(Clock(60 * hour, bare=1 <= hour <= 12))
    return hour is not None


def _part_of_day(reader: Reader, parts: Parts) -> bool:
    """`in the morning`, `evening`, `at night`."""

    def read() -> bool:
        reader.any_of("in", "at")
        reader.take("the")
        found = reader.any_of(*PARTS)
        parts.part_of_day = found or parts.part_of_day
        return bool(found)

    return _or_back(reader, read)


def _minute(reader: Reader, parts: Parts) -> bool:
    """`at minute 15`, `at :15`."""

    def read() -> bool:
        named = reader.take("at", "minute") or reader.take("at", ":")
        found = reader.number(0, 59) if named else None
        parts.minute = found if found is not None else parts.minute
        return found is not None

    return _or_back(reader, read)


def _window(reader: Reader, parts: Parts) -> bool:
    found = read_window(reader)
    parts.window = found or parts.window
    return found is not None


def _clocks(reader: Reader, parts: Parts) -> bool:
    found = read_clocks(reader)
    parts.clocks += found
    return bool(found)


def _placed(reader: Reader, parts: Parts) -> bool:
    """`first and third monday`, `2nd of the month`, `1st and 15th`, `last weekday`."""
    every = reader.place > 0 and reader.peek(-1) == "every"

    def read() -> bool:
        places = _places(reader)
        return bool(places) and _what_has_place(reader, parts, places, every=every)

    return _or_back(reader, read)


def _places(reader: Reader) -> set[int]:
    found: set[int] = set()
    while True:
        start = reader.place
        if found:
            reader.listed()
        reader.take("on")
        reader.take("the")
        place = _place(reader)
        if place is None:
            reader.place = start
            return found
        found.add(place)


def _place(reader: Reader) -> int | None:
    if reader.take("last"):
        return LAST
    named = reader.pick(PLACES)
    if named is not None:
        return named
    start = reader.place
    number = None if reader.peek() in NUMBERS else reader.number(1, 31)
    if number is None or not reader.any_of(*_ENDINGS):
        reader.place = start
        return None
    return number


def _what_has_place(reader: Reader, parts: Parts, places: set[int], *, every: bool) -> bool:
    named: set[int] = set()
    if reader.any_of("weekday"):
        if places != {LAST}:
            raise InvalidInput(
                "Of the working days a schedule can name the last of a month only; try"
                ' "last weekday of the month at 9" or "first monday of the month at 9".'
            )
        places = {LAST_WEEKDAY}
    elif not reader.take("day"):
        named = set() if reader.peek() in _SETS else _day_names(reader)
    of_month = _of_month(reader)
    if not named:
        parts.days |= places
        parts.recurring |= of_month or every or len(places) > 1 or LAST_WEEKDAY in places
        return True
    if any(place not in (1, 2, 3, 4, 5, LAST) for place in places):
        return False
    if every and not of_month and places - {1, LAST}:
        raise InvalidInput(
            '"Every second" of a weekday can be of the month or every other week, and a schedule'
            ' cannot count weeks; try "second tuesday of the month at 9" or "every tuesday at 9".'
        )
    parts.places |= places
    parts.weekdays |= named
    parts.recurring = True
    return True


def _of_month(reader: Reader) -> bool:
    """`of the month`, `in every month`; months by name are a clause of their own."""

    def read() -> bool:
        if reader.any_of("of", "in") and reader.peek() in MONTH_NAMES:
            reader.place -= 1
            return True
        reader.any_of("the", "every", "a")
        return reader.take("month")

    return _or_back(reader, read)


def _weekdays(reader: Reader, parts: Parts) -> bool:
    """`mondays and thursdays`, `mon-fri`, `next tuesday`, `weekends`, `except sunday`."""

    def read() -> bool:
        without = bool(reader.any_of("except")) or reader.take("but", "not")
        reader.take("on")
        if not without:
            parts.next_week |= reader.take("next") or reader.take("coming")
            reader.take("this")
        start = reader.place
        named = _day_names(reader)
        if without:
            parts.without |= named
        else:
            parts.weekdays |= named
            single = len(named) == 1 and reader.tokens[start] in DAYS
            parts.recurring |= bool(named) and not single
        return bool(named)

    return _or_back(reader, read)


def _day_names(reader: Reader) -> set[int]:
    found: set[int] = set()
    while True:
        start = reader.place
        if found:
            reader.listed()
            reader.any_of("on", "every")
        more = _day_range(reader)
        if not more:
            reader.place = start
            return found
        found |= more


def _day_range(reader: Reader) -> set[int]:
    group = _SETS.get(reader.peek())
    if group is not None:
        reader.place += 1
        return set(group)
    first = reader.pick(DAYS)
    if first is None:
        first = reader.pick(DAY_PLURALS)
        return set() if first is None else {first}
    if reader.peek() in ("-", "to") and reader.peek(1) in DAYS:
        reader.place += 1
        last = reader.pick(DAYS)
        return {(first + step) % 7 for step in range(((last or 0) - first) % 7 + 1)}
    return {first}


def _months(reader: Reader, parts: Parts) -> bool:
    """`in december`, `of january, april and july`, `every december`."""
    found = False
    while True:
        start = reader.place
        if found:
            reader.listed()
        reader.any_of("in", "of")
        month = reader.pick(MONTH_NAMES)
        if month is None:
            reader.place = start
            return found
        parts.months.add(month)
        found = True


_CLAUSES: tuple[Callable[[Reader, Parts], bool], ...] = (
    _delay, _date, _dates, _often, _every, _adverb, _ahead, _minute, _window, _clocks, _part_of_day,
    _placed, _weekdays, _months, _plain_hour,
)  # fmt: skip
