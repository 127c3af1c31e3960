"""The agenda: what happened and what is to come, in one picture. Pure; time is an argument.

The past is what the store has: a run for each fire, an entry with its reason for each that did not
run. The future follows from the schedules, from each task's next fire on, so that nothing between
the two is missing or there twice. A task with many entries on a day is counted there: listed one by
one is then only what did not go well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from nod.domain.agenda_days import Day
from nod.domain.instant import Instant
from nod.domain.limits import Limits
from nod.domain.model import Run, Task
from nod.domain.states import ACTIVE, RunStatus
from nod.domain.strip import STATES, CellState

# due: to come; paused: to come, and it will not run.
State = Literal[CellState, "due", "paused"]
Counts = Mapping[State, int]

# In the order in which they are told.
STATE_WORDS: dict[State, str] = {
    "running": "working",
    "waiting": "waiting for you",
    "pending": "on its way",
    "failed": "failed",
    "done": "done",
    "skipped": "skipped",
    "cancelled": "cancelled",
    "due": "to come",
    "paused": "paused",
}
_UNDERWAY = frozenset(STATES[each] for each in ACTIVE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One fire: a run, one that did not run, or one to come (without `run_id`).

    `at` is when it was or is due. `start` is when its agent took it up, or None where none did;
    `end` when it was over, `now` while it is under way. For one to come, both are what is expected.
    `key` stays the same when a fire becomes its run. `changed_at`: when that was last different.
    """

    key: str
    task_id: str
    task_name: str
    agent_id: str
    state: State
    at: Instant
    start: Instant | None
    end: Instant
    run_id: str | None
    words: str
    label: str
    changed_at: Instant


@dataclass(frozen=True, slots=True)
class Band:
    """The ordinary entries of one task on one day, where they are too many to be listed."""

    task_id: str
    task_name: str
    agent_id: str
    day: Day
    start: Instant
    end: Instant
    counts: Counts
    words: str

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Tally:
    """How many entries of a day came to what."""

    day: Day
    counts: Counts

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Agenda:
    """All of it, in order of time. `carried` began before the span and reaches into it."""

    tallies: tuple[Tally, ...]
    entries: tuple[Entry, ...]
    bands: tuple[Band, ...]
    carried: tuple[Entry, ...]


class RunCount(NamedTuple):
    """How many entries of a task have a status, and when the first and the last of them were due,
    in the order of the statement's columns."""

    task_id: str
    status: RunStatus
    number: int
    first: Instant
    last: Instant


@dataclass(frozen=True, slots=True)
class Past:
    """What the store has of a day: the counts of all entries, and of each task in order the entries
    themselves; of those that completed, and of the others, at most one more than is listed."""

    day: Day
    counts: Sequence[RunCount]
    runs: Sequence[Run] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What an agenda is seen with: the tasks by their ids, removed ones among them, how long their
    runs take, the person's zone, and the moment."""

    tasks: Mapping[str, Task]
    lengths: Mapping[str, Instant]
    zone: str
    now: Instant
    limits: Limits


def tally_words(counts: Counts) -> str:
    """`1 failed, 12 done, 3 to come`."""
    return ", ".join(
        f"{counts[state]:,} {word}" for state, word in STATE_WORDS.items() if counts.get(state)
    )


def is_underway(entry: Entry, now: Instant) -> bool:
    """Whether it is due and not over."""
    return entry.state in _UNDERWAY and entry.at <= now


def is_ahead(entry: Entry, now: Instant) -> bool:
    """Whether it is still to come."""
    return entry.state in ("due", "paused") or (entry.state in _UNDERWAY and entry.at > now)
