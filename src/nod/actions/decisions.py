"""Decisions: an agent asks, a person answers, the agent is told.

One answer wins. A question of a run makes the run wait; its answer lets the run go on and brings
the run's scratchpad with it, so that an agent that was woken for the answer knows where it was.
"""

import math
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET

from nod.actions import tasks
from nod.actions.agents import get_agent
from nod.actions.chat import check_interactive, conversation_of, named_run
from nod.actions.checks import limited, required
from nod.domain.decisions import Answer, answered, closed, make_decision, next_warning
from nod.domain.errors import Conflict, InvalidInput, NotFound, TooMany
from nod.domain.instant import MINUTE, SECOND, rfc3339
from nod.domain.limits import Limits
from nod.domain.model import Agent, Channel, Decision, DecisionKind, Run, User
from nod.domain.task_fields import TaskFields
from nod.domain.words import duration_words
from nod.engine.batches import Item, Work
from nod.engine.fire import run_now
from nod.engine.outbox import make_event, put
from nod.engine.settle import answer as go_on
from nod.engine.settle import ask
from nod.secrets import Vault
from nod.store.chat import LAST_ID
from nod.store.store import Tx

_ASKED: tuple[DecisionKind, ...] = ("approval", "choice", "question", "permission")
_SHORTEST_S = 60
_BATCH = 200


class AlwaysOption(msgspec.Struct, frozen=True):
    """One pattern that the person may allow for good."""

    pattern: str
    label: str = ""


class DecisionFields(msgspec.Struct, frozen=True, kw_only=True):
    """A question as an agent sends it."""

    title: str
    description: str | None = None
    kind: str = "approval"
    options: list[str] | None = None
    conversation_id: str | None = None
    task_run_id: str | None = None
    allows_always: bool | None = None
    always_allow_label: str | None = None
    always_allow_options: list[AlwaysOption] | None = None
    expires_in_s: int | None = None


class ProposalFields(msgspec.Struct, frozen=True, kw_only=True):
    """A task that an agent proposes; approving the card creates it."""

    title: str
    task_name: str
    task_prompt: str
    task_schedule: str
    description: str | None = None
    run_at: str | None = None
    timezone: str | None = None
    conversation_id: str | None = None
    task_run_id: str | None = None
    expires_in_s: int | None = None


# asking


async def open_decision(
    tx: Tx, agent: Agent, fields: DecisionFields, via: Channel = "poll"
) -> Decision:
    """Put a question before the person. The run it belongs to, if any, waits for the answer.

    Raises InvalidInput, NotFound for a run or conversation that is not the agent's, Conflict when
    the run has ended, TooMany when too many questions wait already.
    """
    kind = _kind(fields.kind)
    asked = await _draft(tx, agent, kind, fields, via)
    options = _options(kind, fields, tx.limits)
    always = _always_options(fields, tx.limits)
    decision = replace(
        asked,
        options=_json(options),
        allows_always=bool(fields.allows_always or always),
        always_allow_label=None
        if fields.always_allow_label is None
        else limited(fields.always_allow_label, "always_allow_label", tx.limits.title_chars),
        always_allow_options=_json(always),
    )
    return await _put_before(tx, decision)


async def propose_task(
    tx: Tx, agent: Agent, fields: ProposalFields, via: Channel = "poll"
) -> Decision:
    """Put a task before the person; approving creates it.

    The task is checked now, so that the agent learns at once of a schedule that cannot work.
    """
    check_interactive(agent, "have tasks")
    given = TaskFields(
        name=fields.task_name,
        prompt=fields.task_prompt,
        schedule=fields.task_schedule,
        run_at=UNSET if fields.run_at is None else fields.run_at,
        timezone=UNSET if fields.timezone is None else fields.timezone,
    )
    await tasks.check(tx, agent, given)
    asked = await _draft(tx, agent, "proposal", fields, via)
    return await _put_before(tx, replace(asked, proposal=_json(given)))


async def _draft(
    tx: Tx,
    agent: Agent,
    kind: DecisionKind,
    fields: DecisionFields | ProposalFields,
    via: Channel,
) -> Decision:
    """What all questions have; the run they belong to waits from here on."""
    await _check_room(tx, agent)
    where = await conversation_of(tx, agent, fields.conversation_id)
    run = await _waiting_run(tx, agent, fields.task_run_id, via)
    return make_decision(
        tx.now,
        agent.id,
        where.id,
        kind,
        required(fields.title, "title", tx.limits.title_chars),
        _expires_in_s(fields.expires_in_s, tx.limits),
        description=limited(fields.description or "", "description", tx.limits.description_chars),
        run_id=None if run is None else run.id,
        task_id=None if run is None else run.task_id,
    )


async def _waiting_run(tx: Tx, agent: Agent, run_id: str | None, via: Channel) -> Run | None:
    if run_id is None:
        return None
    return await ask(tx, await named_run(tx, agent, run_id, via))


async def _check_room(tx: Tx, agent: Agent) -> None:
    count, next_expiry = await tx.chat.count_open_decisions(agent.id)
    if next_expiry is not None and count >= tx.limits.open_decisions:
        raise TooMany(
            f"{count} decisions of this agent wait for an answer already; wait for some of them",
            retry_after=max(1, math.ceil((next_expiry - tx.now) / SECOND)),
        )


def _kind(kind: str) -> DecisionKind:
    for known in _ASKED:
        if kind == known:
            return known
    raise InvalidInput(f"kind must be one of {', '.join(_ASKED)}; got {kind[:64]!r}")


def _options(kind: DecisionKind, fields: DecisionFields, limits: Limits) -> list[str]:
    options = [required(each, "an option", limits.title_chars) for each in fields.options or []]
    if len(options) > limits.decision_options:
        raise InvalidInput(f"at most {limits.decision_options} options fit; got {len(options)}")
    if kind == "choice" and len(set(options)) < 2:
        raise InvalidInput("a choice needs options: a list of at least two different texts")
    return options


def _always_options(fields: DecisionFields, limits: Limits) -> list[AlwaysOption]:
    offered = fields.always_allow_options or []
    if len(offered) > limits.always_patterns:
        raise InvalidInput(
            f"at most {limits.always_patterns} always_allow_options fit; got {len(offered)}"
        )
    return [
        AlwaysOption(
            required(each.pattern, "a pattern", limits.title_chars),
            limited(each.label, "a label", limits.title_chars),
        )
        for each in offered
    ]


def _expires_in_s(asked: int | None, limits: Limits) -> int:
    longest = limits.decision_expires_max_s
    if asked is None:
        return limits.decision_expires_s
    if not _SHORTEST_S <= asked <= longest:
        raise InvalidInput(
            f"expires_in_s must be between {_SHORTEST_S} and {longest} seconds; got {asked}"
        )
    return asked


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def _put_before(tx: Tx, decision: Decision) -> Decision:
    await tx.chat.ask(decision)
    await tx.chat.add_activity(
        decision.agent_id,
        "decision_opened",
        decision.title,
        decision.description,
        decision.task_id,
        decision.run_id,
        tx.now,
    )
    tx.effects.fact("decision_opened", **_facts(decision))
    tx.effects.timer("rescue", decision.warn_at or decision.expires_at)
    tx.effects.change(decision.agent_id, decision.conversation_id)
    return decision


def _facts(decision: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision.id,
        "agent_id": decision.agent_id,
        "run_id": decision.run_id,
        "conversation_id": decision.conversation_id,
        "kind": decision.kind,
        "status": decision.status,
    }


# looking


async def get_decision(tx: Tx, user: User, decision_id: str) -> Decision:
    """A question of one of the person's agents. Raises NotFound, also for somebody else's."""
    decision = await tx.chat.decision(decision_id)
    agent = None if decision is None else await tx.people.agent(decision.agent_id)
    if decision is None or agent is None or agent.owner_id != user.id:
        raise NotFound(f"you have no decision {decision_id[:64]}")
    return decision


async def get_own_decision(tx: Tx, agent: Agent, decision_id: str) -> Decision:
    """A question the agent has asked. Raises NotFound for any other."""
    decision = await tx.chat.decision(decision_id)
    if decision is None or decision.agent_id != agent.id or decision.kind == "still_wanted":
        raise NotFound(f"there is no decision {decision_id[:64]} of this agent")
    return decision


async def list_decisions(
    tx: Tx, user: User, status: str | None, limit: int, before: str = LAST_ID
) -> list[Decision]:
    """The person's decisions, newest first, those with an id below `before`."""
    return await tx.chat.decisions_of(user.id, status, limit, before)


def agent_view(decision: Decision) -> dict[str, Any]:
    """What the agent that asked sees of its question, and of the answer."""
    answered_at = decision.resolved_at
    return {
        "id": decision.id,
        "kind": decision.kind,
        "title": decision.title,
        "description": decision.description,
        "options": msgspec.json.decode(decision.options),
        "status": decision.status,
        "note": decision.note,
        "always_allow": decision.always_allow,
        "always_allow_pattern": decision.always_allow_pattern,
        "conversation_id": decision.conversation_id,
        "task_run_id": decision.run_id,
        "task_id": decision.task_id,
        "created_at": rfc3339(decision.created_at),
        "expires_at": rfc3339(decision.expires_at),
        "resolved_at": None if answered_at is None else rfc3339(answered_at),
    }


# answering


async def resolve(tx: Tx, vault: Vault, user: User, decision_id: str, answer: Answer) -> Decision:
    """The person answers, and what they decided happens.

    Raises Conflict when it has been answered already, InvalidInput for an answer that does not
    fit the question.
    """
    decision = await get_decision(tx, user, decision_id)
    if answer.note is not None:
        limited(answer.note, "note", tx.limits.description_chars)
    options = msgspec.json.decode(decision.options, type=list[str])
    offered = msgspec.json.decode(decision.always_allow_options, type=list[AlwaysOption])
    patterns = [each.pattern for each in offered]
    resolved = answered(decision, answer, options, patterns, user.email, tx.now)
    if resolved.status == "approved":
        resolved = await _carry_out(tx, vault, user, resolved)
    await _close(tx, resolved)
    return resolved


async def _carry_out(tx: Tx, vault: Vault, user: User, decision: Decision) -> Decision:
    """What approving does by itself: creating the task proposed, making the run after all."""
    if decision.kind == "proposal" and decision.proposal is not None:
        agent = await get_agent(tx, user, decision.agent_id)
        given = msgspec.json.decode(decision.proposal, type=TaskFields)
        task = await tasks.create(tx, vault, agent, given, "user")
        return replace(decision, task_id=task.id)
    if decision.kind == "still_wanted" and decision.task_id is not None:
        found = await tx.tasks.get(decision.task_id)
        if found is None or found.deleted_at is not None:
            raise Conflict("the task of this decision has been removed; dismiss it")
        await run_now(tx, found)
    return decision


async def _close(tx: Tx, decision: Decision) -> None:
    """Store the answer, tell the agent, and let the run go on."""
    if not await tx.chat.resolve(decision):
        raise Conflict("this decision has just been answered; the first answer stands")
    run = None if decision.run_id is None else await tx.runs.get(decision.run_id)
    if decision.kind != "still_wanted":
        await _tell_agent(tx, decision, run)
    if run is not None:
        await go_on(tx, run)
    tx.effects.fact("decision_closed", **_facts(decision))
    tx.effects.change(decision.id, decision.agent_id, decision.conversation_id)


async def _tell_agent(tx: Tx, decision: Decision, run: Run | None) -> None:
    fields: dict[str, Any] = {
        "decision_id": decision.id,
        "status": decision.status,
        "note": decision.note,
        "conversation_id": decision.conversation_id,
        "task_run_id": decision.run_id,
        "always_allow": decision.always_allow,
        "always_allow_pattern": decision.always_allow_pattern,
    }
    if run is not None:
        fields["context"] = [
            {"id": block.id, "text": block.text, "created_at": rfc3339(block.created_at)}
            for block in await tx.runs.context_blocks(run.id)
        ]
    run_id = None if run is None else run.id
    event = make_event(tx.now, decision.agent_id, "decision_resolved", fields, run_id=run_id)
    await put(tx, event)


# time


async def _due(tx: Tx, limit: int) -> list[Item[Decision]]:
    found = await tx.chat.decisions_due(tx.now, limit)
    return [Item(each.id, each.warn_at or each.expires_at, each) for each in found]


async def _expire_all(tx: Tx, decisions: list[Decision]) -> None:
    """Close the questions whose time is up, warn of those that will be."""
    for decision in decisions:
        if decision.expires_at <= tx.now:
            await _expire(tx, decision)
        else:
            await _warn(tx, decision)


async def _expire(tx: Tx, decision: Decision) -> None:
    await _close(tx, closed(decision, "expire", tx.now))
    await tx.chat.add_activity(
        decision.agent_id,
        "decision_expired",
        f"Nobody answered: {decision.title}",
        "It expired. That is no denial; the agent was told that nobody answered."
        if decision.kind != "still_wanted"
        else "It expired.",
        decision.task_id,
        decision.run_id,
        tx.now,
    )


async def _warn(tx: Tx, decision: Decision) -> None:
    left_s = max(1, (decision.expires_at - tx.now) // MINUTE) * 60
    await tx.chat.set_warning(decision.id, next_warning(decision, tx.now))
    await tx.chat.add_activity(
        decision.agent_id,
        "decision_waits",
        f"Still waiting: {decision.title}",
        f"It expires in {duration_words(left_s)}.",
        decision.task_id,
        decision.run_id,
        tx.now,
    )
    tx.effects.fact("decision_warning", **_facts(decision), left_s=left_s)


DUE_DECISIONS = Work("decision", _due, _expire_all, _BATCH)
