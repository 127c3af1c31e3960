"""A person's tasks at a glance: what comes next, what came last, and the newest runs of each."""

from collections import defaultdict
from dataclasses import dataclass

from nod.actions.owned import owned_task
from nod.domain.instant import Instant
from nod.domain.model import Agent, Run, Task, User
from nod.domain.schedule_preview import SchedulePreview, preview_of, sentence
from nod.domain.strip import Cell, strip
from nod.domain.task_fields import has_fire
from nod.store.store import Tx

_NEXT_FIRES = 5


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task in the list. `words` is its schedule, `last` its newest run that ended with a
    result or failed."""

    task: Task
    agent: Agent
    words: str
    cells: tuple[Cell, ...]
    last: Run | None

    @property
    def finished(self) -> bool:
        """It has no fire left: it did not stop, it is done."""
        return not self.task.enabled and not has_fire(self.task)


@dataclass(frozen=True, slots=True)
class TaskBoard:
    """All tasks by what they do next: fire by themselves, wait for a call, or rest."""

    coming: tuple[TaskLine, ...]
    called: tuple[TaskLine, ...]
    resting: tuple[TaskLine, ...]
    agents: tuple[Agent, ...]


@dataclass(frozen=True, slots=True)
class TaskStory:
    """One task with its next fires and a page of its entries; `earlier` is the last of them when
    there are older ones."""

    line: TaskLine
    preview: SchedulePreview
    runs: tuple[Run, ...]
    earlier: str | None


async def board(tx: Tx, user: User, agent_id: str | None = None) -> TaskBoard:
    """The tasks of the person's agents, or of one of them, in three statements."""
    agents = await tx.people.agents_of(user.id)
    named = {each.id: each for each in agents}
    newest: dict[str, list[Run]] = defaultdict(list)
    for run in await tx.runs.newest_of_user(user.id, tx.limits.strip_runs):
        newest[run.task_id].append(run)
    lines = [
        _line(task, named[task.agent_id], newest[task.id], user)
        for task in await tx.tasks.of_user(user.id)
        if agent_id is None or task.agent_id == agent_id
    ]
    coming = [each for each in lines if each.task.enabled and each.task.trigger_type != "event"]
    return TaskBoard(
        tuple(sorted(coming, key=_fires_at)),
        tuple(each for each in lines if each.task.enabled and each.task.trigger_type == "event"),
        tuple(each for each in lines if not each.task.enabled),
        tuple(each for each in agents if each.kind == "interactive"),
    )


async def task_line(tx: Tx, user: User, task_id: str) -> TaskLine:
    """One of the person's tasks. Raises NotFound."""
    task, agent = await owned_task(tx, user, task_id)
    return _line(task, agent, await tx.runs.of_task(task_id, tx.limits.strip_runs), user)


async def story(tx: Tx, user: User, task_id: str, before: str | None, size: int) -> TaskStory:
    """One of the person's tasks with `size` of its entries, those older than the run `before`.

    Raises NotFound.
    """
    line = await task_line(tx, user, task_id)
    last = None if before is None else await tx.runs.get(before)
    if last is None or last.task_id != task_id:
        found = await tx.runs.of_task(task_id, size + 1)
    else:
        found = await tx.runs.of_task(task_id, size + 1, (last.scheduled_for, last.id))
    return TaskStory(
        line,
        preview_of(line.task, tx.now, _NEXT_FIRES),
        tuple(found[:size]),
        found[size - 1].id if len(found) > size else None,
    )


def _line(task: Task, agent: Agent, runs: list[Run], user: User) -> TaskLine:
    last = next((each for each in runs if each.status in ("completed", "failed")), None)
    return TaskLine(task, agent, sentence(task), strip(runs, user.timezone), last)


def _fires_at(line: TaskLine) -> tuple[bool, Instant, str]:
    at = line.task.next_fire_at
    return (at is None, at or 0, line.task.id)
