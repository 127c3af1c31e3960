"""A month of the agenda as a heat map: how much a day has, and what came of it."""

from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple

from nod.domain.agenda import State, Tally, tally_words
from nod.domain.instant import Instant
from nod.web.agenda_scale import Sum, sums

_DAYS = 7
_LEVELS = 4
_WHOLE = 100.0
_LEAST = 0.06


Tone = Literal["failed", "waiting", "done", "skipped", "ahead", "none"]
_TONES: tuple[tuple[State, Tone], ...] = (
    ("failed", "failed"),
    ("waiting", "waiting"),
    ("done", "done"),
)


class Segment(NamedTuple):
    """A part of the day's bar, in percent of it."""

    state: State
    x: float
    width: float


class Cell(NamedTuple):
    """A day. `level` is how much it has beside the fullest one, from 0 to 4; `tone` the worst that
    came of it, `ahead` of a day to come, `none` where there is nothing."""

    date: date
    at: Instant
    total: int
    level: int
    tone: Tone
    is_today: bool
    is_of_month: bool
    segments: list[Segment]
    sums: list[Sum]
    words: str


def draw_month(tallies: Sequence[Tally], month: date, now: Instant) -> list[tuple[Cell, ...]]:
    """The weeks of the month, each of seven days."""
    most = max((each.total for each in tallies), default=0)
    cells = [_cell(each, most, month, now) for each in tallies]
    return [tuple(cells[each : each + _DAYS]) for each in range(0, len(cells), _DAYS)]


def _cell(tally: Tally, most: int, month: date, now: Instant) -> Cell:
    day = tally.day
    return Cell(
        date=day.date,
        at=day.start,
        total=tally.total,
        level=-(-_LEVELS * tally.total // most) if most else 0,
        tone=_tone(tally, now),
        is_today=day.start <= now < day.end,
        is_of_month=day.date.month == month.month,
        segments=_segments(tally),
        sums=sums(tally.counts),
        words=tally_words(tally.counts),
    )


def _tone(tally: Tally, now: Instant) -> Tone:
    if not tally.total:
        return "none"
    if tally.day.start > now:
        return "ahead"
    return next((tone for state, tone in _TONES if tally.counts.get(state)), "skipped")


def _segments(tally: Tally) -> list[Segment]:
    """The parts of the bar to scale, but none too narrow to be seen."""
    parts = sums(tally.counts)
    shares = [max(_LEAST, each.number / tally.total) for each in parts]
    found: list[Segment] = []
    x = 0.0
    for each, share in zip(parts, shares, strict=True):
        width = _WHOLE * share / sum(shares)
        found.append(Segment(each.state, round(x, 1), round(width, 1)))
        x += width
    return found
