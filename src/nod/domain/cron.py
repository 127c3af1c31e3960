"""Cron expressions: what may be written, and what it means.

Parsing and matching of days is cronsim's, which follows Debian's cron. Five fields, names in any
case, ranges, steps, lists, `L` and `LW` as day of the month, `5L` (last Friday) and `1#2` (second
Monday) as weekday, and the shortcuts. When a wall clock shows these times is `schedule.py`'s job.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

from nod.domain.errors import InvalidInput
from nod.domain.instant import HOUR

SHORTCUTS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_EXAMPLE = 'A correct schedule is "0 9 * * 1-5": every weekday at 09:00.'
_FIELDS = (
    (Field.MINUTE, "minute", "0-59"),
    (Field.HOUR, "hour", "0-23"),
    (Field.DAY, "day of the month", "1-31 or L for the last"),
    (Field.MONTH, "month", "1-12 or JAN-DEC"),
    (Field.DOW, "weekday", "0-7 (0 and 7 are Sunday) or SUN-SAT, 5L or 1#2"),
)
# Every value of every field, listed one by one, is shorter than this.
_LONGEST = 600
# From 1901 to 2099 the calendar repeats every 28 years, so what does not occur in these never does.
_CYCLE = (date(2000, 1, 1), date(2028, 1, 1))


@dataclass(frozen=True, slots=True)
class Rule:
    """A cron expression, read.

    `text` is its normal form and `fields` the same in five fields. `minutes` are the minutes of
    the day at which it fires on a day that matches, ascending. A `fixed` rule names its hours and
    minutes; the others are Debian's wildcard jobs, whose hour or minute starts with a star.
    `either`: day of the month and weekday are both restricted and one of them is enough.
    """

    text: str
    fields: tuple[str, ...]
    minutes: tuple[int, ...]
    fixed: bool
    months: frozenset[int]
    either: bool
    matcher: CronSim

    def bridges(self, shift: int) -> bool:
        """Whether its fires are carried over a change of the clock by `shift` milliseconds.

        Debian's cron.c: jobs with fixed times are; a change of more than 3 hours is a correction.
        """
        return self.fixed and abs(shift) <= 3 * HOUR

    def next_day(self, ordinal: int, last: int) -> int | None:
        """The first matching date from `ordinal` to `last`, as ordinals."""
        while ordinal <= last:
            day = date.fromordinal(ordinal)
            if day.month not in self.months:
                ordinal = (day.replace(day=1) + timedelta(days=32)).replace(day=1).toordinal()
            elif self.matcher.match_day(day):
                return ordinal
            else:
                ordinal += 1
        return None

    def previous_day(self, ordinal: int, first: int) -> int | None:
        """The last matching date from `first` to `ordinal`, as ordinals."""
        while ordinal >= first:
            day = date.fromordinal(ordinal)
            if day.month not in self.months:
                ordinal = day.replace(day=1).toordinal() - 1
            elif self.matcher.match_day(day):
                return ordinal
            else:
                ordinal -= 1
        return None


def check_cron(expr: str) -> str:
    """The expression in its normal form. Raises InvalidInput saying what is wrong with it."""
    return rule(expr).text


@lru_cache(maxsize=4096)
def rule(expr: str) -> Rule:
    """Read a cron expression. Raises InvalidInput saying what is wrong with it."""
    text = _normal_form(expr)
    fields = tuple(SHORTCUTS.get(text, text).split())
    if len(fields) != len(_FIELDS):
        raise InvalidInput(
            f"The schedule {expr[:64]!r} has {len(fields)} fields; cron needs five: minute, hour,"
            f" day of the month, month, weekday. {_EXAMPLE}"
        )
    fields = tuple(map(_field, range(len(_FIELDS)), fields))
    matcher = _matcher(fields)
    read = Rule(
        text=text,
        fields=fields,
        minutes=tuple(
            sorted(60 * hour + minute for hour in matcher.hours for minute in matcher.minutes)
        ),
        fixed=not fields[0].startswith("*") and not fields[1].startswith("*"),
        months=frozenset(matcher.months),
        either=not fields[2].startswith("*") and not fields[4].startswith("*"),
        matcher=matcher,
    )
    if read.next_day(*(day.toordinal() for day in _CYCLE)) is None:
        raise _impossible(fields)
    return read


def _normal_form(expr: str) -> str:
    """One space between fields, names in upper case, shortcuts in lower case."""
    if len(expr) > _LONGEST:
        raise InvalidInput(f"The schedule is longer than {_LONGEST} characters. {_EXAMPLE}")
    text = " ".join(expr.split())
    if not text.startswith("@"):
        return text.upper()
    shortcut = text.lower()
    if shortcut == "@reboot":
        raise InvalidInput(
            "@reboot cannot be a schedule: a task belongs to an agent, not to a machine that"
            f" starts. {_EXAMPLE}"
        )
    if shortcut not in SHORTCUTS:
        known = ", ".join(SHORTCUTS)
        raise InvalidInput(f"{text[:64]!r} is none of {known}. {_EXAMPLE}")
    return shortcut


def _field(place: int, part: str) -> str:
    """One field, by its place, as cronsim shall read it. Raises InvalidInput naming the field."""
    field, name, allowed = _FIELDS[place]
    try:
        # cronsim reads "L/2" as "L"; nobody who writes it means that.
        if re.search(r"[LW]/", part):
            raise CronSimError
        field.parse(part)
    except CronSimError:
        raise InvalidInput(
            f"The {name} {part[:64]!r} cannot be read; it may be {allowed}, a star, a rising range"
            f" (2-5), a step (*/2) or a list (2,5). {_EXAMPLE}"
        ) from None
    return ",".join(_without_idle_step(field, item) for item in part.split(","))


def _without_idle_step(field: Field, item: str) -> str:
    """cronsim takes "5-5/2" for "5/2", from 5 to the end; crontab(5) means 5 alone."""
    span, _, _ = item.partition("/")
    return span if "-" in span and len(field.parse(span)) == 1 else item


def _matcher(fields: tuple[str, ...]) -> CronSim:
    """cronsim's reading of the expression, used for its days only."""
    try:
        return CronSim(" ".join(fields), datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError:  # its own test for days that the months do not have
        raise _impossible(fields) from None


def _impossible(fields: tuple[str, ...]) -> InvalidInput:
    return InvalidInput(
        f"The schedule {' '.join(fields)!r} never fires: no date has that day of the month, month"
        f" and weekday. {_EXAMPLE}"
    )
