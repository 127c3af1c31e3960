"""The calls of an event task's trigger: the recent ones, a test, and those that were refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from nod.actions.tasks import get_own
from nod.domain import inbound
from nod.domain.errors import (
    Conflict,
    InvalidInput,
    NodError,
    NotAuthenticated,
    TooLarge,
    TooMany,
)
from nod.domain.instant import SECOND, Instant
from nod.domain.model import Agent, RefusedCall, Task, new_id
from nod.domain.states import ENDED
from nod.engine.trigger import Call, accept_call
from nod.store.store import Tx
from nod.store.tasks import AcceptedCall, TriggerCall

_WHY: tuple[tuple[type[NodError], str], ...] = (
    (NotAuthenticated, "wrong_signature"),
    (Conflict, "paused"),
    (TooMany, "rate_limited"),
    (TooLarge, "too_large"),
    (InvalidInput, "malformed"),
)


@dataclass(frozen=True, slots=True)
class RecentCall:
    """A call: `outcome` is accepted, held (for a look), turned_away, skipped or the kind of
    refusal, with its reason. A call that repeated an earlier one is not listed again."""

    at: Instant
    outcome: str
    run_id: str | None
    reason: str | None
    size_bytes: int | None
    source: str
    headers: dict[str, str]


async def recent_calls(tx: Tx, agent: Agent, task_id: str) -> list[RecentCall]:
    """The newest calls of the task, refused ones among them, newest first. Raises NotFound."""
    task = await get_own(tx, agent, task_id)
    most = tx.limits.refused_calls
    found = [
        _recent(
            call.created_at,
            _outcome(call),
            call.run_id,
            call.reason if call.status == "skipped" or call.held else None,
            call.size_bytes,
            call.inbound,
        )
        for call in await tx.tasks.accepted_calls(task.id, most)
    ]
    found += [
        _recent(call.created_at, call.status, None, call.reason, call.size_bytes, call.inbound)
        for call in await tx.tasks.refused_calls(task.id, most)
    ]
    return sorted(found, key=lambda call: call.at, reverse=True)


def _outcome(call: AcceptedCall) -> str:
    if call.held:
        return "turned_away" if call.status in ENDED else "held"
    return "skipped" if call.status == "skipped" else "accepted"


def _recent(
    at: Instant,
    outcome: str,
    run_id: str | None,
    reason: str | None,
    size_bytes: int | None,
    circumstances: str,
) -> RecentCall:
    shown = msgspec.json.decode(circumstances)
    source, headers = shown.get("source", "unknown"), shown.get("headers", {})
    return RecentCall(at, outcome, run_id, reason, size_bytes, source, headers)


async def send_test(
    tx: Tx, agent: Agent, task_id: str, payload: Any, key: str | None
) -> TriggerCall:
    """Call the task as from outside, in the person's name: no signature is needed, and everything
    else is as for any call, the limit of calls and a repeated key too.

    Raises Conflict for a task that waits for no call or is paused, TooLarge, TooMany, NotFound.
    """
    task = await get_own(tx, agent, task_id)
    if task.trigger_type != "event":
        raise Conflict("only a task with the schedule event can be sent a test event")
    body = msgspec.json.encode(payload)
    if len(body) > tx.limits.body_bytes:
        raise TooLarge(f"the payload is larger than the {tx.limits.body_bytes} bytes of a call")
    read = inbound.read_payload(body, "application/json", tx.limits)
    headers = {} if key is None else {"idempotency-key": key}
    circumstances = {"source": "test", "headers": headers, "query": {}}
    made = Call(
        read.decode(),
        msgspec.json.encode(circumstances).decode(),
        inbound.dedupe_key(headers, b"{}"),
    )
    return await accept_call(tx, task, made)


async def may_write_refusal(tx: Tx, task: Task) -> bool:
    """Whether a refused call is to be written now: a flood of them costs one write a second."""
    last = await tx.tasks.last_refused(task.id)
    return last is None or not 0 <= tx.now - last < tx.limits.refused_call_s * SECOND


async def write_refusal(
    tx: Tx,
    task: Task,
    why: str,
    reason: str,
    headers: Mapping[str, str],
    size_bytes: int | None,
) -> None:
    """Keep a call that was refused for the person to look at, unless one just has been."""
    if not await may_write_refusal(tx, task):
        return
    circumstances = {"source": inbound.source(headers), "headers": inbound.safe_headers(headers)}
    call = RefusedCall(
        new_id("rfc", tx.now),
        task.id,
        tx.now,
        why,
        reason,
        size_bytes,
        msgspec.json.encode(circumstances).decode(),
    )
    await tx.tasks.refuse_call(call, tx.limits.refused_calls)
    tx.effects.fact("call_refused", task_id=task.id, agent_id=task.agent_id, reason=reason)


def why_refused(error: NodError) -> str | None:
    """The kind of refusal; None for what is none, such as a store that is away."""
    return next((why for kind, why in _WHY if isinstance(error, kind)), None)
