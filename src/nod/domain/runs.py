"""Making runs, and what a run's life looks like in time. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from nod.domain.instant import SECOND, Instant
from nod.domain.model import Run, RunDelivery, RunTrigger, Task, new_id
from nod.domain.tracing import Trace, trace_of
from nod.domain.useful_until import useful_until_at


def make_run(
    task: Task,
    now: Instant,
    scheduled_for: Instant,
    trigger: RunTrigger,
    *,
    queued: bool = False,
    held: bool = False,
    retry_of: Run | None = None,
    trace: Trace | None = None,
) -> Run:
    """A run that waits to be delivered. `queued`: it waits for an earlier run to end first;
    `held`: for a person who looks at its call, and then for its turn."""
    useful, stands = None, trace if retry_of is None else trace_of(retry_of)
    if retry_of is not None:
        useful = retry_of.useful_until
    elif task.useful_until is not None:
        useful = useful_until_at(task.useful_until, scheduled_for, task.timezone)
    return Run(
        id=new_id("run", now),
        task_id=task.id,
        agent_id=task.agent_id,
        status="pending",
        trigger=trigger,
        queued=queued or held,
        attempt=1 if retry_of is None else retry_of.attempt + 1,
        retry_of=None if retry_of is None else retry_of.id,
        scheduled_for=scheduled_for,
        missed_until=None,
        created_at=now,
        useful_until=useful,
        delivery="pending",
        delivered_at=None,
        started_at=None,
        finished_at=None,
        deadline_at=None,
        last_deadline_at=None,
        waiting_since=None,
        timeout_s=task.timeout_s,
        summary=None,
        error=None,
        reason=None,
        late=False,
        input_tokens=None,
        output_tokens=None,
        cost_usd=None,
        outside=trigger == "event" or (retry_of is not None and retry_of.outside),
        held=held,
        traceparent=None if stands is None else stands.traceparent,
        tracestate=None if stands is None else stands.tracestate,
    )


def trigger_of_fire(task: Task) -> RunTrigger:
    """What a run says made it, when that is a fire of the task's schedule."""
    return "once" if task.trigger_type == "once" else "schedule"


def waits_as_retry(run: Run, now: Instant) -> bool:
    """Whether the run is a retry whose time, or turn, has not come. It stands in no other's way.

    Only retries are made ahead of their time. Any other run that lies after `now` is there because
    the clock was set back, and is under way all the same.
    """
    waits = run.queued or run.scheduled_for > now
    return run.trigger == "retry" and run.status == "pending" and waits


def underway(runs: Sequence[Run], now: Instant) -> list[Run]:
    """Of a task's active runs those that a new run would meet: not queued, no retry to come."""
    return [run for run in runs if not run.queued and not waits_as_retry(run, now)]


def in_queue(runs: Sequence[Run], now: Instant) -> list[Run]:
    """Of a task's active runs those that a new run would have to queue behind: no retries, and
    none that waits for a look."""
    return [run for run in runs if run.queued and not run.held and not waits_as_retry(run, now)]


def skipped_run(
    task: Task,
    now: Instant,
    scheduled_for: Instant,
    trigger: RunTrigger,
    reason: str,
    missed_until: Instant | None = None,
) -> Run:
    """The entry of a fire that did not run, or of all fires up to `missed_until`."""
    return replace(
        make_run(replace(task, useful_until=None), now, scheduled_for, trigger),
        status="skipped",
        reason=reason,
        missed_until=missed_until,
        finished_at=now,
    )


def delivered(run: Run, now: Instant, how: RunDelivery, longest_s: int) -> Run:
    """The run with its time started: it times out unless a sign of life renews the deadline."""
    return replace(
        run,
        delivery=how,
        delivered_at=now,
        deadline_at=now + run.timeout_s * SECOND,
        last_deadline_at=now + longest_s * SECOND,
    )


def renewed(run: Run, now: Instant) -> Run:
    """The run with its deadline moved by a sign of life, never beyond the longest working time."""
    deadline = now + run.timeout_s * SECOND
    last = run.last_deadline_at
    return replace(run, deadline_at=deadline if last is None else min(deadline, last))


def paused(run: Run, now: Instant) -> Run:
    """The run while it waits for a person: no deadline runs."""
    return replace(run, deadline_at=None, waiting_since=now)


def resumed(run: Run, now: Instant) -> Run:
    """The run after the wait, which counts against neither deadline."""
    waited = 0 if run.waiting_since is None else now - run.waiting_since
    last = None if run.last_deadline_at is None else run.last_deadline_at + waited
    after = replace(
        run, waiting_since=None, last_deadline_at=last, waited_ms=run.waited_ms + waited
    )
    return renewed(after, now)


def at_end(run: Run, now: Instant) -> Run:
    """The run, whose status says how it ended, at its end."""
    waited = 0 if run.waiting_since is None else now - run.waiting_since
    return replace(
        run,
        finished_at=now,
        queued=False,
        deadline_at=None,
        waiting_since=None,
        waited_ms=run.waited_ms + waited,
    )
