"""Phrases that mean something that comes again, as a cron expression."""

from collections.abc import Iterable

from nod.domain.errors import InvalidInput
from nod.domain.phrase_dates import MORNING
from nod.domain.phrase_parts import LAST, LAST_WEEKDAY, Parts
from nod.domain.phrase_times import DAY_MINUTES, by_part_of_day, minutes_and_hours

_PER_DAY = {1: (540,), 2: (480, 1200), 3: (480, 840, 1200), 4: (480, 720, 960, 1200)}
_PER_WEEK = {1: {1}, 2: {1, 4}, 3: {1, 3, 5}, 5: {1, 2, 3, 4, 5}}
_PER_MONTH = {1: {1}, 2: {1, 15}}
_PER_YEAR = {1: {1}, 2: {1, 7}, 3: {1, 5, 9}, 4: {1, 4, 7, 10}}
_WEEK = set(range(7))


def rule_of(parts: Parts) -> str | None:
    """The cron expression; None where the phrase says too little.

    Raises InvalidInput for what cron cannot say.
    """
    if parts.delay is not None or parts.ahead is not None or not _says_when(parts):
        return None
    if any(year is not None for year, _, _ in parts.dates):
        raise InvalidInput('A date with its year comes once; leave "every" or the year away.')
    _by_interval(parts)
    _by_number(parts)
    _check_together(parts)
    days = _days(parts)
    times = _times(parts)
    return None if days is None or times is None else f"{times} {days}"


def _says_when(parts: Parts) -> bool:
    """Whether there is more than the word "every"."""
    days = parts.weekdays or parts.days or parts.dates
    alone = parts.recurring and (parts.clocks or parts.months)
    return bool(parts.every or parts.often or days or alone)


def _by_interval(parts: Parts) -> None:
    """Days and months that an interval of days or more stands for."""
    count, unit = parts.every or (1, "")
    if unit in ("day", "week", "year") and count > 1:
        raise InvalidInput(
            f"A schedule cannot count {unit}s from one run to the next; try"
            ' "mondays and thursdays at 9", "every monday at 9" or "on the 1st and 15th at 9".'
        )
    if unit == "week" and not parts.weekdays:
        parts.weekdays = {1}
    elif unit == "month":
        if 12 % count:
            raise InvalidInput(
                f'{count} months do not divide a year; try "every 2 months", "every 3 months" or'
                ' "every 6 months".'
            )
        if count > 1 and not parts.months:
            parts.months = set(range(1, 13, count))
        _first_of_month(parts)
    elif unit == "year" and not parts.dates:
        parts.months = parts.months or {1}
        _first_of_month(parts)


def _first_of_month(parts: Parts) -> None:
    if not parts.days and not parts.weekdays and not parts.dates:
        parts.days = {1}


def _by_number(parts: Parts) -> None:
    """`twice a day` and the like, where the phrase does not say when."""
    if parts.often is None:
        return
    count, unit = parts.often
    match unit:
        case "minute" | "hour":
            parts.every = _so_often(count, unit)
        case "week" if not parts.weekdays and count in _PER_WEEK:
            parts.weekdays = _PER_WEEK[count]
        case "month" if not parts.days and not parts.weekdays and count in _PER_MONTH:
            parts.days = _PER_MONTH[count]
        case "year" if not parts.dates and not parts.months and count in _PER_YEAR:
            parts.months = _PER_YEAR[count]
            _first_of_month(parts)
        case _ if unit == "day" and (parts.clocks or count in _PER_DAY):
            return
        case _ if _names_so_many(parts, count, unit):
            return
        case _:
            raise InvalidInput(
                f'Say at which times or days, such as "every day at 9 and 17" or'
                f' "mondays and thursdays at 10"; {count} times a {unit} can mean many.'
            )


def _so_often(count: int, unit: str) -> tuple[int, str]:
    if (unit == "minute" and count > 1) or 60 % count:
        raise InvalidInput(
            f'{count} times do not divide an hour; try "every 15 minutes" or "every 10 minutes".'
        )
    return (1, "minute") if unit == "minute" else (60 // count, "minute")


def _names_so_many(parts: Parts, count: int, unit: str) -> bool:
    """Whether the days are named as well: "twice a week on monday and friday"."""
    named = {"week": parts.weekdays, "month": parts.days or parts.places, "year": parts.dates}
    return len(named.get(unit, ())) == count


def _check_together(parts: Parts) -> None:
    if (parts.days or parts.dates) and parts.weekdays:
        raise InvalidInput(
            "A schedule cannot ask for a date and a weekday together: cron takes either of them."
            ' Try "first friday of the month at 9" or "on the 13th of the month at 9".'
        )


def _days(parts: Parts) -> str | None:
    """Day of the month, month and weekday."""
    months, days = _months_and_days(parts)
    weekdays = (parts.weekdays or (_WEEK if parts.without else set())) - parts.without
    if parts.without and not weekdays:
        raise InvalidInput("That leaves no weekday on which it could run; name those that remain.")
    if parts.without and (parts.places or parts.days or parts.dates):
        return None
    month = _listed(months) if months else "*"
    if parts.places:
        return f"* {month} {_placed(parts)}"
    if weekdays and weekdays != _WEEK:
        return f"* {month} {_listed(weekdays)}"
    return f"{_of_month(days)} {month} *"


def _months_and_days(parts: Parts) -> tuple[set[int], set[int]]:
    if not parts.dates:
        if parts.months and parts.recurring and not (parts.every or parts.weekdays or parts.often):
            _first_of_month(parts)
        return parts.months, parts.days
    pairs = {(month, day) for _, month, day in parts.dates}
    if parts.months and len(pairs) > 1:
        raise InvalidInput("Name the months with one day, or whole dates with the same day.")
    months = {month for month, _ in pairs} | parts.months
    days = {day for _, day in pairs}
    if not parts.months and len(months) * len(days) != len(pairs):
        raise InvalidInput(
            'One schedule has the same days in each month, as "every 1 january and 1 july";'
            " make two tasks for other dates."
        )
    return months, days | parts.days


def _placed(parts: Parts) -> str:
    places = sorted(parts.places, key=lambda place: (place < 0, place))
    return ",".join(
        f"{weekday}L" if place == LAST else f"{weekday}#{place}"
        for place in places
        for weekday in sorted(parts.weekdays)
    )


def _of_month(days: set[int]) -> str:
    if not days:
        return "*"
    last = {LAST: "L", LAST_WEEKDAY: "LW"}
    numbers = [each for each in days if each > 0]
    ends = [last[each] for each in sorted(days, reverse=True) if each < 0]
    return ",".join([*([_listed(numbers)] if numbers else []), *ends])


def _times(parts: Parts) -> str | None:
    """Minute and hour."""
    count, unit = parts.every or (1, "")
    if unit in ("minute", "hour"):
        return _interval(parts, count if unit == "minute" else 60 * count)
    if parts.window is not None:
        return None
    minutes = by_part_of_day(parts.clocks, parts.part_of_day)
    if not minutes and parts.often is not None and parts.often[1] == "day":
        minutes = list(_PER_DAY[parts.often[0]])
    if parts.minute is not None:
        return None
    of_hour, hours = minutes_and_hours(minutes or [MORNING])
    return f"{_listed(of_hour)} {_listed(hours)}"


def _interval(parts: Parts, gap: int) -> str | None:
    """Every so many minutes, all day or in a window."""
    if parts.clocks or parts.part_of_day or (parts.minute is not None and parts.window):
        return None
    if gap >= DAY_MINUTES or DAY_MINUTES % gap or (gap > 60 and gap % 60) or 60 % min(gap, 60):
        raise InvalidInput(
            f"{_length(gap)} do not divide the {'day' if gap > 60 else 'hour'}, so the gaps would"
            ' not be equal; try "every 30 minutes", "every 2 hours", "every 6 hours" or'
            ' "every day at 9".'
        )
    if parts.window is not None:
        return _in_window(parts.window, gap)
    minute = parts.minute or 0
    if gap < 60:
        return None if parts.minute is not None else f"{_step(gap)} *"
    return f"{minute} {_step(gap // 60)}"


def _in_window(window: tuple[int, int | None], gap: int) -> str:
    first, last = window
    if last is None:
        started = range(first % gap, DAY_MINUTES, gap)
        if gap >= 60 and first < gap and first // 60 == 0:
            return f"{first} {_step(gap // 60)}"
        return _fields(list(started), gap)
    if last <= first:
        last += DAY_MINUTES
    fires = list(range(first, last + 1, gap))
    try:
        return _fields([each % DAY_MINUTES for each in fires], gap)
    except InvalidInput:
        # "Every 15 minutes from 9 to 17": the fire at 17:00 would need a rule of its own.
        return _fields([each % DAY_MINUTES for each in fires[:-1]], gap)


def _fields(fires: list[int], gap: int) -> str:
    of_hour, hours = minutes_and_hours(fires)
    stepped = gap < 60 and of_hour == set(range(0, 60, gap))
    return f"{_step(gap) if stepped else _listed(of_hour)} {_listed(hours)}"


def _step(count: int) -> str:
    return "*" if count == 1 else f"*/{count}"


def _length(minutes: int) -> str:
    return f"{minutes // 60} hours" if minutes % 60 == 0 else f"{minutes} minutes"


def _listed(values: Iterable[int]) -> str:
    """The values as cron lists them: `9`, `1,15`, `1-5`, `9-17,20`."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    shown = (
        [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(each) for each in run] for run in runs
    )
    return ",".join(each for run in shown for each in run)
