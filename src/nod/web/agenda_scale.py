"""Where an instant stands in a picture of the agenda, and how an entry is drawn there."""

from typing import NamedTuple

from nod.domain.agenda import STATE_WORDS, Counts, Entry, State
from nod.domain.agenda_days import Day
from nod.domain.instant import Instant


class Mark(NamedTuple):
    """An entry in a picture: from `x`, as wide as it took, both in percent of the day."""

    entry: Entry
    x: float
    width: float

    @property
    def path(self) -> str:
        """The page it leads to."""
        return path_of(self.entry)


class Sum(NamedTuple):
    """How many entries came to one state."""

    state: State
    number: int
    word: str


def percent(at: Instant, day: Day) -> float:
    """How far into the day, from 0 to 100; a day of 23 or 25 hours is as wide as any."""
    share = (at - day.start) / max(1, day.end - day.start)
    return round(100 * min(max(share, 0), 1), 2)


def mark(entry: Entry, day: Day) -> Mark:
    """The entry on the day, as far as it lies in it."""
    x = percent(entry.at, day)
    return Mark(entry, x, round(percent(entry.end, day) - x, 2))


def path_of(entry: Entry) -> str:
    """The page of the run, or of the task whose fire is to come."""
    return f"/tasks/{entry.task_id}" if entry.run_id is None else f"/runs/{entry.run_id}"


def sums(counts: Counts) -> list[Sum]:
    """The counts in the order in which they are told."""
    return [
        Sum(state, counts[state], word) for state, word in STATE_WORDS.items() if counts.get(state)
    ]
