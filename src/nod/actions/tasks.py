"""What can be done with tasks, for agents and people alike."""

import re
from dataclasses import replace
from datetime import timedelta

from nod.actions.checks import limited
from nod.domain.budget import budget_words, is_tighter, read_budget
from nod.domain.errors import Conflict, Forbidden, NotFound, TooMany
from nod.domain.fires import next_fire_of
from nod.domain.instant import HOUR, MINUTE, SECOND, Instant, from_datetime, parse_rfc3339, rfc3339
from nod.domain.model import Agent, Author, Run, Task, new_id
from nod.domain.policy import Hold
from nod.domain.task_fields import (
    NO_FIRE,
    TaskFields,
    edited,
    has_fire,
    new_task,
    new_trigger_id,
    scheduled,
)
from nod.domain.words import clock_words
from nod.domain.zones import local
from nod.engine import budgets
from nod.engine.ending import cancel_all, holds, release
from nod.engine.fire import fire_task
from nod.secrets import Vault
from nod.store.store import Tx

COPIED = "a copy; resume it when it is right"
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


async def get_own(tx: Tx, agent: Agent, task_id: str) -> Task:
    """The agent's task. Raises NotFound, also for another agent's and for a removed one."""
    task = await tx.tasks.get(task_id)
    if task is None or task.agent_id != agent.id or task.deleted_at is not None:
        raise NotFound(f"there is no task {task_id[:64]} of this agent")
    return task


async def check(tx: Tx, agent: Agent, given: TaskFields) -> Task:
    """The task that `given` would become, not stored. Raises InvalidInput or Forbidden."""
    if agent.kind != "interactive":
        raise Forbidden("an approval_only agent has no tasks; create an interactive agent for them")
    return new_task(given, agent, await zone_of(tx, agent), "agent", tx.now, tx.limits)


async def create(tx: Tx, vault: Vault, agent: Agent, given: TaskFields, created_by: Author) -> Task:
    """Make a task. An agent has an allowance, a person has none.

    Raises Forbidden for an approval_only agent and for an agent that is busy with a run which a
    call from outside started: what that call brought must not make tasks. It may propose one.
    Raises NotFound for an agent that was removed a moment ago: nothing may fire for it.
    """
    kept = await tx.people.keep_agent(agent.id)
    if kept is None:
        raise NotFound(f"there is no agent {agent.id}; it was removed")
    task = replace(await check(tx, agent, given), created_by=created_by)
    task = replace(
        task,
        budget_by=None if task.budget is None else created_by,
        budgeted=task.budget is not None or kept.budget is not None,
    )
    if created_by == "agent":
        await _check_allowance(tx, agent)
    await tx.tasks.insert(_sealed(vault, task, given))
    _tell(tx, task, "task_created")
    return task


async def update(
    tx: Tx, vault: Vault, agent: Agent, task_id: str, given: TaskFields, by: Author = "user"
) -> Task:
    """Change what is given; the next fire is computed anew.

    Raises as `check` does, and Forbidden for an agent that loosens a budget of a person, or would
    lift its task's quarantine: what a call has talked it into must not let further ones in.
    """
    task = await _up_to_date(tx, agent, task_id)
    if by == "agent" and task.quarantine and given.quarantine is False:
        raise Forbidden("only a person may end the quarantine of a task; ask yours to do it")
    after = _sealed(vault, edited(task, given, await zone_of(tx, agent), tx.now, tx.limits), given)
    if after.budget != task.budget:
        after = await _with_budget(tx, task, after, by)
    await _rescheduled(tx, task, after)
    _tell(tx, after, "task_changed")
    return after


async def _with_budget(tx: Tx, task: Task, after: Task, by: Author) -> Task:
    """The task with another budget, of which today is asked anew whether it is used up."""
    old, new = read_budget(task.budget), read_budget(after.budget)
    of_person = old is not None and task.budget_by == "user"
    if old is not None and of_person and by == "agent" and not is_tighter(new, old):
        raise Forbidden(
            f"a person has set this task's budget ({budget_words(old)}); an agent can make it"
            " tighter, and only a person looser"
        )
    await budgets.start_anew(tx, task.agent_id, task.id)
    agent = await tx.people.agent(task.agent_id)
    of_agent = agent is not None and agent.budget is not None
    return replace(
        after,
        budget_by=None if new is None else "user" if of_person else by,
        budgeted=new is not None or of_agent,
    )


async def _up_to_date(tx: Tx, agent: Agent, task_id: str) -> Task:
    """The agent's task, once what has come due of it is fired: a change holds from now on."""
    await get_own(tx, agent, task_id)
    await fire_task(tx, task_id)
    return await get_own(tx, agent, task_id)


async def _rescheduled(tx: Tx, before: Task, after: Task) -> None:
    """Store the task. Where the clock was ahead, and fires were missed there, they come again.
    What was held by a pause, or by an overlap that is allowed now, goes."""
    if before.fired_until > tx.now and after.next_fire_at != before.next_fire_at:
        await tx.runs.forget_ahead(after.id, tx.now)
    await tx.tasks.update(after)
    await release(tx, after)


async def pause(tx: Tx, agent: Agent, task_id: str, reason: str) -> Task:
    """Let the task's fires pass, each recorded with the reason, until it is resumed."""
    task = await _up_to_date(tx, agent, task_id)
    reason = limited(reason, "reason", tx.limits.description_chars)
    after = replace(task, enabled=False, pause_reason=reason or None, updated_at=tx.now)
    await tx.tasks.update(after)
    _tell(tx, after, "task_paused")
    return after


async def resume(tx: Tx, agent: Agent, task_id: str) -> Task:
    """Let the task fire again, from now on. Raises Conflict when it has no fire left."""
    task = await _up_to_date(tx, agent, task_id)
    after = scheduled(
        replace(task, enabled=True, pause_reason=None, failures=0, updated_at=tx.now), tx.now
    )
    if not has_fire(after):
        raise Conflict(f"this task has no fire left: {NO_FIRE}")
    await _rescheduled(tx, task, after)
    _tell(tx, after, "task_resumed")
    return after


async def duplicate(tx: Tx, agent: Agent, task_id: str) -> Task:
    """A copy of the task, paused until it is resumed, with a trigger of its own."""
    task = await get_own(tx, agent, task_id)
    ending = " (copy)"
    copy = replace(
        task,
        id=new_id("tsk", tx.now),
        name=task.name[: tx.limits.name_chars - len(ending)] + ending,
        enabled=False,
        pause_reason=COPIED,
        trigger_id=None if task.trigger_id is None else new_trigger_id(),
        fired_until=tx.now,
        last_run_status=None,
        failures=0,
        created_by="user",
        created_at=tx.now,
        updated_at=tx.now,
    )
    copy = scheduled(copy, tx.now)
    await tx.tasks.insert(copy)
    _tell(tx, copy, "task_created")
    return copy


async def rotate_trigger(tx: Tx, agent: Agent, task_id: str) -> Task:
    """Give an event task a new URL; the old one stops at once. Raises Conflict for others."""
    task = await get_own(tx, agent, task_id)
    if task.trigger_type != "event":
        raise Conflict("only a task with the schedule event has a trigger")
    after = replace(task, trigger_id=new_trigger_id(), updated_at=tx.now)
    await tx.tasks.update(after)
    _tell(tx, after, "task_changed")
    return after


async def remove(tx: Tx, agent: Agent, task_id: str) -> None:
    """Remove the task. Its runs under way are cancelled, its history stays for its retention."""
    task = await get_own(tx, agent, task_id)
    await cancel_all(tx, await tx.runs.active(task.id), "its task was removed")
    await tx.tasks.update(
        replace(
            task,
            enabled=False,
            next_fire_at=None,
            trigger_id=None,
            deleted_at=tx.now,
            updated_at=tx.now,
        )
    )
    _tell(tx, task, "task_removed")


async def zone_of(tx: Tx, agent: Agent) -> str:
    """The zone of a task that names none: the agent's, else its owner's."""
    if agent.timezone is not None:
        return agent.timezone
    owner = await tx.people.user(agent.owner_id)
    return "UTC" if owner is None else owner.timezone


def moment(text: str, timezone: str, now: Instant) -> Instant:
    """A time as a person names it: RFC 3339, or a time of day, the last one before `now`.

    Raises InvalidInput for anything else.
    """
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return parse_rfc3339(text, "at")
    hour, minute = int(clock[1]), int(clock[2])
    today = local(now, timezone).replace(hour=hour, minute=minute, second=0, microsecond=0)
    at = from_datetime(today)
    return at if at <= now else from_datetime(today - timedelta(days=1))


async def why(tx: Tx, task: Task, at: Instant) -> tuple[str, Run | None]:
    """What happened in the minute of `at`, in one sentence, and the entry behind it."""
    minute = at // MINUTE * MINUTE
    entry = await tx.runs.around(task.id, minute + MINUTE - 1)
    clock = clock_words(at, task.timezone)
    if entry is not None and minute <= max(entry.missed_until or 0, entry.scheduled_for):
        if entry.held and entry.queued:
            return f"Its call came at {clock} and waits until somebody has looked at it.", entry
        held = await holds(tx, task, entry) if entry.queued else None
        return _what_happened(entry, clock, held), entry
    if at < task.created_at:
        return f"The task did not exist at {clock}; it was made {rfc3339(task.created_at)}.", None
    if task.trigger_type == "event":
        return f"Nothing called its trigger at {clock}.", None
    following = next_fire_of(task, minute - 1)
    if following is not None and following < minute + MINUTE:
        return _not_recorded(clock, following > tx.now), None
    after = (
        "it has no fire after that" if following is None else f"the next is {rfc3339(following)}"
    )
    return f"It was not due at {clock}: {after}.", None


def _not_recorded(clock: str, to_come: bool) -> str:
    if to_come:
        return f"The fire of {clock} has not come yet."
    return (
        f"Nothing is recorded for {clock}: the schedule was another one then, or the entry is"
        " older than Nod keeps them."
    )


def _what_happened(run: Run, clock: str, held: Hold | None) -> str:
    if held is not None:
        until = "its task is resumed" if held == "paused" else "the run before it has ended"
        return f"It was due at {clock} and waits until {until}."
    reason = run.error or run.reason
    words = {
        "skipped": f"Skipped at {clock}: {reason}.",
        "cancelled": f"It was due at {clock} and was cancelled: {reason}.",
        "failed": f"It ran at {clock} and failed: {reason}.",
        "completed": f"It ran at {clock} and completed.",
        "running": f"It was due at {clock} and is running.",
        "waiting": f"It was due at {clock} and waits for an answer.",
        "pending": f"It was due at {clock} and waits for the agent to take it up.",
    }
    return words[run.status]


async def _check_allowance(tx: Tx, agent: Agent) -> None:
    if await tx.runs.count_triggered(agent.id):
        raise Forbidden(
            "a run that a call from outside started is under way; until it ends this agent may"
            " only propose tasks (task_proposal)"
        )
    since = tx.now - HOUR
    standing, recent = await tx.tasks.count_created(agent.id, since)
    if standing >= tx.limits.tasks_per_agent:
        raise Conflict(
            f"this agent has {standing} tasks, which is its limit; remove some, or let a person"
            " add this one"
        )
    if recent >= tx.limits.tasks_per_agent_hour:
        oldest = await tx.tasks.oldest_created(agent.id, since) or tx.now
        raise TooMany(
            f"an agent may make {tx.limits.tasks_per_agent_hour} tasks an hour; try again later",
            retry_after=max(1, -(-(oldest + HOUR - tx.now) // SECOND)),
        )


def _sealed(vault: Vault, task: Task, given: TaskFields) -> Task:
    """The task as it is stored. A secret that was not given now is sealed already."""
    if not isinstance(given.verify_secret, str):
        return task
    return replace(task, verify_secret=vault.seal(given.verify_secret))


def _tell(tx: Tx, task: Task, what: str) -> None:
    tx.effects.timer("fire", task.next_fire_at)
    tx.effects.change(task.id, task.agent_id)
    tx.effects.fact(
        what,
        task_id=task.id,
        agent_id=task.agent_id,
        task_name=task.name,
        next_fire_at=task.next_fire_at,
        reason=task.pause_reason,
    )
