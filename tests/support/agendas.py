"""Agendas as values: the store's part of one, made from runs, as the store would give it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from nod.domain.agenda import Agenda, Past, RunCount, Scene
from nod.domain.agenda_days import days_between
from nod.domain.agenda_whole import agenda
from nod.domain.instant import Instant
from nod.domain.limits import Limits
from nod.domain.model import Run, Task
from nod.domain.runs import make_run

LIMITS = Limits()


def done(task: Task, at: Instant, took: Instant = 0, **changed: object) -> Run:
    """A run of the task that was due then and completed after so long."""
    run = make_run(task, at, at, "schedule")
    ended = replace(run, status="completed", started_at=at, finished_at=at + took)
    return replace(ended, **changed)  # type: ignore[arg-type]


def count(runs: Sequence[Run]) -> list[RunCount]:
    """What the store counts of them."""

    def kind(run: Run) -> tuple[str, str]:
        return run.task_id, run.status

    found = []
    for _, group in groupby(sorted(runs, key=kind), kind):
        some = list(group)
        due = [each.scheduled_for for each in some]
        found.append(RunCount(some[0].task_id, some[0].status, len(some), min(due), max(due)))
    return found


def past_of(
    runs: Iterable[Run], since: Instant, until: Instant, zone: str, limits: Limits = LIMITS
) -> list[Past]:
    """What the store has of a span, day by day: no more of each task than it would give."""
    known = list(runs)
    found = []
    for day in days_between(since, until, zone):
        here = [each for each in known if day.start <= each.scheduled_for < day.end]
        listed: list[Run] = []
        for task_id in sorted({each.task_id for each in here}):
            of_task = [each for each in here if each.task_id == task_id]
            of_task.sort(key=lambda run: run.scheduled_for)
            most = limits.agenda_fires + 1
            listed += [each for each in of_task if each.status == "completed"][:most]
            listed += [each for each in of_task if each.status != "completed"][:most]
        found.append(Past(day, count(here), listed))
    return found


def agenda_of(
    tasks: Iterable[Task],
    runs: Sequence[Run],
    since: Instant,
    until: Instant,
    *,
    now: Instant,
    zone: str = "UTC",
    lengths: dict[str, Instant] | None = None,
    limits: Limits = LIMITS,
) -> Agenda:
    """The agenda of a span, with what reaches into it."""
    scene = Scene({each.id: each for each in tasks}, lengths or {}, zone, now, limits)
    before = [each for each in runs if each.scheduled_for < since]
    return agenda(past_of(runs, since, until, zone, limits), before, scene)
