"""The agenda of the sample: a harbour with much to do, whatever the hour at which one looks."""

from collections.abc import Iterator
from dataclasses import replace

from nod.actions.agents import Credentials
from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from nod.domain.model import Run, Task, new_id
from nod.domain.runs import make_run, skipped_run
from nod.domain.schedule import fires
from nod.store.store import Tx
from support.inprocess import InProcess

_KEPT = 28 * DAY
# Each with its schedule, how long its runs take, and the texts of every so many that failed.
_TASKS = (
    ("Health check", "0 * * * *", 40 * SECOND, 190, "The pump room did not answer."),
    ("Watch the queue", "*/10 * * * *", 8 * SECOND, 1500, "The queue was locked."),
    ("Tide table", "15 5,17 * * *", 4 * MINUTE, 0, ""),
    ("Harbour log", "5 9-21/4 * * *", 50 * MINUTE, 0, ""),
    ("Crew list", "30 9,13 * * 1-6", 12 * MINUTE, 9, "The sheet has no column named Watch."),
    ("Lights and buoys", "45 20 * * *", 6 * MINUTE, 0, ""),
)


async def fill_agenda(nod: InProcess, who: Credentials) -> None:
    """Give the agent tasks with a past and a future: done, failed, skipped, under way, to come."""
    tasks = [await nod.add_task(who, cron, name=name, overlap="skip") for name, cron, *_ in _TASKS]
    away = await nod.add_task(who, "0 12 * * *", name="Water the plants")

    async def fill(tx: Tx) -> None:
        for task, (_, _, length, failing, error) in zip(tasks, _TASKS, strict=True):
            await tx.runs.insert(list(_past(task, tx.now, length, failing, error)))
        await tx.runs.insert([*_going(tasks[3], tx.now), _missed(away, tx.now)])
        resting = replace(away, enabled=False, pause_reason="on holiday until 2 December")
        await tx.tasks.update(resting)

    await nod.nod.store.write(fill)


def _past(task: Task, now: Instant, length: Instant, failing: int, error: str) -> Iterator[Run]:
    due = list(fires(task.schedule, task.timezone, now - _KEPT, now - length))
    for place, at in enumerate(reversed(due), 2):
        run = replace(make_run(task, at, at, "schedule"), id=new_id("run", at))
        begun = replace(run, delivery="delivered", delivered_at=at, started_at=at + SECOND)
        took = length * (80 + place * 37 % 50) // 100
        ended = replace(begun, finished_at=at + took)
        if failing and place % failing == 3:
            yield replace(ended, status="failed", error=f"agent: {error}")
        elif length > 2 * MINUTE and place % 7 == 5:
            yield skipped_run(task, at, at, "schedule", "the run before was still going")
        else:
            yield replace(ended, status="completed", summary="All is well.")


def _going(task: Task, now: Instant) -> Iterator[Run]:
    """A run that began some minutes ago and has not ended."""
    run = replace(make_run(task, now, now - 25 * MINUTE, "manual"), id=new_id("run", now))
    yield replace(run, status="running", delivery="delivered", started_at=now - 24 * MINUTE)


def _missed(task: Task, now: Instant) -> Run:
    """One entry for all that was missed while nobody was there."""
    reason = "missed while Nod was not running; this entry stands for all fires of that time"
    start = now - 3 * DAY
    return skipped_run(task, now - DAY, start, "schedule", reason, start + 9 * HOUR)
