"""A day of the agenda in words: what is under way, what is to come, what was."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nod.actions.agenda import AgendaOf
from nod.domain.agenda import Band, Entry, State, is_ahead, is_underway, tally_words
from nod.domain.agenda_clash import Clash
from nod.domain.agenda_days import Day
from nod.domain.instant import Instant
from nod.web.agenda_scale import path_of

# So many ordinary entries of a task make one line of the list.
_MANY = 5
_ORDINARY = frozenset({"done", "due", "paused"})


class Line(NamedTuple):
    """A line of the list: one entry, or `many` ordinary ones of a task up to `until`."""

    key: str
    path: str
    state: State
    name: str
    agent: str
    at: Instant
    until: Instant | None
    words: str
    clash: str

    @property
    def is_sheet(self) -> bool:
        """Whether its page opens over this one."""
        return self.path.startswith("/runs/")


class Section(NamedTuple):
    """A part of the list; what is over stands apart from what is not."""

    title: str
    lines: list[Line]
    is_over: bool


def list_day(found: AgendaOf, day: Day, now: Instant) -> list[Section]:
    """The day in words: what is under way, what is to come, what was, what is too much to list."""
    names = {each.id: each.name for each in found.agents}
    beside = _beside(found.clashes)
    entries = [*found.agenda.carried, *found.agenda.entries]
    going = [each for each in entries if is_underway(each, now)]
    ahead = [each for each in entries if is_ahead(each, now)]
    over = [each for each in entries if not is_underway(each, now) and not is_ahead(each, now)]
    is_today = day.start <= now < day.end
    earlier = _lines(over, names, beside)
    if is_today:
        earlier.reverse()  # what came last stands next to now
    counted = [_band_line(each, names) for each in found.agenda.bands]
    parts = (
        Section("Under way", [_line(each, names, beside) for each in going], False),
        Section("Still to come" if is_today else "To come", _lines(ahead, names, beside), False),
        Section("Many times a day", counted, day.end <= now),
        Section("Earlier today" if is_today else "What happened", earlier, True),
    )
    return [each for each in parts if each.lines]


def list_plainly(found: AgendaOf, entries: Sequence[Entry], bands: Sequence[Band]) -> list[Line]:
    """Some entries of an agenda in order of time alone, after those that are counted."""
    names = {each.id: each.name for each in found.agents}
    counted = [_band_line(each, names) for each in bands]
    return [*counted, *_lines(entries, names, _beside(found.clashes))]


def _beside(clashes: Iterable[Clash]) -> dict[str, str]:
    """What to say of the entries that fall together with others."""
    return {key: each.sentence for each in clashes for key in each.keys}


def _lines(entries: Sequence[Entry], names: dict[str, str], beside: dict[str, str]) -> list[Line]:
    return sorted(
        (line for group in _by_task(entries) for line in _task_lines(group, names, beside)),
        key=lambda each: (each.at, each.name),
    )


def _by_task(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    groups: defaultdict[tuple[str, State], list[Entry]] = defaultdict(list)
    for each in entries:
        groups[each.task_id, each.state].append(each)
    yield from groups.values()


def _task_lines(
    entries: list[Entry], names: dict[str, str], beside: dict[str, str]
) -> Iterator[Line]:
    """The entries of a task that came to the same, each in a line or all in one."""
    first, last = entries[0], entries[-1]
    if len(entries) < _MANY or first.state not in _ORDINARY:
        yield from (_line(each, names, beside) for each in entries)
        return
    yield Line(
        f"many-{first.key}",
        f"/tasks/{first.task_id}",
        first.state,
        first.task_name,
        names[first.agent_id],
        first.at,
        last.at,
        tally_words({first.state: len(entries)}),
        "",
    )


def _line(entry: Entry, names: dict[str, str], beside: dict[str, str]) -> Line:
    return Line(
        entry.key,
        path_of(entry),
        entry.state,
        entry.task_name,
        names[entry.agent_id],
        entry.at,
        None,
        entry.words,
        beside.get(entry.key, ""),
    )


def _band_line(band: Band, names: dict[str, str]) -> Line:
    return Line(
        f"band-{band.task_id}-{band.day.date}",
        f"/tasks/{band.task_id}",
        max(band.counts, key=lambda state: band.counts[state]),
        band.task_name,
        names[band.agent_id],
        band.start,
        band.end,
        band.words,
        "",
    )
