"""An inbound call becomes a run. It is answered once the run is durable."""

from dataclasses import dataclass

from nod.domain.callers import Caller
from nod.domain.errors import Conflict, TooMany
from nod.domain.instant import MINUTE, SECOND, rfc3339
from nod.domain.model import Payload, Task
from nod.domain.policy import decide_overlap
from nod.domain.runs import in_queue, make_run, skipped_run, underway
from nod.domain.tracing import Trace
from nod.engine.budgets import Ledger
from nod.engine.ending import cancel_all
from nod.engine.fire import overlap_reason
from nod.engine.outbox import make_run_event, put
from nod.engine.quarantine import hold, must_wait
from nod.store.store import Tx
from nod.store.tasks import TriggerCall


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has been verified: its payload and its circumstances as JSON, and its key.

    `caller` is who made it, for a task with quarantine; None: a person of Nod. `trace` is where the
    call stands in its caller's trace.
    """

    payload: str
    inbound: str
    dedupe_key: str | None
    caller: Caller | None = None
    trace: Trace | None = None


async def accept_call(tx: Tx, task: Task, call: Call) -> TriggerCall:
    """Make the call's run and event, or find those of the same call made before.

    1. A call seen before answers with its first run.
    2. A paused task refuses (Conflict), and so does the rate limit (TooMany).
    3. Where the task has quarantine, a call that brings something new waits for a look.
    4. The overlap policy and budgets say whether the run goes at once, waits, or is skipped.
    """
    past = await tx.tasks.past_calls(
        task.id,
        call.dedupe_key,
        same_since=tx.now - tx.limits.dedupe_s * SECOND,
        counted_since=tx.now - MINUTE,
        now=tx.now,
        most=tx.limits.triggers_per_minute,
    )
    if past.same is not None:
        return past.same
    _check_open(tx, task, past.calls)
    if call.caller is not None and await must_wait(tx, task, call.caller):
        run = make_run(task, tx.now, tx.now, "event", held=True, trace=call.trace)
        brought = Payload(run.id, call.payload, call.inbound)
        made = await hold(tx, task, run, brought, call.caller)
    else:
        made = await _make(tx, task, call)
    if call.dedupe_key is not None:
        await tx.tasks.remember_call(task.id, call.dedupe_key, made, tx.now)
    return made


def _check_open(tx: Tx, task: Task, calls: int) -> None:
    if not task.enabled:
        why = f": {task.pause_reason}" if task.pause_reason else ""
        raise Conflict(f"the task {task.name!r} is paused{why}. Resume it and send this again")
    if task.starts_at is not None and tx.now < task.starts_at:
        raise Conflict(f"the task {task.name!r} takes calls from {rfc3339(task.starts_at)} on")
    if task.ends_at is not None and tx.now > task.ends_at:
        raise Conflict(f"the task {task.name!r} took calls until {rfc3339(task.ends_at)}")
    if calls >= tx.limits.triggers_per_minute:
        raise TooMany(
            f"this trigger takes {tx.limits.triggers_per_minute} calls a minute; try again later",
            retry_after=60,
        )


async def _make(tx: Tx, task: Task, call: Call) -> TriggerCall:
    # Where runs may overlap there can be many, and none of them matters here.
    active = [] if task.overlap == "allow" else await tx.runs.active(task.id)
    going, queue = underway(active, tx.now), in_queue(active, tx.now)
    verdict = decide_overlap(task.overlap, task.trigger_type, len(going), len(queue), tx.limits)
    if verdict == "skip" and task.overlap == "queue":
        raise TooMany(
            f"{len(queue)} calls wait behind the run under way, which is the limit;"
            " try again later",
            retry_after=60,
        )
    ledger = Ledger(tx)
    if verdict == "skip":
        skipped: str | None = overlap_reason(task, going or queue, len(queue))
    else:
        skipped = await ledger.refusal(task)
    if skipped is not None:
        run = skipped_run(task, tx.now, tx.now, "event", skipped)
    else:
        queued = verdict == "queue"
        run = make_run(task, tx.now, tx.now, "event", queued=queued, trace=call.trace)
        await ledger.begun(task)
    if task.overlap == "cancel_previous" and skipped is None:
        await cancel_all(tx, active, "a newer call took its place")
    await tx.runs.insert([run])
    payload = Payload(run.id, call.payload, call.inbound)
    await tx.runs.insert_payload(payload)
    event = make_run_event(tx.now, task, run, tx.limits, called=True, traced=tx.traced)
    if skipped is not None:
        # Dead from the start, and it says why.
        await tx.events.insert([event])
        await tx.events.settle_run(run.id, "dead", None, tx.now, run.reason)
    else:
        await put(tx, event, payload)
    tx.effects.fact(
        "triggered" if skipped is None else "skipped",
        run_id=run.id,
        task_id=task.id,
        task_name=task.name,
        agent_id=task.agent_id,
        late_s=0.0,
        reason=run.reason,
    )
    return TriggerCall(run.id, event.id)
