"""Decisions: an agent asks, a person is shown the question, and time passes.

A question of a run makes the run wait. What a person always allows is answered at once, and shown
all the same. How a person answers is in `actions/answers.py`.
"""

import math
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET

from nod.actions import rules, tasks
from nod.actions.chat import check_interactive, conversation_of, named_run
from nod.actions.checks import limited, required
from nod.actions.closing import close
from nod.actions.rules import AlwaysOption
from nod.domain.decisions import OF_NOD, closed, make_decision, next_warning
from nod.domain.errors import InvalidInput, NotFound, TooMany
from nod.domain.instant import MINUTE, SECOND, rfc3339
from nod.domain.limits import Limits
from nod.domain.model import Agent, Channel, Decision, DecisionKind, Run, User
from nod.domain.task_fields import TaskFields
from nod.domain.words import duration_words
from nod.engine import notify
from nod.engine.batches import Item, Work
from nod.engine.requests import facts, open_request
from nod.engine.settle import ask
from nod.store.chat import LAST_ID
from nod.store.store import Tx

_ASKED: tuple[DecisionKind, ...] = ("approval", "choice", "question", "permission")
_SHORTEST_S = 60
_BATCH = 200


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

    A request that the person always allows is answered at once.


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
    rule = await rules.answering(tx, decision)
    if rule is None:
        return await open_request(tx, decision)
    await tx.chat.ask(decision)
    return await close(tx, await rules.apply(tx, rule, decision))


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
    return await open_request(tx, replace(asked, proposal=_json(given)))


async def _draft(
    tx: Tx,
    agent: Agent,
    kind: DecisionKind,
    fields: DecisionFields | ProposalFields,
    via: Channel,
) -> Decision:
    """What all questions have; the run they belong to waits from here on."""
    where = await conversation_of(tx, agent, fields.conversation_id)
    run = await _waiting_run(tx, agent, fields.task_run_id, via)
    await _check_room(tx, agent)
    outside = await tx.runs.count_triggered(agent.id) > 0
    asked = make_decision(
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
    return replace(asked, outside=outside)


async def _waiting_run(tx: Tx, agent: Agent, run_id: str | None, via: Channel) -> Run | None:
    if run_id is None:
        return None
    return await ask(tx, await named_run(tx, agent, run_id, via))


async def _check_room(tx: Tx, agent: Agent) -> None:
    if await tx.people.keep_agent(agent.id) is None:
        raise NotFound(f"there is no agent {agent.id}; it was removed")
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
    if decision is None or decision.agent_id != agent.id or decision.kind in OF_NOD:
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
    await close(tx, closed(decision, "expire", tx.now))
    if decision.kind == "budget":
        return  # its day is over, and nothing follows from that
    await tx.chat.add_activity(
        decision.agent_id,
        "decision_expired",
        f"Nobody answered: {decision.title}",
        "It expired. That is no denial; the agent was told that nobody answered."
        if decision.kind not in OF_NOD
        else "It expired.",
        decision.task_id,
        decision.run_id,
        tx.now,
        decision.id,
    )
    await notify.request_expired(tx, decision)


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
        decision.id,
    )
    await notify.request_waits(tx, decision, left_s)
    tx.effects.fact("decision_warning", **facts(decision), left_s=left_s)


DUE_DECISIONS = Work("decision", _due, _expire_all, _BATCH)
