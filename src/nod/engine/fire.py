"""Due tasks become runs. This is where a fire turns into a run.

One transaction claims a batch of due tasks, decides by their policies which fires run and which
are recorded as skipped, writes runs and events, and moves every task to its next fire. The key on
(task_id, scheduled_for) makes a second run of the same fire impossible.
"""

from dataclasses import dataclass, field, replace
from functools import partial

from nod.domain.fires import Due, due_fires, paused_reason
from nod.domain.instant import SECOND, Instant
from nod.domain.model import Event, Run, RunTrigger, Task
from nod.domain.policy import PlannedFire, decide_overlap
from nod.domain.runs import (
    in_queue,
    make_run,
    skipped_run,
    trigger_of_fire,
    underway,
    waits_as_retry,
)
from nod.domain.tracing import Trace
from nod.domain.words import clock_words
from nod.engine import notify
from nod.engine.batches import Item, Work
from nod.engine.budgets import Ledger
from nod.engine.drafts import Draft, Drafts, step
from nod.engine.ending import cancel_all
from nod.engine.outbox import make_run_event
from nod.store.effects import Outgoing
from nod.store.store import Tx
from nod.store.tasks import Advance, DueTask

BATCH = 2_000
_REPLACED = "a newer run of its task took its place"


@dataclass(slots=True)
class _Batch:
    """What one transaction is going to write."""

    runs: list[Run] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    steps: list[Advance] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # of the tasks, for the log

    def take(self, draft: Draft) -> None:
        self.runs.append(draft.run)
        self.events.append(draft.event)
        self.steps.append(draft.step)
        self.names[draft.run.task_id] = draft.task_name


async def _due_tasks(tx: Tx, limit: int) -> list[Item[DueTask]]:
    due = await tx.tasks.due(tx.now, limit)
    return [Item(each.id, each.fire_at, each) for each in due]


async def _fire_all(drafts: Drafts, tx: Tx, due: list[DueTask]) -> None:
    """Fire tasks that are due.

    1. Take what was drafted, or let the task's policies and budgets decide what becomes of its
       fires.
    2. Write the runs and their events, and step every task to its next fire.
    """
    batch, ledger = _Batch(), Ledger(tx)
    if any(each.is_budgeted for each in due):
        await ledger.keep(each.agent_id for each in due)
    for each in due:
        draft = drafts.fitting(each, tx.now)
        if draft is None:
            active = await tx.runs.active(each.id) if each.busy else []
            await _fire(tx, each.task, active, batch, ledger)
        else:
            batch.take(draft)
    await _write(tx, batch)


async def fire_task(tx: Tx, task_id: str) -> None:
    """Fire one task, if it is due. Before a task is changed, what has come due is fired as it was.

    Raises whatever is wrong with the task.
    """
    task = await tx.tasks.get(task_id)
    if task is None or not _is_due(task, tx.now):
        return
    batch = _Batch()
    await _fire(tx, task, await tx.runs.active(task.id), batch, Ledger(tx))
    await _write(tx, batch)


def _is_due(task: Task, now: Instant) -> bool:
    return task.next_fire_at is not None and task.next_fire_at <= now


async def _fire(tx: Tx, task: Task, active: list[Run], batch: _Batch, ledger: Ledger) -> None:
    plan = due_fires(task, tx.now, tx.limits)
    trigger = trigger_of_fire(task)
    batch.names[task.id] = task.name
    if plan.fires and not task.enabled:
        # They pass unrun; a retry that outlasted them would be older than what nobody wanted.
        await _replace_retries(tx, active)
    known = await _fired_before(tx, task)
    batch.runs += _missed_entry(task, tx.now, plan, trigger, known)
    for fire in _newest_alone(task, plan.fires):
        if fire.scheduled_for in known:
            continue
        if fire.skip_reason is None:
            run = await _as_allowed(tx, task, fire.scheduled_for, trigger, active, ledger)
        else:
            run = skipped_run(task, tx.now, fire.scheduled_for, trigger, fire.skip_reason)
        batch.runs.append(run)
        if run.status == "pending":
            active.append(run)
            batch.events.append(make_run_event(tx.now, task, run, tx.limits, traced=tx.traced))
        elif fire.scheduled_for == plan.still_wanted:
            asked = await tx.chat.ask_still_wanted(task, run, tx.now, tx.limits.decision_expires_s)
            await notify.request_opened(tx, asked)
    batch.steps.append(step(task, plan, tx.now))


async def _fired_before(tx: Tx, task: Task) -> set[Instant]:
    """Fires that come again although they have their entry: the clock was ahead, and was set back
    before an edit computed the next fire."""
    first = task.next_fire_at
    if first is None or first > task.fired_until:
        return set()
    return await tx.runs.fired(task.id, first, tx.now)


def _missed_entry(
    task: Task, now: Instant, plan: Due, trigger: RunTrigger, known: set[Instant]
) -> list[Run]:
    """The one entry for the oldest misses, when there are too many to list one by one."""
    if plan.missed_from is None:
        return []
    why = "missed while Nod was not running" if task.enabled else paused_reason(task)
    reason = f"{why}; this entry stands for all fires of that time"
    # Where the first of them has its run already, the entry stands beside it: no fire is there.
    start = plan.missed_from + (plan.missed_from in known)
    return [skipped_run(task, now, start, trigger, reason, plan.missed_until)]


def _newest_alone(task: Task, fires: tuple[PlannedFire, ...]) -> tuple[PlannedFire, ...]:
    """Where a newer run cancels the older, only the newest of several missed fires is made."""
    if task.overlap != "cancel_previous" or len(fires) < 2:
        return fires
    older = [replace(fire, skip_reason=fire.skip_reason or _REPLACED) for fire in fires[:-1]]
    return (*older, fires[-1])


async def _as_allowed(
    tx: Tx,
    task: Task,
    scheduled_for: Instant,
    trigger: RunTrigger,
    active: list[Run],
    ledger: Ledger,
) -> Run:
    """The run, or the entry that says why there is none, given the runs still under way and what
    is left of budgets."""
    going, queue = underway(active, tx.now), in_queue(active, tx.now)
    verdict = decide_overlap(task.overlap, task.trigger_type, len(going), len(queue), tx.limits)
    if verdict == "skip":
        reason = overlap_reason(task, going or queue, len(queue))
        return skipped_run(task, tx.now, scheduled_for, trigger, reason)
    refusal = await ledger.refusal(task)
    if refusal is not None:
        return skipped_run(task, tx.now, scheduled_for, trigger, refusal)
    if verdict == "cancel_previous":
        await cancel_all(tx, active, _REPLACED)
        active.clear()
    await _replace_retries(tx, active)
    await ledger.begun(task)
    return make_run(task, tx.now, scheduled_for, trigger, queued=verdict == "queue")


async def _replace_retries(tx: Tx, active: list[Run]) -> None:
    """A fire takes the place of the retries that have not begun."""
    for retry in [run for run in active if waits_as_retry(run, tx.now)]:
        await cancel_all(tx, [retry], "the next fire of its task came first")
        active.remove(retry)


def overlap_reason(task: Task, going: list[Run], queued: int) -> str:
    """Why a fire did not run, for the person: which run was in its way."""
    at = clock_words(going[0].scheduled_for, task.timezone)
    if queued:
        return f"the {at} run was still going, and {queued} more waited behind it"
    return f"the {at} run was still going"


async def _write(tx: Tx, batch: _Batch) -> None:
    await tx.runs.insert(batch.runs)
    await tx.events.insert(batch.events)
    await tx.tasks.advance(batch.steps)
    for event in batch.events:
        if event.state == "pending":
            tx.effects.outbox.append(Outgoing(event))
            tx.effects.change(event.agent_id)
        tx.effects.timer("rescue", event.expires_at)
    for run in batch.runs:
        tx.effects.fact(
            "skipped" if run.status == "skipped" else "fired",
            task_id=run.task_id,
            task_name=batch.names[run.task_id],
            run_id=run.id,
            agent_id=run.agent_id,
            late_s=(tx.now - run.scheduled_for) / SECOND,
            reason=run.reason,
        )


async def set_aside(tx: Tx, task_id: str, error: str) -> None:
    """Pause a due task that cannot be fired, so that it holds up no other.

    A fire that Nod itself cannot make (a zone that the newest zone data has dropped, say) is a
    fault to be seen by a person, not one to be tried each second.
    """
    task = await tx.tasks.get(task_id)
    if task is None or task.next_fire_at is None or task.next_fire_at > tx.now:
        return
    fire = task.next_fire_at
    reason = f"Nod could not fire it: {error}"
    entry = skipped_run(task, tx.now, fire, trigger_of_fire(task), reason)
    if not await tx.runs.fired(task.id, fire, fire):
        await tx.runs.insert([entry])
    stopped = replace(
        task,
        enabled=False,
        pause_reason=reason,
        next_fire_at=None,
        fired_until=fire,
        updated_at=tx.now,
    )
    await tx.tasks.update(stopped)
    await tx.chat.add_activity(
        task.agent_id, "task_paused", f"{task.name} is paused", reason, task.id, entry.id, tx.now
    )
    await notify.task_paused(tx, task, entry, reason)
    tx.effects.fact(
        "task_paused",
        task_id=task.id,
        task_name=task.name,
        agent_id=task.agent_id,
        reason=reason,
    )


def due_tasks(drafts: Drafts) -> Work[DueTask]:
    """The firing of whatever is due."""
    return Work("task", _due_tasks, partial(_fire_all, drafts), BATCH, set_aside)


async def run_now(tx: Tx, task: Task, trace: Trace | None = None) -> Run:
    """Make a run of the task at once, because a person or its agent wants one.

    It waits for a run that is under way, unless the task allows overlap; it is never skipped, and
    no budget stops it. `trace` is that of whoever wants it.
    """
    task = await tx.tasks.get(task.id) or task  # as it is now, and kept from others
    active = await tx.runs.active(task.id)
    going = underway(active, tx.now)
    if task.overlap == "cancel_previous":
        await cancel_all(tx, active, _REPLACED)
    queued = bool(going) and task.overlap in ("skip", "queue")
    run = make_run(task, tx.now, tx.now, "manual", queued=queued, trace=trace)
    batch = _Batch(
        [run],
        [make_run_event(tx.now, task, run, tx.limits, traced=tx.traced)],
        names={task.id: task.name},
    )
    await _write(tx, batch)
    return run
