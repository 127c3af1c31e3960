"""All about one result: how its run went, and what it changed."""

from dataclasses import dataclass

from nod.actions.owned import owned_run
from nod.domain.changes import Changes, compare
from nod.domain.limits import Limits
from nod.domain.model import Delivery, Run, Task, User
from nod.domain.moments import since_words
from nod.domain.strip import Cell, strip
from nod.domain.timeline import Timeline, timeline
from nod.engine.settle import summary_of
from nod.store.store import Tx

_BRINGS_A_RUN = ("task_due", "task_trigger")


@dataclass(frozen=True, slots=True)
class ResultSheet:
    """A run with its text, its neighbours in the task, and its life.

    `previous` and `next` completed or failed. `former` is the last one before that completed, and
    None where there is nothing to compare: the run has not completed, or is the first.
    """

    run: Run
    text: str | None
    previous: Run | None
    next: Run | None
    former: Run | None
    former_text: str | None
    since: str | None  # when the former one was due, for `Changes.summary`
    timeline: Timeline

    def changes(self, limits: Limits) -> Changes | None:
        """What the result changed since `former`. Takes a moment for long texts: not for the
        thread that answers everybody."""
        if self.former is None:
            return None
        return compare(self.former_text or "", self.text or "", limits)


async def result_sheet(tx: Tx, user: User, run_id: str) -> ResultSheet:
    """Everything about one of the person's runs. Raises NotFound."""
    run = await owned_run(tx, user, run_id)
    former = await tx.runs.completed_before(run) if run.status == "completed" else None
    return ResultSheet(
        run,
        await summary_of(tx, run),
        await tx.runs.ended_before(run),
        await tx.runs.ended_after(run),
        former,
        None if former is None else await summary_of(tx, former),
        None if former is None else since_words(former.scheduled_for, tx.now, user.timezone),
        await _life(tx, user, run),
    )


async def timeline_of(tx: Tx, user: User, run_id: str) -> Timeline:
    """The life of one of the person's runs. Raises NotFound."""
    return await _life(tx, user, await owned_run(tx, user, run_id))


async def strip_of(tx: Tx, user: User, task: Task) -> tuple[Cell, ...]:
    """The task's newest entries as cells, the oldest first; at most `Limits.strip_runs`."""
    return strip(await tx.runs.of_task(task.id, tx.limits.strip_runs), user.timezone)


async def _life(tx: Tx, user: User, run: Run) -> Timeline:
    attempts: list[Delivery] = []
    for event in await tx.events.of_run(run.id):
        if event.type in _BRINGS_A_RUN:  # answers to its questions are its events as well
            attempts += await tx.events.deliveries_of_event(event.id)
    attempts.sort(key=lambda each: (each.created_at, each.id))
    return timeline(run, attempts, await tx.runs.questions(run.id), tx.now, user.timezone)
