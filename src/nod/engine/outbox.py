"""The one way by which anything is told to an agent: a row in the outbox.

The row is written in the transaction that makes the change it tells of, so nothing is sent that
is not stored and nothing stored is forgotten. `engine/deliver.py` takes it from there.
"""

from typing import Any

import msgspec

from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Event, EventType, Payload, Run, Task, new_id
from nod.domain.states import EventState
from nod.domain.tracing import sent_trace
from nod.store.effects import Outgoing
from nod.store.store import Tx


def make_event(
    now: Instant,
    agent_id: str,
    kind: EventType,
    fields: dict[str, Any],
    *,
    run_id: str | None = None,
    state: EventState = "pending",
    not_before: Instant | None = None,
    expires_at: Instant | None = None,
) -> Event:
    """An event as it will stand in the outbox. `fields` are what the agent reads, beside `type`."""
    event_id = new_id("evt", now)
    body = {"type": kind, **fields, "event_id": event_id}
    start = now if not_before is None else not_before
    return Event(
        seq=0,  # the database counts
        id=event_id,
        agent_id=agent_id,
        run_id=run_id,
        type=kind,
        body=msgspec.json.encode(body).decode(),
        state=state,
        created_at=now,
        not_before=start,
        attempt_at=None,  # the store sets it where the agent has a working webhook
        expires_at=expires_at,
        attempts=0,
        retry_reason="first_attempt",
        channel=None,
        settled_at=None,
        error=None,
    )


def make_run_event(
    now: Instant,
    task: Task,
    run: Run,
    limits: Limits,
    *,
    called: bool = False,
    traced: bool = False,
) -> Event:
    """The event that brings `run` to its agent: task_trigger for a call (`called`), else task_due.

    The payload of a call is not in the body; it is put beside the prompt when the event is sent.
    `traced`: the run is a span of OpenTelemetry.
    """
    fields: dict[str, Any] = {
        "task_id": task.id,
        "run_id": run.id,
        "task_name": task.name,
        "task_prompt": task.prompt,
    }
    if not called:
        fields["schedule"] = task.schedule
    if traced or run.traceparent is not None:
        fields |= sent_trace(run, traced=traced)
    held = run.queued or run.trigger == "retry"
    return make_event(
        now,
        task.agent_id,
        "task_trigger" if called else "task_due",
        fields,
        run_id=run.id,
        state="held" if held else "pending",
        not_before=max(now, run.scheduled_for) if run.trigger == "retry" else now,
        expires_at=run.useful_until if held else expiry(run, now, limits),
    )


def expiry(run: Run, start: Instant, limits: Limits) -> Instant:
    """When a run's event that goes out at `start` is not worth delivering any more."""
    window_ends = start + limits.delivery_window_s * SECOND
    return window_ends if run.useful_until is None else min(window_ends, run.useful_until)


async def put(tx: Tx, event: Event, payload: Payload | None = None) -> Event:
    """Store `event` and, unless it is held, send it as soon as the transaction is committed."""
    await tx.events.insert([event])
    announce(tx, event, payload)
    return event


def announce(tx: Tx, event: Event, payload: Payload | None = None) -> None:
    """Let the delivery stage know of a stored event, and the rescue stage of its times."""
    if event.state == "pending":
        tx.effects.outbox.append(Outgoing(event, payload))
    elif event.not_before > tx.now:
        tx.effects.timer("rescue", event.not_before)
    tx.effects.timer("rescue", event.expires_at)
    tx.effects.change(event.agent_id)
