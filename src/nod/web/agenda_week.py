"""A week of the agenda as a grid: a column for each day, down its hours.

A column goes by what the clock shows, so that nine stands beside nine on every day; an hour that
the clock shows twice is drawn once, with the entries of both.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from nod.actions.agenda import AgendaOf
from nod.domain.agenda import Band, Entry, Tally, tally_words
from nod.domain.agenda_days import Day
from nod.domain.instant import HOUR, Instant
from nod.domain.zones import local
from nod.web.agenda_list import Line, list_plainly
from nod.web.agenda_scale import path_of

HOUR_PX = 44
_PILL_PX = 22
_LEAST_HOURS = 6
# A task with more entries on a day than this is drawn as dots, not with its name.
_NAMED = 6
_DOT_PX = 8
_DOT_STEP_PX = 12
_GUTTERS = 3
_GUTTER_PERCENT = 11


class Pill(NamedTuple):
    """An entry with its name: `x` and `width` in percent of the column, `y` and `height` in px.
    `tail`: how much further down reaches what stands for many that were missed."""

    entry: Entry
    x: float
    width: float
    y: int
    height: int
    tail: int
    has_clash: bool

    @property
    def path(self) -> str:
        """The page it leads to."""
        return path_of(self.entry)


class Dot(NamedTuple):
    """An entry of a task that has many, all in px."""

    entry: Entry
    x: int
    y: int

    @property
    def path(self) -> str:
        """The page it leads to."""
        return path_of(self.entry)


class Stripe(NamedTuple):
    """What is counted and not listed, behind now or ahead of it, in px."""

    band: Band
    x: int
    y: int
    end: int
    is_ahead: bool


class Now(NamedTuple):
    """Where now is, in percent of the column, and the instants at which it is at the ends of it."""

    y: float
    since: Instant
    until: Instant


class Column(NamedTuple):
    """A day. `now` is None on other days than today."""

    tally: Tally
    is_today: bool
    pills: list[Pill]
    dots: list[Dot]
    stripes: list[Stripe]
    now: Now | None
    lines: list[Line]

    @property
    def words(self) -> str:
        """What came of the day's entries."""
        return tally_words(self.tally.counts)


class WeekPicture(NamedTuple):
    """The grid from the first hour that is used to the last one."""

    hours: list[int]
    height: int
    columns: list[Column]


class _Scale(NamedTuple):
    zone: str
    first: int  # hour
    height: int

    def y(self, at: Instant, day: Day) -> int:
        """Where the clock shows it in the column of the day."""
        if at < day.start:
            return 0
        if at >= day.end:
            return self.height
        shown = local(at, self.zone)
        return round((shown.hour - self.first + shown.minute / 60) * HOUR_PX)

    def now(self, now: Instant, day: Day) -> Now | None:
        """The line that goes down the column as time goes on; None outside of the hours shown."""
        y = self.y(now, day)
        if not 0 <= y < self.height or not day.start <= now < day.end:
            return None
        since = now - y * HOUR // HOUR_PX
        return Now(round(100 * y / self.height, 2), since, since + self.height * HOUR // HOUR_PX)


def draw_week(found: AgendaOf, zone: str, now: Instant) -> WeekPicture:
    """The week that the agenda is of."""
    first, last = _hours_used(found, zone)
    scale = _Scale(zone, first, (last - first) * HOUR_PX)
    clashing = {key for each in found.clashes for key in each.keys}
    columns = [_column(each, found, scale, clashing, now) for each in found.agenda.tallies]
    return WeekPicture(list(range(first, last)), scale.height, columns)


def _hours_used(found: AgendaOf, zone: str) -> tuple[int, int]:
    """The hours of the day that anything of the week lies in, and some more where these are few."""
    used: set[int] = set()
    for each in (*found.agenda.carried, *found.agenda.entries):
        used |= _hours_of(each.at, each.end, zone)
    for band in found.agenda.bands:
        used |= _hours_of(band.start, band.end, zone)
    if not used:
        return 8, 8 + _LEAST_HOURS
    first, last = min(used), max(used) + 1
    missing = max(0, _LEAST_HOURS - (last - first))
    first = max(0, min(first - missing // 2, 24 - _LEAST_HOURS))
    return first, max(last, first + _LEAST_HOURS)


def _hours_of(start: Instant, end: Instant, zone: str) -> set[int]:
    """The first and the last hour; those of the whole day for what goes over midnight."""
    first, last = local(start, zone), local(max(start, end - 1), zone)
    return {first.hour, last.hour} if first.date() == last.date() else {0, 23}


def _column(
    tally: Tally, found: AgendaOf, scale: _Scale, clashing: set[str], now: Instant
) -> Column:
    day = tally.day
    everything = (*found.agenda.carried, *found.agenda.entries)
    entries = [each for each in everything if _is_on(each, day)]
    bands = [each for each in found.agenda.bands if each.day.date == day.date]
    often = _often(entries, bands)
    dots = [
        Dot(each, 4 + often[each.task_id] * _DOT_STEP_PX, scale.y(each.at, day))
        for each in entries
        if each.task_id in often
    ]
    named = [each for each in entries if each.task_id not in often]
    gutter = min(len(set(often.values())), _GUTTERS) * _GUTTER_PERCENT
    return Column(
        tally,
        day.start <= now < day.end,
        _pills(named, day, scale, gutter, clashing),
        dots,
        [stripe for each in bands for stripe in _stripes(each, often, day, scale, now)],
        scale.now(now, day),
        list_plainly(found, day, entries, bands),
    )


def _is_on(entry: Entry, day: Day) -> bool:
    """Whether it was due on the day, or before it and reaches into it."""
    return entry.at < day.end and (entry.at >= day.start or entry.end > day.start)


def _often(entries: Sequence[Entry], bands: Sequence[Band]) -> dict[str, int]:
    """The tasks of the day that have many entries, each with its place in the gutter."""
    number = Counter(each.task_id for each in entries)
    dense = [each.task_id for each in bands]
    found = [*dense, *(each for each in number if number[each] > _NAMED and each not in dense)]
    return {task_id: min(place, _GUTTERS - 1) for place, task_id in enumerate(found)}


def _stripes(
    band: Band, often: dict[str, int], day: Day, scale: _Scale, now: Instant
) -> list[Stripe]:
    x = 4 + often[band.task_id] * _DOT_STEP_PX + _DOT_PX // 2
    start, end = scale.y(band.start, day), scale.y(band.end, day)
    turn = min(max(scale.y(now, day), start), end) if now < day.end else end
    parts = [Stripe(band, x, start, turn, False), Stripe(band, x, turn, end, True)]
    return [each for each in parts if each.end > each.y]


def _pills(
    entries: Sequence[Entry], day: Day, scale: _Scale, gutter: int, clashing: set[str]
) -> list[Pill]:
    """The entries side by side where they would cover each other."""
    found: list[Pill] = []
    group: list[_Placed] = []
    bottoms: list[int] = []  # of each place beside another

    def close() -> None:
        width = (100 - gutter) / max(1, len(bottoms))
        found.extend(_pill(each, width, gutter, clashing) for each in group)
        group.clear()
        bottoms.clear()

    for entry in entries:
        top = min(scale.y(entry.at, day), scale.height - _PILL_PX)
        end = max(scale.y(entry.end, day), top + _PILL_PX)
        bottom = top + _PILL_PX if entry.state == "skipped" else end
        if bottoms and top >= max(bottoms):
            close()
        place = next((i for i, each in enumerate(bottoms) if each <= top), len(bottoms))
        bottoms[place : place + 1] = [bottom]
        group.append(_Placed(entry, place, top, bottom, end))
    close()
    return found


class _Placed(NamedTuple):
    entry: Entry
    place: int
    top: int
    bottom: int
    end: int


def _pill(placed: _Placed, width: float, gutter: int, clashing: set[str]) -> Pill:
    x = round(gutter + placed.place * width, 2)
    height, tail = placed.bottom - placed.top, placed.end - placed.bottom
    has_clash = placed.entry.key in clashing
    return Pill(placed.entry, x, round(width, 2), placed.top, height, tail, has_clash)
