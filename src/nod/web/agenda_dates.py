"""The spans that the agenda shows, their names, and the way from one to the next."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, get_args
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_interval, format_skeleton, get_day_names

from nod.domain.agenda_days import Day, day_of, whole_day
from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant

View = Literal["day", "week", "month"]
VIEWS: tuple[View, ...] = get_args(View)

_WEEK = timedelta(days=7)
_ONE = timedelta(days=1)
_FIRST, _LAST = date(1970, 2, 1), date(2199, 10, 31)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows: the view, a day in its span, and one agent or all."""

    view: View
    day: date
    today: date
    agent_id: str | None

    def address(self, **changed: str | None) -> str:
        """The page's address, with some of it changed. A day needs no view, and today no date."""
        given = {
            "view": self.view,
            "date": None if self.day == self.today else self.day.isoformat(),
            "agent": self.agent_id,
            **changed,
        }
        if given["view"] == "day":
            given["view"] = None
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/agenda?{query}" if query else "/agenda"

    def on(self, day: date, view: View | None = None) -> str:
        """The address of another day, perhaps in another view."""
        return replace(self, day=day, view=view or self.view).address()


def read_shown(view: str, day: str, agent_id: str | None, today: date) -> Shown:
    """What the address asks for. Raises InvalidInput."""
    wanted = next((each for each in VIEWS if each == (view or "day")), None)
    if wanted is None:
        raise InvalidInput(f"view must be one of {', '.join(VIEWS)}")
    try:
        found = date.fromisoformat(day) if day else today
    except ValueError:
        raise InvalidInput(f"date must be a day such as 2026-11-23; got {day[:40]!r}") from None
    if not _FIRST <= found <= _LAST:
        raise InvalidInput(f"date must be from {_FIRST} to {_LAST}")
    return Shown(wanted, found, today, agent_id or None)


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a person writes dates, and with which day their week begins."""

    locale: str
    zone: str

    def days(self, shown: Shown) -> list[Day]:
        """The days of the view; a month with all of its first and last week."""
        return [whole_day(each, self.zone) for each in self._dates(shown)]

    def title(self, shown: Shown) -> str:
        """`Monday 23 November`, `November 2026`, or the first and the last day of the week."""
        if shown.view == "month":
            return format_skeleton("yMMMM", shown.day, locale=self._babel)
        if shown.view == "week":
            first = self._week_of(shown.day)
            return format_interval(first, first + _WEEK - _ONE, "yMMMd", locale=self._babel)
        same_year = shown.day.year == shown.today.year
        return format_skeleton(
            "MMMMEEEEd" if same_year else "yMMMMEEEEd", shown.day, locale=self._babel
        )

    def weekdays(self) -> list[tuple[str, str]]:
        """The names of the week's days, short and long, from its first on."""
        first = self._babel.first_week_day
        short = get_day_names("abbreviated", locale=self._babel)
        wide = get_day_names("wide", locale=self._babel)
        order = [(first + each) % 7 for each in range(7)]
        return [(str(short[each]), str(wide[each])) for each in order]

    def long(self, day: date) -> str:
        """`Monday 23 November`."""
        return format_skeleton("MMMMEEEEd", day, locale=self._babel)

    def short(self, day: date) -> str:
        """`Mon 23`."""
        return format_skeleton("Ed", day, locale=self._babel)

    def day_of(self, at: Instant) -> date:
        """The day to which an instant belongs."""
        return day_of(at, self.zone)

    def step(self, shown: Shown, by: Literal[-1, 1]) -> date | None:
        """A day of the span before or after; None where the calendar ends."""
        if shown.view == "month":
            first = shown.day.replace(day=1)
            found = (first + timedelta(days=32 if by > 0 else -1)).replace(day=1)
        else:
            found = shown.day + by * (_WEEK if shown.view == "week" else _ONE)
        return found if _FIRST <= found <= _LAST else None

    def _dates(self, shown: Shown) -> Iterator[date]:
        if shown.view == "day":
            yield shown.day
            return
        first = last = shown.day
        if shown.view == "month":
            first = shown.day.replace(day=1)
            last = (first + timedelta(days=32)).replace(day=1) - _ONE
        day = self._week_of(first)
        while day <= self._week_of(last) + _WEEK - _ONE:
            yield day
            day += _ONE

    def _week_of(self, day: date) -> date:
        """The first day of its week."""
        return day - timedelta(days=(day.weekday() - self._babel.first_week_day) % 7)

    @property
    def _babel(self) -> Locale:
        return Locale.parse(self.locale)
