"""Phrases that mean one moment: "tomorrow at 9", "in 20 minutes", "on 24 december"."""

from datetime import date, datetime, time, timedelta

from nod.domain.errors import InvalidInput
from nod.domain.instant import SECOND, Instant
from nod.domain.phrase_parts import LAST, Parts
from nod.domain.phrase_times import Delay, by_part_of_day
from nod.domain.zones import local, read

MORNING = 9 * 60
_LAST_YEAR = 2199
# A 29 February comes within eight years, a 31st within two months.
_YEARS = 8


def moment_of(parts: Parts, timezone: str, now: Instant) -> Instant | None:
    """The moment the phrase names; None where it means something that comes again.

    Raises InvalidInput for a day that does not exist or has passed, or for two days or times.
    """
    if parts.recurring or _comes_again(parts):
        return None
    minutes = by_part_of_day(parts.clocks, parts.part_of_day)
    if len(set(minutes)) > 1:
        raise InvalidInput(
            'A single run has one time; try "tomorrow at 9", or "every day at 9 and 17" for'
            " several."
        )
    minute = minutes[0] if minutes else None
    today = local(now, timezone)
    if parts.delay is not None:
        return _after(parts.delay, minute, timezone, now)
    candidates = _candidates(parts, today.date())
    if not candidates:
        if minute is None:
            return None
        candidates = [today.date(), today.date() + timedelta(days=1)]
    moments = [_at(day, MORNING if minute is None else minute, timezone) for day in candidates]
    return next((each for each in moments if each > now), moments[-1])


def _comes_again(parts: Parts) -> bool:
    """What only a rule can say, even without "every"."""
    return parts.window is not None or parts.minute is not None or bool(parts.months)


def _candidates(parts: Parts, today: date) -> list[date]:
    """The days it may mean, the nearest first; the first one whose time is to come counts."""
    kinds = [bool(parts.dates), parts.ahead is not None, bool(parts.days)]
    if parts.dates and parts.weekdays and not parts.ahead and not parts.days:
        return _with_weekday(parts, today)
    if sum([*kinds, bool(parts.weekdays)]) > 1 or max(len(parts.dates), len(parts.weekdays)) > 1:
        raise InvalidInput(
            'That names two days; name one, as in "tomorrow at 9" or "on 24 december at 18:00".'
        )
    if parts.dates:
        return _dates(parts, today)
    if parts.ahead is not None:
        return [today + timedelta(days=parts.ahead)]
    if parts.days:
        return _of_month(min(parts.days), today)
    return _weekday(parts, today)


def _with_weekday(parts: Parts, today: date) -> list[date]:
    """The next such date, which has to be that weekday."""
    days = _dates(parts, today)
    day = next((each for each in days if each >= today), days[-1])
    if day.isoweekday() % 7 not in parts.weekdays:
        raise InvalidInput(f"{day:%-d %B %Y} is a {day:%A}; name the date or the weekday alone.")
    return [day]


def _weekday(parts: Parts, today: date) -> list[date]:
    if not parts.weekdays:
        return []
    (wanted,) = parts.weekdays
    ahead = (wanted - today.isoweekday()) % 7
    if parts.next_week and ahead == 0:
        ahead = 7
    return [today + timedelta(days=ahead), today + timedelta(days=ahead + 7)]


def _dates(parts: Parts, today: date) -> list[date]:
    year, month, day = parts.dates[0]
    years = range(today.year, today.year + _YEARS + 1) if year is None else [year]
    found = [made for each in years if (made := _date(each, month, day)) is not None]
    if not found:
        raise InvalidInput(
            f"There is no such date ({day}.{month}.{year or ''}); write it as"
            ' "24 december", "24 december 2030" or "2030-12-24".'
        )
    return found


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if 1970 <= year <= _LAST_YEAR else None
    except ValueError:
        return None


def _of_month(day: int, today: date) -> list[date]:
    """The next two days of a month with this number, or the next two last days."""
    found: list[date] = []
    month = today.replace(day=1)
    while len(found) < 2:
        following = (month + timedelta(days=32)).replace(day=1)
        made = following - timedelta(days=1) if day == LAST else _date(month.year, month.month, day)
        if made is not None and made >= today:
            found.append(made)
        month = following
    return found


def _after(delay: Delay, minute: int | None, timezone: str, now: Instant) -> Instant:
    """So long from now: days and months by the calendar, hours and minutes by the clock."""
    if minute is None and not delay.days and not delay.months:
        return now // SECOND * SECOND + delay.time
    start = local(now, timezone).replace(microsecond=0)
    day = _later(start.date(), delay)
    if minute is not None and delay.time:
        raise InvalidInput('"In 2 hours" and a time exclude each other; name one of them.')
    if minute is not None:
        return _at(day, minute, timezone)
    return _instant(datetime.combine(day, start.time()), timezone) + delay.time


def _later(day: date, delay: Delay) -> date:
    months = day.year * 12 + day.month - 1 + delay.months
    year, month = divmod(months, 12)
    if year > _LAST_YEAR or delay.days > 36_600:
        raise InvalidInput('That is too far away; try "in 3 days" or a date such as "2030-12-01".')
    while (moved := _date(year, month + 1, day.day)) is None:
        day -= timedelta(days=1)
    return moved + timedelta(days=delay.days)


def _at(day: date, minute: int, timezone: str) -> Instant:
    return _instant(datetime.combine(day, time(minute // 60, minute % 60)), timezone)


def _instant(wall: datetime, timezone: str) -> Instant:
    """The first time the clock shows it; a time that is skipped is right after the change."""
    return read(wall, timezone).instants[0]
