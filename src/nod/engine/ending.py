"""How a run ends, whoever ends it, and everything that follows from its end."""

from collections.abc import Sequence
from dataclasses import replace

from nod.domain.errors import Conflict
from nod.domain.instant import MINUTE, SECOND
from nod.domain.model import Channel, Run, Task
from nod.domain.policy import Hold, hold, may_retry, retry_delay_s
from nod.domain.runs import at_end, make_run, underway
from nod.domain.states import RunStatus, next_run_status
from nod.domain.task_fields import is_paused
from nod.engine import budgets, notify
from nod.engine.looks import look_over
from nod.engine.outbox import announce, expiry, make_run_event, put
from nod.store.store import Tx


async def move(tx: Tx, before: Run, after: Run) -> Run:
    """Store a change of state. Raises Conflict when the run is no longer as it was read."""
    if not await tx.runs.move(after, before.status):
        raise Conflict(f"run {before.id} has just changed; look at it again")
    tx.effects.timer("rescue", after.deadline_at)
    tx.effects.change(after.id, after.agent_id)
    return after


async def end(
    tx: Tx, run: Run, verb: str, *, error: str | None = None, reason: str | None = None
) -> Run:
    """Nod ends a run: by `time_out`, `undeliverable`, `outlive` or `cancel`.

    Raises Conflict when a run in that state cannot end so.
    """
    ended = replace(
        run, status=next_run_status(verb, run.status, run.id), error=error, reason=reason
    )
    if verb == "undeliverable":
        ended = replace(ended, delivery="failed")
    return await finish(tx, run, ended)


async def finish(
    tx: Tx, before: Run, after: Run, *, via: Channel | None = None, frees: bool = True
) -> Run:
    """Store the end of a run and what follows from it.

    `via` is the channel by which the run's event has reached the agent that reports the end;
    None when Nod ends the run. `frees`: it may be the turn of others now.

    1. The run itself, its scratchpad emptied.
    2. Its questions close, and its event is not sent any more.
    3. The chat shows it, and nothing of "Thinking…" about it.
    4. What it has used counts to the day, and to budgets.
    5. Its task learns of it: last result, failures in a row, retry.
    6. Those of its task's runs that wait in the queue go whose turn has come.
    """
    ended = at_end(after, tx.now)
    await move(tx, before, ended)
    around = await tx.runs.end_of(ended)
    if around.has_context:
        await tx.runs.clear_context(ended.id)
    if around.has_questions:
        await _close_questions(tx, ended)
    await _settle_event(tx, ended, via)
    if around.shown_in is not None and ended.status in ("completed", "failed"):
        await tx.chat.put_bubble(around.shown_in, ended, ended.summary or "", tx.now)
    if around.is_thinking:
        # An agent that works on something else as well says so again with its next heartbeat.
        await tx.people.set_thinking(ended.agent_id, None, None, None)
        tx.effects.fact("thinking_over", agent_id=ended.agent_id)
    task = around.task
    await budgets.count(tx, before, ended, task, around.zone)
    if task.deleted_at is None:
        task = await _tell_task(tx, task, ended, told=around.has_reader)
    if around.has_queue and frees:
        await release(tx, task)
    tx.effects.fact(
        "run_ended",
        run_id=ended.id,
        task_id=ended.task_id,
        task_name=around.task.name,
        agent_id=ended.agent_id,
        status=ended.status,
        error=ended.error,
        reason=ended.reason,
        seconds=_seconds(ended),
    )
    return ended


async def cancel(tx: Tx, run: Run, reason: str) -> Run:
    """End a run that nobody wants any more. Raises Conflict when it has ended already."""
    ended = await end(tx, run, "cancel", reason=reason)
    await look_over(tx, [ended])
    return ended


async def cancel_all(tx: Tx, runs: Sequence[Run], reason: str) -> None:
    """End all active runs of a task, or some. Raises Conflict when one has ended already."""
    # Those in the queue first: none may get its turn while the others are cancelled.
    for run in sorted(runs, key=lambda each: not each.queued):
        await end(tx, run, "cancel", reason=reason)
    await look_over(tx, runs)


async def go_over(tx: Tx, run: Run, reason: str, *, frees: bool = True) -> None:
    """A run that was made earlier does not begin: a budget is used up by now."""
    status = next_run_status("go_over", run.status, run.id)
    await finish(tx, run, replace(run, status=status, reason=reason), frees=frees)


async def release(tx: Tx, task: Task) -> None:
    """Let the task's queued runs go whose turn has come: the oldest, or all where they may
    overlap."""
    while True:
        queued = await tx.runs.next_queued(task.id, by_hand_first=is_paused(task))
        if queued is None or await holds(tx, task, queued) is not None:
            return
        if queued.useful_until is not None and queued.useful_until <= tx.now:
            # The rescue stage ends it, and then the next one gets its turn.
            tx.effects.timer("rescue", queued.useful_until)
            return
        refusal = await budgets.Ledger(tx).refusal(task, queued)
        if refusal is not None:
            await go_over(tx, queued, refusal, frees=False)
            continue
        await _let_go(tx, queued)
        if task.overlap != "allow":
            return


async def holds(tx: Tx, task: Task, queued: Run) -> Hold | None:
    """What a queued run of the task still waits for; None: its turn has come."""
    return hold(
        task.overlap,
        paused=is_paused(task),
        by_hand=queued.trigger == "manual",
        underway=len(underway(await tx.runs.active(task.id), tx.now)),
    )


async def _let_go(tx: Tx, queued: Run) -> None:
    await move(tx, queued, replace(queued, queued=False))
    await tx.events.release(queued.id, tx.now, expiry(queued, tx.now, tx.limits))
    payload = await tx.runs.payload(queued.id)
    for event in await tx.events.of_run(queued.id):
        announce(tx, event, payload)


async def _close_questions(tx: Tx, run: Run) -> None:
    for decision in await tx.chat.open_decisions(run.id):
        await tx.chat.dismiss(decision, tx.now)
        tx.effects.change(decision.id)


async def _settle_event(tx: Tx, run: Run, via: Channel | None) -> None:
    """The event that brought the run has no more to say."""
    if via is None:
        await tx.events.settle_run(run.id, "dead", None, tx.now, run.error or run.reason)
    else:
        await tx.events.settle_run(run.id, "acknowledged", via, tx.now, None)


async def _tell_task(tx: Tx, task: Task, run: Run, *, told: bool) -> Task:
    """The task as it goes on. `told`: the person has somewhere to be notified."""
    if run.status == "failed":
        retried = await _retry(tx, task, run)
        after = await _failed(tx, task, run, retried)
        await notify.run_ended(tx, task, run, retried=retried, told=told)
        return after
    if run.status == "completed":
        await _succeeded(tx, task, run)
        await notify.run_ended(tx, task, run, retried=False, told=told)
    else:
        await _set_outcome(tx, task, run.status, task.failures)
    return task


async def _set_outcome(tx: Tx, task: Task, status: RunStatus, failures: int) -> None:
    """Write the task's last result, which mostly is what it was before."""
    if (task.last_run_status, task.failures) != (status, failures):
        await tx.tasks.set_outcome(task.id, status, failures)


async def _retry(tx: Tx, task: Task, run: Run) -> bool:
    """Make the next attempt where the task wants one; True when there is one."""
    taken_up = run.started_at is not None
    if not may_retry(run.attempt, task.max_attempts, task.idempotent, taken_up):
        return False
    at = tx.now + retry_delay_s(run.attempt) * SECOND
    if run.useful_until is not None and at >= run.useful_until:
        return False
    retry = make_run(task, tx.now, at, "retry", retry_of=run)
    await tx.runs.insert([retry])
    payload = await tx.runs.payload(run.id)
    if payload is not None:
        await tx.runs.copy_payload(run.id, retry.id)
    event = make_run_event(
        tx.now, task, retry, tx.limits, called=payload is not None, traced=tx.traced
    )
    await put(tx, event, payload)
    tx.effects.fact(
        "retry_planned",
        run_id=retry.id,
        retry_of=run.id,
        task_id=task.id,
        agent_id=task.agent_id,
        minutes=(at - tx.now) // MINUTE,
    )
    return True


async def _failed(tx: Tx, task: Task, run: Run, retried: bool) -> Task:
    """Count the failure; tell the person once, and pause the task that goes on failing."""
    if retried:
        await _set_outcome(tx, task, "failed", task.failures)
        return task
    failures = task.failures + 1
    await _set_outcome(tx, task, "failed", failures)
    if failures >= task.pause_after_failures and task.enabled:
        reason = f"{failures} failures in a row, the last: {run.error}"
        paused = replace(task, enabled=False, pause_reason=reason, failures=failures)
        await tx.tasks.set_paused(paused, tx.now)
        await _notice(tx, task, run, "task_paused", f"{task.name} is paused", reason)
        await notify.task_paused(tx, task, run, reason)
        return paused
    if failures == tx.limits.tell_after_failures:
        text = f"{failures} failures in a row, the last: {run.error}"
        await _notice(tx, task, run, "task_failing", f"{task.name} keeps failing", text)
    return task


async def _succeeded(tx: Tx, task: Task, run: Run) -> None:
    await _set_outcome(tx, task, "completed", 0)
    if task.failures >= tx.limits.tell_after_failures:
        text = f"It works again, after {task.failures} failures in a row."
        await _notice(tx, task, run, "task_recovered", f"{task.name} works again", text)


async def _notice(tx: Tx, task: Task, run: Run, kind: str, title: str, text: str) -> None:
    """One card in the chat and one line of activity."""
    await tx.chat.add_activity(task.agent_id, kind, title, text, task.id, run.id, tx.now)
    await tx.chat.add_notice(task.agent_id, f"{title}: {text}", tx.now)
    tx.effects.fact(kind, task_id=task.id, agent_id=task.agent_id, reason=text)


def _seconds(run: Run) -> float | None:
    started = run.started_at
    return (
        None if started is None or run.finished_at is None else (run.finished_at - started) / 1000
    )
