"""A person's tasks at a glance: what comes next, what came last, and the newest runs of each."""

from collections import defaultdict
from dataclasses import dataclass

from nod.actions.owned import owned_task
from nod.domain.errors import InvalidInput
from nod.domain.instant import Instant
from nod.domain.model import Agent, Run, Task, User
from nod.domain.schedule_preview import SchedulePreview, description, preview_of, zone_words
from nod.domain.strip import Cell, strip
from nod.domain.task_fields import has_fire
from nod.store.store import Tx

_NEXT_FIRES = 5


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task in the list. `words` is its schedule, with the zone where that is not the person's;
    `last` its newest run that ended with a result or failed."""

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
    """All tasks by what starts them: the clock, the next one first, or a call; and those that have
    no fire left. A paused one keeps its place: it is where one looks for it to set it going."""

    timed: tuple[TaskLine, ...]
    called: tuple[TaskLine, ...]
    finished: tuple[TaskLine, ...]
    agents: tuple[Agent, ...]

    def waiting(self, agent_id: str) -> int:
        """How many of the agent's newest runs wait to be taken up."""
        lines = [*self.timed, *self.called, *self.finished]
        cells = [each for line in lines if line.agent.id == agent_id for each in line.cells]
        return sum(each.state == "pending" for each in cells)


@dataclass(frozen=True, slots=True)
class TaskStory:
    """One task with its next fires and a page of its entries; `earlier` is the last of them when
    there are older ones. `trouble` says why there is no preview."""

    line: TaskLine
    preview: SchedulePreview | None
    trouble: InvalidInput | None
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
    going = [each for each in lines if not each.finished]
    timed = [each for each in going if each.task.trigger_type != "event"]
    return TaskBoard(
        tuple(sorted(timed, key=_fires_at)),
        tuple(each for each in going if each.task.trigger_type == "event"),
        tuple(each for each in lines if each.finished),
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
    preview, trouble = _preview(line.task, tx.now)
    earlier = found[size - 1].id if len(found) > size else None
    return TaskStory(line, preview, trouble, tuple(found[:size]), earlier)


def _preview(task: Task, now: Instant) -> tuple[SchedulePreview | None, InvalidInput | None]:
    try:
        return preview_of(task, now, _NEXT_FIRES), None
    except InvalidInput as error:  # a zone that the zone data no longer has
        return None, error


def _line(task: Task, agent: Agent, runs: list[Run], user: User) -> TaskLine:
    last = next((each for each in runs if each.status in ("completed", "failed")), None)
    return TaskLine(task, agent, _words(task, user), strip(runs, user.timezone), last)


def _words(task: Task, user: User) -> str:
    away = task.trigger_type != "event" and task.timezone != user.timezone
    try:
        return description(task) + (f", {zone_words(task.timezone)}" if away else "")
    except InvalidInput:  # a zone that the zone data no longer has
        return f"Once, in {task.timezone}"


def _fires_at(line: TaskLine) -> tuple[bool, Instant, str]:
    at = line.task.next_fire_at
    return (at is None, at or 0, line.task.id)
