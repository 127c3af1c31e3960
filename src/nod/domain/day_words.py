"""The days on which a rule fires, in words that `phrases.py` reads back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cronsim import CronSim

from nod.domain.cron import Rule

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
PLACES = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", CronSim.LAST: "last"}
_LAST_DAYS = {CronSim.LAST: "last day", CronSim.LAST_WEEKDAY: "last weekday"}


@dataclass(frozen=True, slots=True)
class Days:
    """The days before a time ("every weekday" at nine) and after an interval (every hour "on
    weekdays"; empty for every day)."""

    before: str
    after: str


def day_words(read: Rule) -> Days | None:
    """The days of the rule; None for those that have no simple words."""
    _, _, day, _, weekday = read.fields
    months = None if read.fields[3] == "*" else [MONTHS[month - 1] for month in sorted(read.months)]
    if day == "*" and weekday == "*":
        return _weekdays(set(range(7)), months)
    if day == "*" and not weekday.startswith("*"):
        named = {each % 7 for each in read.matcher.weekdays if isinstance(each, int)}
        placed = {each for each in read.matcher.weekdays if not isinstance(each, int)}
        if not placed:
            return _weekdays(named, months)
        return None if named else _placed(placed, months)
    if weekday == "*" and not day.startswith("*"):
        return _of_month(read.matcher.days, months)
    return None


def joined(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))


def ordinal(number: int) -> str:
    """A day of the month: `1st`, `22nd`, `13th`."""
    endings = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
    return f"{number}{endings.get(number, 'th')}"


def _weekdays(found: set[int], months: Sequence[str] | None) -> Days:
    names = [WEEKDAYS[each] for each in (1, 2, 3, 4, 5, 6, 0) if each in found]
    before, after = f"every {joined(names)}", f"on {joined([f'{name}s' for name in names])}"
    if len(names) == len(WEEKDAYS):
        before, after = "every day", ""
    elif found == {1, 2, 3, 4, 5}:
        before, after = "every weekday", "on weekdays"
    if months is None:
        return Days(before, after)
    within = f"in {joined(months)}"
    return Days(f"{before} {within}", f"{after} {within}".strip())


def _placed(found: Iterable[tuple[int, int]], months: Sequence[str] | None) -> Days | None:
    """`5L` and `1#2`: days that have a place among those of their name."""
    places = sorted({place for _, place in found}, key=lambda place: (place < 0, place))
    weekdays = sorted({weekday % 7 for weekday, _ in found}, key=lambda weekday: weekday or 7)
    if len({(weekday % 7, place) for weekday, place in found}) != len(places) * len(weekdays):
        return None
    which = joined([PLACES[place] for place in places])
    return _on(f"{which} {joined([WEEKDAYS[each] for each in weekdays])}", months)


def _of_month(found: set[int], months: Sequence[str] | None) -> Days:
    numbers = sorted(each for each in found if each > 0)
    last = [_LAST_DAYS[each] for each in sorted(found, reverse=True) if each < 0]
    if months is not None and len(months) == 1 and not last:
        dates = f"on {joined([str(each) for each in numbers])} {months[0]}"
        return Days(f"every year {dates}", dates)
    return _on(joined([*map(ordinal, numbers), *last]), months)


def _on(which: str, months: Sequence[str] | None) -> Days:
    days = f"on the {which} of {'every month' if months is None else joined(months)}"
    return Days(days, days)
