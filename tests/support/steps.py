"""What tests of the engine do again and again, in words of their own."""

from typing import Any

from nod.domain.instant import Instant, parse_rfc3339
from nod.domain.model import Activity, Decision, Event, Run, Task
from nod.engine import settle
from nod.engine.batches import Batches, Work
from nod.engine.drafts import Drafts
from nod.engine.fire import BATCH, due_tasks, run_now
from nod.engine.rescue import EXPIRED_EVENTS, OVERDUE_RUNS
from nod.engine.retries import DUE_RETRIES
from nod.engine.trigger import Call, accept_call
from nod.store.runs import Delivered
from nod.store.store import Tx
from nod.store.tasks import TriggerCall
from support.world import World

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 24 * HOUR_S

FIRING = due_tasks(Drafts())
"""The firing of tasks, none of them drafted."""


def at(text: str) -> Instant:
    """`2026-03-02T09:00`, in UTC."""
    return parse_rfc3339(text + "Z", "test")


async def work_off(world: World, *works: Work[Any]) -> None:
    """Do everything that is due of this work; nothing of it may fail."""
    for work in works:
        done = Batches(world.store, work, world.clock, lambda _: None)
        await done.work_off()
        assert done.aside.waiting() == set()


async def fire_due(tx: Tx, limit: int = BATCH) -> int:
    """Fire what is due, in this transaction; how many tasks that were."""
    due = await FIRING.due(tx, limit)
    await FIRING.handle(tx, [each.thing for each in due])
    return len(due)


async def fire(world: World) -> None:
    """Fire everything due."""
    await work_off(world, FIRING)


async def fire_after(world: World, seconds: float) -> None:
    """Let time pass, then fire."""
    world.clock.advance(seconds)
    await fire(world)


async def rescue(world: World) -> None:
    """End what is overdue, and let the retries go whose time has come."""
    await work_off(world, OVERDUE_RUNS, DUE_RETRIES, EXPIRED_EVENTS)


async def rescue_after(world: World, seconds: float) -> None:
    """Let time pass, then end what is overdue."""
    world.clock.advance(seconds)
    await rescue(world)


async def newest(world: World, task: Task) -> Run:
    """The task's newest entry."""
    return (await world.runs(task))[-1]


async def events(world: World, run: Run) -> list[Event]:
    """The events of the run."""
    return await world.store.read(lambda tx: tx.events.of_run(run.id))


async def now(world: World, task: Task) -> Run:
    """A person wants a run of the task."""
    fresh = await world.get(task)
    return await world.store.write(lambda tx: run_now(tx, fresh))


async def call(world: World, task: Task, key: str | None = None, body: str = "{}") -> TriggerCall:
    """A verified call of the task's trigger."""
    fresh = await world.get(task)
    return await world.store.write(lambda tx: accept_call(tx, fresh, Call(body, "{}", key)))


async def called(world: World, task: Task) -> Run:
    """The run that a call makes."""
    return await world.run((await call(world, task)).run_id)


async def start(world: World, task: Task) -> Run:
    """The agent asks for the task's oldest run."""
    fresh = await world.get(task)
    return await world.store.write(lambda tx: settle.start(tx, world.agent, fresh))


async def take_up(world: World, run: Run) -> Run:
    """The agent names the run."""
    fresh = await world.run(run.id)
    return await world.store.write(lambda tx: settle.sign_of_life(tx, fresh))


async def deliver(world: World, run: Run) -> Run:
    """The run's event reaches the agent, which says nothing yet."""
    at = world.clock.now()
    step = Delivered("delivered", at, at + world.limits.timeout_max_s * 1000, run.id)
    await world.store.write(lambda tx: tx.runs.mark_delivered([step]))
    return await world.run(run.id)


async def complete(
    world: World,
    run: Run,
    outcome: settle.Outcome = "completed",
    summary: str = "Done.",
    **more: Any,
) -> Run:
    """The agent reports the run's result."""
    return await world.store.write(
        lambda tx: settle.complete(tx, world.agent, run.id, outcome, summary, **more)
    )


async def activity(world: World) -> list[Activity]:
    """What the person is shown, the oldest first."""
    found = await world.store.read(lambda tx: tx.chat.activity_of(world.agent.id, 1000))
    return found[::-1]


async def decisions(world: World) -> list[Decision]:
    """The questions that wait for the person."""
    return await world.store.read(lambda tx: tx.chat.waiting_decisions(world.agent.id))
