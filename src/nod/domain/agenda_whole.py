"""An agenda put together, day by day and task by task. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nod.domain.agenda import (
    Agenda,
    Band,
    Counts,
    Entry,
    Past,
    RunCount,
    Scene,
    State,
    Tally,
    tally_words,
)
from nod.domain.agenda_days import Day
from nod.domain.agenda_entries import entry_of_fire, entry_of_run, state_ahead
from nod.domain.fires import fires_between
from nod.domain.instant import Instant
from nod.domain.limits import Limits
from nod.domain.model import Run, Task
from nod.domain.strip import STATES
from nod.domain.zones import known_timezone


def agenda(past: Sequence[Past], carried: Iterable[Run], scene: Scene) -> Agenda:
    """The agenda of the days that `past` names. `carried` are runs that were due before."""
    entries: list[Entry] = []
    bands: list[Band] = []
    ahead = _ahead([each.day for each in past], scene)
    for day, plans in zip(past, ahead, strict=True):
        for each in _by_task(day, plans, scene):
            listed, band = _of_task(each, scene)
            entries += listed
            bands += [] if band is None else [band]
    since = past[0].day.start if past else 0
    before = [entry_of_run(run, scene) for run in carried]
    return Agenda(
        tuple(_tally(*each, scene) for each in zip(past, ahead, strict=True)),
        tuple(sorted(entries, key=_place)),
        tuple(sorted(bands, key=lambda each: (each.start, each.task_id))),
        tuple(sorted((each for each in before if each.end > since), key=_place)),
    )


def tallies(past: Sequence[Past], scene: Scene) -> tuple[Tally, ...]:
    """The counts of the days alone; the entries themselves need not be there."""
    ahead = _ahead([each.day for each in past], scene)
    return tuple(_tally(*each, scene) for each in zip(past, ahead, strict=True))


def _place(entry: Entry) -> tuple[Instant, str, str]:
    return entry.at, entry.task_name, entry.key


# what is to come


class _Plan(NamedTuple):
    """A task's fires of one day: all counted, the first ones kept."""

    first: Instant
    last: Instant
    number: int
    kept: list[Instant]


_Plans = dict[str, _Plan]  # by task


def _ahead(days: Sequence[Day], scene: Scene) -> list[_Plans]:
    """The fires to come of each day."""
    found: list[_Plans] = [{} for _ in days]
    for task in scene.tasks.values():
        # One whose zone the zone data has dropped is set aside as soon as it is due.
        can_fire = known_timezone(task.timezone) == task.timezone
        if days and can_fire and task.next_fire_at is not None:
            _plan(task, task.next_fire_at, days, scene.limits, found)
    return found


def _plan(
    task: Task, first: Instant, days: Sequence[Day], limits: Limits, found: list[_Plans]
) -> None:
    """Enter a task's fires from its next one on: those before it have their entries."""
    fires = fires_between(task, max(days[0].start, first), days[-1].end)
    begin = 0
    for day, plans in zip(days, found, strict=True):
        end = bisect_left(fires, day.end, begin)
        if end > begin:
            kept = fires[begin : min(end, begin + limits.agenda_fires)]
            plans[task.id] = _Plan(fires[begin], fires[end - 1], end - begin, kept)
        begin = end


# a day


@dataclass(slots=True)
class _TaskDay:
    """All there is of one task on one day."""

    task: Task
    day: Day
    runs: list[Run] = field(default_factory=list)
    counts: list[RunCount] = field(default_factory=list)
    plan: _Plan | None = None

    @property
    def total(self) -> int:
        planned = 0 if self.plan is None else self.plan.number
        return planned + sum(each.number for each in self.counts)


def _by_task(past: Past, plans: _Plans, scene: Scene) -> Iterable[_TaskDay]:
    found: dict[str, _TaskDay] = {}

    def of(task_id: str) -> _TaskDay:
        return found.setdefault(task_id, _TaskDay(scene.tasks[task_id], past.day))

    for run in past.runs:
        of(run.task_id).runs.append(run)
    for count in past.counts:
        of(count.task_id).counts.append(count)
    for task_id, plan in plans.items():
        of(task_id).plan = plan
    return found.values()


def _tally(past: Past, plans: _Plans, scene: Scene) -> Tally:
    found: Counter[State] = Counter()
    for count in past.counts:
        found[STATES[count.status]] += count.number
    for task_id, plan in plans.items():
        found[state_ahead(scene.tasks[task_id])] += plan.number
    return Tally(past.day, dict(found))


def _of_task(one: _TaskDay, scene: Scene) -> tuple[list[Entry], Band | None]:
    """The task's entries one by one; or those that did not go well, and a band for the others."""
    if one.total > scene.limits.agenda_fires:
        listed = [entry_of_run(run, scene) for run in one.runs if run.status != "completed"]
        listed = listed[: scene.limits.agenda_fires]
        return listed, _band(one, listed)
    listed = [entry_of_run(run, scene) for run in one.runs]
    there = {each.key for each in listed}
    ahead = [] if one.plan is None else [entry_of_fire(one.task, at, scene) for at in one.plan.kept]
    # The clock was set back: a fire that comes again has its entry already.
    return [*listed, *(each for each in ahead if each.key not in there)], None


def _band(one: _TaskDay, listed: list[Entry]) -> Band:
    """What of the task's day is not listed."""
    hidden: Counter[State] = Counter()
    times: list[Instant] = []
    for count in one.counts:
        hidden[STATES[count.status]] += count.number
        times += (count.first, count.last)
    hidden.subtract(Counter(each.state for each in listed))
    if one.plan is not None:
        hidden[state_ahead(one.task)] += one.plan.number
        times += (one.plan.first, one.plan.last)
    left: Counts = {state: number for state, number in hidden.items() if number > 0}
    task = one.task
    words = _words(left, is_all=not listed)
    return Band(task.id, task.name, task.agent_id, one.day, min(times), max(times), left, words)


def _words(counts: Counts, *, is_all: bool) -> str:
    """`80 done, 63 to come`; beside others that are listed `143 more: 80 done, 63 to come`, or
    `143 more done`."""
    words = tally_words(counts)
    if is_all:
        return words
    number = f"{sum(counts.values()):,} more"
    return f"{number}: {words}" if len(counts) > 1 else f"{number} {words.partition(' ')[2]}"
