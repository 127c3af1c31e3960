"""What did not come back: runs that time out, and events that nobody took."""

from nod.domain.instant import Instant
from nod.domain.model import Event, Run
from nod.domain.states import next_event_state, run_can
from nod.domain.words import clock_words, duration_words
from nod.engine import notify
from nod.engine.batches import Item, Work
from nod.engine.ending import end
from nod.engine.looks import look_over
from nod.store.events import Settled
from nod.store.store import Tx

BATCH = 200


async def next_rescue_at(tx: Tx) -> Instant | None:
    """When the next run times out, retry comes due, event expires or question needs a look."""
    times = (
        await tx.runs.next_deadline(),
        await tx.runs.next_retry_at(),
        await tx.events.next_expiry(),
        await tx.chat.next_decision_at(),
    )
    return min((each for each in times if each is not None), default=None)


async def _overdue(tx: Tx, limit: int) -> list[Item[Run]]:
    found = await tx.runs.overdue(tx.now, limit)
    return [Item(run.id, run.deadline_at or 0, run) for run in found]


async def _time_out_all(tx: Tx, runs: list[Run]) -> None:
    for run in runs:
        await _time_out(tx, run)


async def _time_out(tx: Tx, run: Run) -> None:
    taken_up = run.started_at is not None
    seen = "no sign of life" if taken_up else "delivered, and not taken up"
    await end(tx, run, "time_out", error=f"timeout: {seen} for {duration_words(run.timeout_s)}")


async def _expired(tx: Tx, limit: int) -> list[Item[Event]]:
    found = await tx.events.expired(tx.now, limit)
    return [Item(event.id, event.expires_at or 0, event) for event in found]


async def _bury_all(tx: Tx, events: list[Event]) -> None:
    for event in events:
        await _bury(tx, event)


async def _bury(tx: Tx, event: Event) -> None:
    """The event's time is over. Its run ends, unless the agent has found it another way."""
    run = None if event.run_id is None else await tx.runs.get(event.run_id)
    why = "nobody took it in time" if event.error is None else event.error
    dead = Settled(next_event_state("bury", event.state), None, tx.now, why, event.id, event.state)
    await tx.events.settle([dead])
    tx.effects.fact(
        "event_dead", event_id=event.id, run_id=event.run_id, agent_id=event.agent_id, reason=why
    )
    if run is None or not run_can("outlive", run.status):
        return
    if run.useful_until is not None and run.useful_until <= tx.now:
        await _outlive(tx, run)
    else:
        await end(tx, run, "undeliverable", error=f"delivery: {why}")


async def _outlive(tx: Tx, run: Run) -> None:
    """The run is of no use any more. The person is asked whether to run it all the same."""
    task = await tx.tasks.known(run.task_id)
    until = clock_words(run.useful_until or tx.now, task.timezone)
    missed = "nobody had looked at its call" if run.held else "the agent was not reached"
    ended = await end(tx, run, "outlive", reason=f"useful until {until}; {missed} by then")
    if run.held:
        await look_over(tx, [ended])
    elif task.deleted_at is None:
        asked = await tx.chat.ask_still_wanted(task, ended, tx.now, tx.limits.decision_expires_s)
        await notify.request_opened(tx, asked)


OVERDUE_RUNS = Work("run", _overdue, _time_out_all, BATCH)
EXPIRED_EVENTS = Work("event", _expired, _bury_all, BATCH)
