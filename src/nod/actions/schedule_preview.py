"""The preview of a schedule: of a new task, or of an edit."""

from dataclasses import replace

from msgspec import UNSET

from nod.actions.tasks import get_own, zone_of
from nod.domain.errors import InvalidInput
from nod.domain.model import Agent, User
from nod.domain.schedule_preview import (
    SchedulePreview,
    Timed,
    change_of,
    collisions,
    median_length,
    preview_of,
)
from nod.domain.task_fields import TaskFields, blank_task, edited
from nod.store.store import Tx

# So many of a task's last runs say how long the next will take.
_LAST_RUNS = 5


async def preview_new(
    tx: Tx, user: User, agent: Agent | None, given: TaskFields, count: int
) -> SchedulePreview:
    """What the schedule of a new task means, and for an agent what it falls together with.

    Raises InvalidInput for what saving it would refuse.
    """
    if given.when is UNSET and given.schedule is UNSET:
        raise InvalidInput('say when it is to run, in when ("every weekday at 9") or in schedule')
    zone = user.timezone if agent is None else await zone_of(tx, agent)
    blank = blank_task("" if agent is None else agent.id, zone, tx.now, tx.limits)
    task = replace(edited(blank, given, zone, tx.now, tx.limits), id="")
    found = preview_of(task, tx.now, count)
    others = [] if agent is None else await _others(tx, agent, task.id)
    return replace(found, collisions=collisions(task, 0, others, tx.now, count))


async def preview_edit(
    tx: Tx, agent: Agent, task_id: str, given: TaskFields, count: int
) -> SchedulePreview:
    """What the task's schedule would be, what it falls together with, and what the edit changes.

    Raises NotFound, and InvalidInput for what saving it would refuse.
    """
    before = await get_own(tx, agent, task_id)
    after = edited(before, given, await zone_of(tx, agent), tx.now, tx.limits)
    length = median_length(await tx.runs.lengths(task_id, _LAST_RUNS))
    return replace(
        preview_of(after, tx.now, count),
        collisions=collisions(after, length, await _others(tx, agent, task_id), tx.now, count),
        change=change_of(before, after, tx.now, tx.limits),
    )


async def _others(tx: Tx, agent: Agent, task_id: str) -> list[Timed]:
    found = await tx.tasks.with_fires(agent.id, tx.limits.preview_tasks + 1)
    others = [each for each in found if each.id != task_id][: tx.limits.preview_tasks]
    return [
        Timed(each, median_length(await tx.runs.lengths(each.id, _LAST_RUNS))) for each in others
    ]
