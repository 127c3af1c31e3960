"""What the API shows of the nouns. The fields of the original document come first, in its order."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from nod.domain.budget import Budget, read_budget
from nod.domain.instant import Instant, rfc3339
from nod.domain.model import (
    Author,
    ContextBlock,
    Delivery,
    Notify,
    Run,
    RunDelivery,
    RunTrigger,
    Task,
)
from nod.domain.schedule import Preview, TriggerType
from nod.domain.states import RunStatus


def at(instant: Instant | None) -> str | None:
    """An instant as the wire shows it; None stays None."""
    return None if instant is None else rfc3339(instant)


class TaskView(msgspec.Struct):
    """A task."""

    id: str
    name: str
    prompt: str
    schedule: str
    trigger_type: TriggerType
    next_run_at: str | None
    last_run_status: RunStatus | None
    enabled: bool
    trigger_id: str | UnsetType
    agent_id: str
    description: str
    timezone: str
    run_at: str | None
    starts_at: str | None
    ends_at: str | None
    overlap: str
    catch_up: str
    catch_up_window_s: int | None
    useful_until: str | None
    timeout_s: int
    max_attempts: int
    idempotent: bool
    pause_after_failures: int
    pause_reason: str | None
    failures: int
    spread_s: int
    verify: str
    created_by: str
    created_at: str
    updated_at: str
    notify: Notify
    budget: Budget | None
    budget_by: Author | None
    quarantine: bool


def task_view(task: Task) -> TaskView:
    """A task; its fires while it is paused do not run, so then it shows none."""
    return TaskView(
        id=task.id,
        name=task.name,
        prompt=task.prompt,
        schedule=task.schedule,
        trigger_type=task.trigger_type,
        next_run_at=at(task.next_fire_at) if task.enabled else None,
        last_run_status=task.last_run_status,
        enabled=task.enabled,
        trigger_id=UNSET if task.trigger_id is None else task.trigger_id,
        agent_id=task.agent_id,
        description=task.description,
        timezone=task.timezone,
        run_at=at(task.run_at),
        starts_at=at(task.starts_at),
        ends_at=at(task.ends_at),
        overlap=task.overlap,
        catch_up=task.catch_up,
        catch_up_window_s=task.catch_up_window_s,
        useful_until=task.useful_until,
        timeout_s=task.timeout_s,
        max_attempts=task.max_attempts,
        idempotent=task.idempotent,
        pause_after_failures=task.pause_after_failures,
        pause_reason=task.pause_reason,
        failures=task.failures,
        spread_s=task.spread_s,
        verify=task.verify,
        created_by=task.created_by,
        created_at=rfc3339(task.created_at),
        updated_at=rfc3339(task.updated_at),
        notify=task.notify,
        budget=read_budget(task.budget),
        budget_by=task.budget_by,
        quarantine=task.quarantine,
    )


class UsageView(msgspec.Struct):
    """What a run has cost, as its agent says."""

    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None


class RunView(msgspec.Struct):
    """A run. `summary` is the full deliverable where the run is shown alone.

    `outside`: a call from outside started it, or the run that it retries, so while it is under way
    its agent may only propose tasks. `held`: its call waits for a person's look, or was not let in.
    """

    id: str
    task_id: str
    agent_id: str
    status: RunStatus
    summary: str | None
    started_at: str | None
    finished_at: str | None
    scheduled_for: str
    created_at: str
    delivered_at: str | None
    trigger: RunTrigger
    delivery: RunDelivery
    attempt: int
    retry_of: str | None
    late: bool
    error: str | None
    reason: str | None
    missed_until: str | None
    useful_until: str | None
    deadline_at: str | None
    timeout_s: int
    usage: UsageView
    outside: bool
    held: bool
    traceparent: str | None


def run_view(run: Run, summary: str | None) -> RunView:
    """A run with the summary to show."""
    return RunView(
        id=run.id,
        task_id=run.task_id,
        agent_id=run.agent_id,
        status=run.status,
        summary=summary,
        started_at=at(run.started_at),
        finished_at=at(run.finished_at),
        scheduled_for=rfc3339(run.scheduled_for),
        created_at=rfc3339(run.created_at),
        delivered_at=at(run.delivered_at),
        trigger=run.trigger,
        delivery=run.delivery,
        attempt=run.attempt,
        retry_of=run.retry_of,
        late=run.late,
        error=run.error,
        reason=run.reason,
        missed_until=at(run.missed_until),
        useful_until=at(run.useful_until),
        deadline_at=at(run.deadline_at),
        timeout_s=run.timeout_s,
        usage=UsageView(run.input_tokens, run.output_tokens, run.cost_usd),
        outside=run.outside,
        held=run.held,
        traceparent=run.traceparent,
    )


class BlockView(msgspec.Struct):
    """One block of a scratchpad."""

    id: int
    text: str
    created_at: str


def block_view(block: ContextBlock) -> BlockView:
    return BlockView(block.id, block.text, rfc3339(block.created_at))


class ContextView(msgspec.Struct):
    """A run's scratchpad, the oldest block first."""

    run_id: str
    blocks: list[BlockView]


def context_view(run_id: str, blocks: list[ContextBlock]) -> ContextView:
    return ContextView(run_id, [block_view(each) for each in blocks])


class WhyView(msgspec.Struct):
    """One sentence, and the entry behind it."""

    why: str
    run: RunView | None


class DeliveryView(msgspec.Struct):
    """One attempt to deliver an event."""

    id: str
    event_id: str
    agent_id: str
    run_id: str | None
    channel: str
    attempt: int
    outcome: str
    status: int | None
    latency_ms: int
    answer: str
    error: str | None
    created_at: str


def delivery_view(delivery: Delivery) -> DeliveryView:
    """An attempt, with the beginning of what the endpoint answered."""
    fields: dict[str, Any] = {
        name: getattr(delivery, name) for name in DeliveryView.__struct_fields__
    }
    return DeliveryView(**{**fields, "created_at": rfc3339(delivery.created_at)})


class PreviewView(msgspec.Struct):
    """When a schedule fires, and what to know about it."""

    schedule: str
    timezone: str
    description: str
    next: list[str]
    local: list[str]
    notes: list[str]


def preview_view(preview: Preview) -> PreviewView:
    return PreviewView(
        preview.schedule,
        preview.timezone,
        preview.description,
        [rfc3339(each) for each in preview.next],
        list(preview.local),
        list(preview.notes),
    )
