"""A day of the agenda as a picture: a lane for each agent, with a line for each task."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from nod.actions.agenda import AgendaOf
from nod.domain.agenda import Band, Entry
from nod.domain.agenda_days import Day, ticks
from nod.domain.instant import Instant
from nod.domain.model import Agent
from nod.web.agenda_scale import Mark, mark, percent


class Box(NamedTuple):
    """A part of the day, in percent of it."""

    x: float
    width: float
    label: str


class Hour(NamedTuple):
    """A full hour on the axis; a narrow one shows every third."""

    x: float
    label: str
    is_major: bool


@dataclass(slots=True)
class Row:
    """One task in its lane: its entries as marks, those that are counted as stripes behind `now`
    and ahead of it, and where it falls together with another."""

    task_id: str
    name: str
    note: str = ""
    marks: list[Mark] = field(default_factory=list)
    behind: list[Box] = field(default_factory=list)
    ahead: list[Box] = field(default_factory=list)
    clashes: list[Box] = field(default_factory=list)


class Lane(NamedTuple):
    """An agent with the tasks that have anything on the day."""

    agent: Agent
    rows: list[Row]


class DayPicture(NamedTuple):
    """What is drawn of a day. `now` is None on other days."""

    lanes: list[Lane]
    hours: list[Hour]
    now: float | None


def draw_day(found: AgendaOf, day: Day, zone: str, now: Instant) -> DayPicture:
    """The picture of the day."""
    rows: dict[str, Row] = {}
    lanes: defaultdict[str, list[Row]] = defaultdict(list)

    def row(each: Entry | Band) -> Row:
        if each.task_id not in rows:
            rows[each.task_id] = Row(each.task_id, each.task_name)
            lanes[each.agent_id].append(rows[each.task_id])
        return rows[each.task_id]

    entries = [*found.agenda.carried, *found.agenda.entries]
    for entry in entries:
        row(entry).marks.append(mark(entry, day))
    for band in found.agenda.bands:
        _stripe(row(band), band, day, now)
    of_entry = {each.key: each.task_id for each in entries}
    for clash in found.clashes:
        for task_id in {of_entry[key] for key in clash.keys if key in of_entry}:
            rows[task_id].clashes.append(_box(clash.start, clash.end, day, clash.sentence))
    return DayPicture(
        [Lane(each, lanes[each.id]) for each in found.agents if lanes[each.id]],
        [
            Hour(percent(each.at, day), f"{each.hour:02}", each.hour % 3 == 0)
            for each in ticks(day, zone)
        ],
        percent(now, day) if day.start <= now < day.end else None,
    )


def _stripe(row: Row, band: Band, day: Day, now: Instant) -> None:
    row.note = band.words
    if band.start < now:
        row.behind.append(_box(band.start, min(band.end, now), day, band.words))
    if band.end > now:
        row.ahead.append(_box(max(band.start, now), band.end, day, band.words))


def _box(start: Instant, end: Instant, day: Day, label: str) -> Box:
    x = percent(start, day)
    return Box(x, round(percent(end, day) - x, 2), label)
