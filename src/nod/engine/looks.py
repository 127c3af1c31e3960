"""The one request that a task has open for its calls that wait for a look.

It shows the oldest of them and counts the others. Whatever lets calls in, turns them away or ends
them lets `look_over` make the request true again: one that has lost its call closes, and the next
call that waits gets a request of its own.
"""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from nod.domain.callers import Caller, ShownCall, shown_call
from nod.domain.decisions import make_decision
from nod.domain.model import Decision, Run, Task
from nod.domain.payload_shape import Shape
from nod.engine.requests import open_request
from nod.store.calls import Waiting
from nod.store.store import Tx


def caller_of(waiting: Waiting) -> Caller:
    """Who made the call that waits, and the shape of what it brought."""
    return Caller(waiting.call.sender, msgspec.json.decode(waiting.call.shape, type=Shape))


def call_of(look: Decision) -> ShownCall:
    """The call that a request is about."""
    return msgspec.json.decode(look.call or "", type=ShownCall)


async def look_over(tx: Tx, runs: Iterable[Run]) -> None:
    """Some runs have ended: the requests for the calls among them are made true again."""
    for task_id in dict.fromkeys(run.task_id for run in runs if run.held):
        await show(tx, task_id)


async def show(tx: Tx, task_id: str) -> None:
    """Let the task's open request say what waits now; open one, or close it."""
    waiting = await tx.calls.waiting(task_id)
    look = await tx.calls.open_look(task_id)
    if look is not None:
        shown = call_of(look)
        if any(each.run.id == shown.run_id for each in waiting):
            await tx.calls.put_call(look.id, _json(_counted(shown, waiting)))
            tx.effects.change(look.id)
            return
        await tx.chat.dismiss(look, tx.now)
        tx.effects.change(look.id, look.agent_id, look.conversation_id)
    if waiting:
        await _open(tx, await tx.tasks.known(task_id), waiting)


def like(waiting: list[Waiting], run_id: str) -> list[Waiting]:
    """Of the calls that wait those with the sender and the shape of the one that made this run,
    itself among them."""
    kinds = {each.run.id: (each.call.sender, each.call.shape) for each in waiting}
    return [each for each in waiting if kinds[each.run.id] == kinds.get(run_id)]


def _counted(shown: ShownCall, waiting: list[Waiting]) -> ShownCall:
    alike = len(like(waiting, shown.run_id))
    return replace(shown, like=alike - 1, others=len(waiting) - alike)


async def _open(tx: Tx, task: Task, waiting: list[Waiting]) -> None:
    oldest = waiting[0]
    caller = caller_of(oldest)
    known = await tx.calls.sender(task.id, caller.sender)
    payload = await tx.runs.payload(oldest.run.id)
    shown = shown_call(
        oldest.run.id,
        caller,
        None if known is None else msgspec.json.decode(known.shape, type=Shape),
        "" if payload is None else msgspec.json.format(payload.payload, indent=2),
        tx.limits.call_shown_chars,
    )
    where = await tx.chat.default_conversation(task.agent_id)
    asked = make_decision(
        tx.now,
        task.agent_id,
        where.id,
        "quarantine",
        f"A new call of {task.name}",
        tx.limits.decision_expires_s,
        description=shown.description,
        task_id=task.id,
    )
    look = replace(
        asked,
        allows_always=shown.can_be_trusted,
        always_allow_label="this sender and what it brings",
        call=_json(_counted(shown, waiting)),
    )
    await open_request(tx, look, run_id=oldest.run.id)


def _json(shown: ShownCall) -> str:
    return msgspec.json.encode(shown).decode()
