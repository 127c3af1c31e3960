"""The agenda of a person: what their agents did and will do in a span of time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nod.actions.agents import get_agent
from nod.domain.agenda import Agenda, Past, Scene, Tally
from nod.domain.agenda_clash import Clash, clashes
from nod.domain.agenda_days import Day
from nod.domain.agenda_whole import agenda, tallies
from nod.domain.model import Agent, Run, Task, User
from nod.domain.schedule_preview import median_length
from nod.domain.zones import known_timezone
from nod.store.store import Tx

# So many of a task's last runs say how long the next will take.
_LAST_RUNS = 5


@dataclass(frozen=True, slots=True)
class AgendaOf:
    """An agenda with the agents whose lanes it has, the oldest first, and what falls together."""

    agents: tuple[Agent, ...]
    agenda: Agenda
    clashes: tuple[Clash, ...]


async def agenda_of(tx: Tx, user: User, days: Sequence[Day], agent_id: str | None) -> AgendaOf:
    """The days, which follow one another, of all the person's agents or of one of them.

    Raises NotFound for an agent that is not theirs.
    """
    agents = await _agents(tx, user, agent_id)
    each = tx.limits.agenda_fires + 1
    past = [
        Past(
            day,
            await tx.runs.count_between(user.id, agent_id, day.start, day.end),
            await tx.runs.between(user.id, agent_id, day.start, day.end, each),
        )
        for day in days
    ]
    carried = await tx.runs.across(user.id, agent_id, days[0].start) if days else []
    scene = await _scene(tx, user, agent_id, past, carried)
    found = agenda(past, carried, scene)
    return AgendaOf(agents, found, clashes(found, scene.zone, tx.now))


async def tallies_of(
    tx: Tx, user: User, days: Sequence[Day], agent_id: str | None
) -> tuple[Tally, ...]:
    """How many entries each of the days has, by what came of them. Raises NotFound."""
    await _agents(tx, user, agent_id)
    past = [
        Past(day, await tx.runs.count_between(user.id, agent_id, day.start, day.end))
        for day in days
    ]
    return tallies(past, await _scene(tx, user, agent_id, past, ()))


async def _agents(tx: Tx, user: User, agent_id: str | None) -> tuple[Agent, ...]:
    if agent_id is not None:
        return (await get_agent(tx, user, agent_id),)
    return tuple(await tx.people.agents_of(user.id))


async def _scene(
    tx: Tx, user: User, agent_id: str | None, past: Sequence[Past], carried: Sequence[Run]
) -> Scene:
    tasks = {
        each.id: each
        for each in await tx.tasks.of_user(user.id)
        if agent_id in (None, each.agent_id)
    }
    seen = {count.task_id for each in past for count in each.counts}
    for task_id in (seen | {run.task_id for run in carried}) - tasks.keys():
        tasks[task_id] = await _removed(tx, task_id)
    lengths = await tx.runs.lengths_of_user(user.id, _LAST_RUNS)
    medians = {task_id: median_length(each) for task_id, each in lengths.items()}
    return Scene(tasks, medians, known_timezone(user.timezone), tx.now, tx.limits)


async def _removed(tx: Tx, task_id: str) -> Task:
    """A task that was removed: what it did remains, and it has nothing to come."""
    found = await tx.tasks.get(task_id)
    if found is None:
        raise LookupError(task_id)
    return replace(found, next_fire_at=None)
