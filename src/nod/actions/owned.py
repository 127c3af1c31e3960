"""What belongs to a person through their agents. Somebody else's is as if it did not exist."""

from nod.domain.errors import NotFound
from nod.domain.model import Agent, Delivery, Event, Run, Task, User
from nod.store.store import Tx


async def owned_run(tx: Tx, user: User, run_id: str) -> Run:
    """A run of one of the person's agents. Raises NotFound."""
    run = await tx.runs.get(run_id)
    if run is None or not await _owns(tx, user, run.agent_id):
        raise NotFound(f"you have no run {run_id[:64]}")
    return run


async def owned_task(tx: Tx, user: User, task_id: str) -> tuple[Task, Agent]:
    """A task of one of the person's agents, and the agent. Raises NotFound."""
    task = await tx.tasks.get(task_id)
    agent = None if task is None else await tx.people.agent(task.agent_id)
    if task is None or agent is None or task.deleted_at or agent.owner_id != user.id:
        raise NotFound(f"you have no task {task_id[:64]}")
    return task, agent


async def owned_delivery(tx: Tx, user: User, delivery_id: str) -> tuple[Delivery | None, Event]:
    """An attempt to reach one of the person's agents, and what it was to bring; by an event's own
    id the event alone. Raises NotFound."""
    delivery = await tx.events.delivery(delivery_id)
    event = await tx.events.get(delivery_id if delivery is None else delivery.event_id)
    if event is None or not await _owns(tx, user, event.agent_id):
        raise NotFound(f"you have no delivery {delivery_id[:64]}")
    return delivery, event


async def attempts_of_run(tx: Tx, user: User, run_id: str) -> list[Delivery]:
    """All attempts to bring what a run is about to its agent, the oldest first."""
    run = await owned_run(tx, user, run_id)
    found: list[Delivery] = []
    for event in await tx.events.of_run(run.id):
        found += await tx.events.deliveries_of_event(event.id)
    return sorted(found, key=lambda each: (each.created_at, each.id))


async def _owns(tx: Tx, user: User, agent_id: str) -> bool:
    agent = await tx.people.agent(agent_id)
    return agent is not None and agent.owner_id == user.id
