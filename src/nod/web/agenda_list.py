"""A day of the agenda in words: what is under way, what is to come, what was."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nod.actions.agenda import AgendaOf
from nod.domain.agenda import Band, Entry, State, is_ahead, is_underway, tally_words
from nod.domain.agenda_days import Day
from nod.domain.instant import Instant
from nod.web.agenda_scale import path_of

# So many ordinary entries of a task make one line of the list.
_MANY = 5
_ORDINARY = frozenset({"done", "due", "paused"})


class Line(NamedTuple):
    """A line of the list: one entry, or many ordinary ones of a task up to `until`. `is_before`:
    it was due before the day and reaches into it."""

    key: str
    path: str
    state: State
    name: str
    agent: str
    at: Instant
    until: Instant | None
    words: str
    clash: str
    is_before: bool = False

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
    say = _Words(found, day)
    entries = [*found.agenda.carried, *found.agenda.entries]
    going = [each for each in entries if is_underway(each, now)]
    ahead = [each for each in entries if is_ahead(each, now)]
    over = [each for each in entries if not is_underway(each, now) and not is_ahead(each, now)]
    is_today = day.start <= now < day.end
    earlier = say.lines(over)
    if is_today:
        earlier.reverse()  # what came last stands next to now
    counted = [say.band(each) for each in found.agenda.bands]
    parts = (
        Section("Under way", [say.line(each) for each in going], False),
        Section("Still to come" if is_today else "To come", say.lines(ahead), False),
        Section("Many times a day", counted, day.end <= now),
        Section("Earlier today" if is_today else "What happened", earlier, True),
    )
    return [each for each in parts if each.lines]


def list_plainly(
    found: AgendaOf, day: Day, entries: Sequence[Entry], bands: Sequence[Band]
) -> list[Line]:
    """What a day of an agenda has in order of time alone, after what is counted."""
    say = _Words(found, day)
    return [*(say.band(each) for each in bands), *say.lines(entries)]


class _Words:
    """The lines of a day: who does what, and what falls together."""

    def __init__(self, found: AgendaOf, day: Day) -> None:
        self._names = {each.id: each.name for each in found.agents}
        self._beside = {key: each.sentence for each in found.clashes for key in each.keys}
        self._day = day
        self._place = f"{day.date:%m%d}"  # what reaches over midnight has a line on both days

    def lines(self, entries: Iterable[Entry]) -> list[Line]:
        """The entries in order, but many ordinary ones of a task that came to the same as one."""
        groups: defaultdict[tuple[str, State], list[Entry]] = defaultdict(list)
        for each in entries:
            groups[each.task_id, each.state].append(each)
        found = (line for group in groups.values() for line in self._of_task(group))
        return sorted(found, key=lambda each: (each.at, each.name))

    def _of_task(self, entries: list[Entry]) -> Iterator[Line]:
        first, last = entries[0], entries[-1]
        if len(entries) < _MANY or first.state not in _ORDINARY:
            yield from map(self.line, entries)
            return
        yield Line(
            f"{self._place}-many-{first.key}",
            f"/tasks/{first.task_id}",
            first.state,
            first.task_name,
            self._names[first.agent_id],
            first.at,
            last.at,
            tally_words({first.state: len(entries)}),
            "",
        )

    def line(self, entry: Entry) -> Line:
        """One entry."""
        return Line(
            f"{self._place}-{entry.key}",
            path_of(entry),
            entry.state,
            entry.task_name,
            self._names[entry.agent_id],
            entry.at,
            None,
            entry.words,
            self._beside.get(entry.key, ""),
            entry.at < self._day.start,
        )

    def band(self, band: Band) -> Line:
        """What is counted."""
        return Line(
            f"{self._place}-band-{band.task_id}",
            f"/tasks/{band.task_id}",
            max(band.counts, key=lambda state: band.counts[state]),
            band.task_name,
            self._names[band.agent_id],
            band.start,
            band.end,
            band.words,
            "",
        )
