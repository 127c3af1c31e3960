"""Calls that nobody has vouched for: held until a person has looked, then let in or turned away.

The call is stored as any other, so its caller gets its answer and need not send it again. Its run
stands in the task's queue, but has no turn until the person lets it in.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from nod.domain.callers import Caller, strange
from nod.domain.errors import Conflict, TooMany
from nod.domain.instant import SECOND
from nod.domain.model import Decision, HeldCall, Payload, Run, Task, TrustedSender, new_id
from nod.domain.payload_shape import Shape, merged
from nod.domain.runs import underway
from nod.domain.words import duration_words
from nod.engine.ending import cancel_all, end, move, release
from nod.engine.looks import call_of, caller_of, like, show
from nod.engine.outbox import make_run_event, put
from nod.store.calls import Waiting
from nod.store.store import Tx
from nod.store.tasks import TriggerCall


async def must_wait(tx: Tx, task: Task, caller: Caller) -> bool:
    """Whether a call waits for a look. Raises TooMany when as many wait as may."""
    if not task.quarantine:
        return False
    sender = await tx.calls.sender(task.id, caller.sender)
    if strange(caller, _known(sender)) is None and sender is not None:
        await tx.calls.count_use(sender.id, tx.now)
        return False
    if await tx.calls.count_waiting(task.id) >= tx.limits.held_calls:
        raise TooMany(
            f"{tx.limits.held_calls} calls wait for a person to look at them, which is the limit;"
            " try again later",
            retry_after=3600,
        )
    return True


async def hold(tx: Tx, task: Task, run: Run, brought: Payload, caller: Caller) -> TriggerCall:
    """Store the call and its held run, which has no turn until a person lets it in."""
    await tx.runs.insert([run])
    await tx.runs.insert_payload(brought)
    shape = msgspec.json.encode(caller.shape).decode()
    await tx.calls.hold(HeldCall(run.id, task.id, caller.sender, shape))
    event = await put(
        tx, make_run_event(tx.now, task, run, tx.limits, called=True, traced=tx.traced), brought
    )
    tx.effects.fact(
        "held",
        run_id=run.id,
        task_id=task.id,
        task_name=task.name,
        agent_id=task.agent_id,
        sender=caller.sender,
    )
    await show(tx, task.id)
    return TriggerCall(run.id, event.id)


async def check(tx: Tx, look: Decision) -> None:
    """Raises Conflict when an answer that trusts the sender cannot be carried out."""
    if look.always_allow:
        await _trusted(tx, look, like(await tx.calls.waiting(look.task_id or ""), _run_id(look)))


async def carry_out(tx: Tx, look: Decision) -> None:
    """What the person has decided, or nobody in time, happens to the call and those like it.

    Trusting lets in all that are like it, and those that come later; approving alone this one.
    """
    task = await tx.tasks.known(look.task_id or "")
    alike = like(await tx.calls.waiting(task.id), _run_id(look))
    if look.status != "approved":
        for each in alike:
            await end(tx, each.run, "turn_away", reason=_why(look))
    elif look.always_allow:
        await tx.calls.trust(await _trusted(tx, look, alike))
        await _let_in(tx, task, [each.run for each in alike])
    else:
        await _let_in(tx, task, [each.run for each in alike if each.run.id == _run_id(look)])
    await show(tx, task.id)


async def _let_in(tx: Tx, task: Task, runs: Sequence[Run]) -> None:
    """The runs take their place in the queue of their task, as calls that have just come."""
    if task.overlap == "cancel_previous":
        going = underway(await tx.runs.active(task.id), tx.now)
        await cancel_all(tx, going, "a newer call took its place")
    for run in runs:
        await move(tx, run, replace(run, held=False))
    await release(tx, task)


async def _trusted(tx: Tx, look: Decision, alike: Sequence[Waiting]) -> TrustedSender:
    """The sender of a call, with what it may bring from now on."""
    caller = caller_of(alike[0])  # there is one: a request that has lost its call is closed
    before = await tx.calls.sender(alike[0].run.task_id, caller.sender)
    shape = caller.shape if before is None else merged(caller.shape, _known(before) or Shape(()))
    most = tx.limits.shape_places
    if len(shape.parts) > most:
        raise Conflict(
            f"what this sender brings has more than {most} different fields, too many to be"
            " compared; run the call once"
        )
    if before is None and await tx.calls.count_senders(look.task_id or "") >= (
        tx.limits.trusted_senders
    ):
        raise Conflict(
            f"this task trusts {tx.limits.trusted_senders} senders, which is the limit; remove"
            " some of them first"
        )
    return TrustedSender(
        id=new_id("tru", tx.now) if before is None else before.id,
        task_id=alike[0].run.task_id,
        sender=caller.sender,
        shape=msgspec.json.encode(shape).decode(),
        trusted_by=look.resolved_by or "",
        created_at=tx.now if before is None else before.created_at,
        uses=0 if before is None else before.uses,
        used_at=None if before is None else before.used_at,
    )


def _known(sender: TrustedSender | None) -> Shape | None:
    return None if sender is None else msgspec.json.decode(sender.shape, type=Shape)


def _run_id(look: Decision) -> str:
    return call_of(look).run_id


def _why(look: Decision) -> str:
    if look.status == "expired":
        waited = duration_words((look.expires_at - look.created_at) // SECOND)
        return f"its call was new, and nobody looked at it within {waited}"
    return f"its call was new, and {look.resolved_by} did not let it in"
