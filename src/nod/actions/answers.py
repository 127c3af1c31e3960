"""Answers: a person decides, and what they decided happens.

One answer wins. An answer may be held for some seconds, in which the person can take it back and
the agent hears nothing; it is stored, so that it is carried out whatever happens to the process.
A held answer goes before expiry. When its run ends or its agent is removed meanwhile, the question
is dismissed, as any other is.
"""

from dataclasses import replace
from functools import partial

import msgspec

from nod.actions import rules, tasks
from nod.actions.checks import limited
from nod.actions.closing import close
from nod.actions.decisions import get_decision
from nod.domain.decisions import Answer, answered
from nod.domain.errors import Conflict, InvalidInput, NodError, NotFound
from nod.domain.instant import SECOND
from nod.domain.model import Agent, Decision, Task, User
from nod.domain.task_fields import TaskFields
from nod.engine import budgets, quarantine
from nod.engine.batches import Item, Work
from nod.engine.fire import run_now
from nod.engine.requests import facts
from nod.secrets import Vault
from nod.store.store import Tx

_BATCH = 200


async def resolve(
    tx: Tx, vault: Vault, user: User, decision_id: str, answer: Answer, undo_s: int = 0
) -> Decision:
    """The person answers, and what they decided happens: now, or `undo_s` seconds from now.

    Raises Conflict when it has been answered already, InvalidInput for an answer that does not
    fit the question, Forbidden for a standing permission that may not be given.
    """
    if not 0 <= undo_s <= tx.limits.undo_max_s:
        raise InvalidInput(
            f"undo_s must be between 0 and {tx.limits.undo_max_s} seconds; got {undo_s}"
        )
    decision = await get_decision(tx, user, decision_id)
    if answer.note is not None:
        limited(answer.note, "note", tx.limits.description_chars)
    resolved = await _checked(tx, decision, answer, user.email)
    if undo_s == 0:
        return await _finish(tx, vault, resolved)
    return await _hold(tx, decision, answer, user, undo_s)


async def undo(tx: Tx, user: User, decision_id: str) -> Decision:
    """The person takes their answer back; the question waits again.

    Raises Conflict when there is nothing to take back, or not any more.
    """
    decision = await get_decision(tx, user, decision_id)
    if decision.status != "pending":
        raise Conflict(f"it is too late to undo: this decision is {decision.status}")
    if not await tx.chat.drop_answer(decision.id):
        raise Conflict("there is nothing to undo: this decision waits for an answer")
    open_again = _without_answer(decision)
    _wake(tx, open_again)
    tx.effects.fact("decision_undone", **facts(open_again))
    return open_again


async def _checked(tx: Tx, decision: Decision, answer: Answer, by: str) -> Decision:
    """The question with its answer, not stored yet. Raises for one that cannot be carried out."""
    options = msgspec.json.decode(decision.options, type=list[str])
    patterns = [each.pattern for each in rules.offered(decision)]
    resolved = answered(decision, answer, options, patterns, by, tx.now)
    if resolved.status == "approved" and resolved.kind == "proposal":
        await tasks.check(tx, await _agent(tx, resolved), _proposed(resolved))
    elif resolved.status == "approved" and resolved.kind == "still_wanted":
        await _missed(tx, resolved)
    elif resolved.kind == "quarantine":
        await quarantine.check(tx, resolved)
    return resolved


async def _finish(tx: Tx, vault: Vault, resolved: Decision) -> Decision:
    """What approving does by itself happens, and the agent is told of the answer."""
    done = resolved
    if resolved.status == "approved" and resolved.kind == "proposal":
        agent = await _agent(tx, resolved)
        task = await tasks.create(tx, vault, agent, _proposed(resolved), "user")
        done = replace(resolved, task_id=task.id)
    elif resolved.status == "approved" and resolved.kind == "still_wanted":
        await run_now(tx, await _missed(tx, resolved))
    elif resolved.kind == "budget":
        await budgets.answered(tx, resolved)
    await rules.keep(tx, done, done.resolved_by or "")
    return await close(tx, done)


async def _agent(tx: Tx, decision: Decision) -> Agent:
    agent = await tx.people.agent(decision.agent_id)
    if agent is None:
        raise NotFound("the agent of this decision has been removed")
    return agent


def _proposed(decision: Decision) -> TaskFields:
    return msgspec.json.decode(decision.proposal or "{}", type=TaskFields)


async def _missed(tx: Tx, decision: Decision) -> Task:
    """The task whose run came too late."""
    found = None if decision.task_id is None else await tx.tasks.get(decision.task_id)
    if found is None or found.deleted_at is not None:
        raise Conflict("the task of this decision has been removed; dismiss it")
    return found


# ten seconds to undo


async def _hold(tx: Tx, decision: Decision, answer: Answer, user: User, undo_s: int) -> Decision:
    """Keep the answer until it can be taken back no longer."""
    held = replace(
        decision,
        held_answer=msgspec.json.encode(answer).decode(),
        held_by=user.email,
        held_until=tx.now + undo_s * SECOND,
    )
    if not await tx.chat.hold_answer(held):
        raise Conflict("this decision has just been answered; the first answer stands")
    tx.effects.timer("rescue", held.held_until)
    tx.effects.fact("decision_held", **facts(held), held_until=held.held_until)
    return held


def held_answers(vault: Vault) -> Work[Decision]:
    """The work of carrying out the answers that can be taken back no longer."""
    return Work("held answer", _held_due, partial(_carry_out_all, vault), _BATCH, _give_up)


async def _held_due(tx: Tx, limit: int) -> list[Item[Decision]]:
    found = await tx.chat.held_due(tx.now, limit)
    return [Item(each.id, each.held_until or 0, each) for each in found]


async def _carry_out_all(vault: Vault, tx: Tx, decisions: list[Decision]) -> None:
    for decision in decisions:
        answer = msgspec.json.decode(decision.held_answer or "{}", type=Answer)
        try:
            by = decision.held_by or "nod"
            resolved = await _checked(tx, _without_answer(decision), answer, by)
        except NodError as error:
            await _return(tx, decision, error.detail)
        else:
            await _finish(tx, vault, resolved)


async def _give_up(tx: Tx, decision_id: str, reason: str) -> None:
    decision = await tx.chat.decision(decision_id)
    if decision is not None and decision.held_answer is not None:
        await _return(tx, decision, reason)


async def _return(tx: Tx, decision: Decision, reason: str) -> None:
    """The answer cannot be carried out any more: the question waits again, and the person reads
    why, in the chat and among the activity. The agent has heard nothing."""
    await tx.chat.drop_answer(decision.id)
    open_again = _without_answer(decision)
    title = f"Your answer could not be carried out: {decision.title}"
    text = f"{reason}. The request waits for you again."
    await tx.chat.add_activity(
        decision.agent_id,
        "decision_returned",
        title,
        text,
        decision.task_id,
        decision.run_id,
        tx.now,
        decision.id,
    )
    await tx.chat.add_notice(decision.agent_id, f"{title}. {text}", tx.now)
    _wake(tx, open_again)
    tx.effects.fact("decision_returned", **facts(open_again), reason=reason)


def _without_answer(decision: Decision) -> Decision:
    return replace(decision, held_answer=None, held_by=None, held_until=None)


def _wake(tx: Tx, decision: Decision) -> None:
    """The question may expire, or its person be warned of that, from now on."""
    tx.effects.timer("rescue", decision.expires_at)
    tx.effects.timer("rescue", decision.warn_at)
