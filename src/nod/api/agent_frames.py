"""What an agent may say, on its socket or by POST /api/agent/events: one table for both doors."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from nod.actions import chat, decisions
from nod.actions.chat import AlertFields, MessageFields, StatusFields
from nod.actions.decisions import DecisionFields, ProposalFields
from nod.actions.heartbeats import Beat
from nod.app import Nod
from nod.domain.errors import InvalidInput
from nod.domain.model import Agent, Channel

Answer = dict[str, str]
Handler = Callable[[Nod, Agent, bytes, Channel], Awaitable[Answer]]
F = TypeVar("F")


class Named(msgspec.Struct):
    """What every frame has: its type, and the run it may name."""

    type: str
    task_run_id: str | None = None


def read_named(raw: bytes) -> Named:
    """The frame's type and run. Raises msgspec's errors for what is no such JSON object."""
    return msgspec.json.decode(raw, type=Named)


def _fields(raw: bytes, kind: type[F]) -> F:
    return msgspec.json.decode(raw, type=kind)


async def _message(nod: Nod, agent: Agent, raw: bytes, via: Channel) -> Answer:
    fields = _fields(raw, MessageFields)
    message = await nod.store.write(lambda tx: chat.agent_message(tx, agent, fields, via))
    return {"message_id": message.id}


async def _decision(nod: Nod, agent: Agent, raw: bytes, via: Channel) -> Answer:
    fields = _fields(raw, DecisionFields)
    decision = await nod.store.write(lambda tx: decisions.open_decision(tx, agent, fields, via))
    return {"decision_id": decision.id}


async def _proposal(nod: Nod, agent: Agent, raw: bytes, via: Channel) -> Answer:
    fields = _fields(raw, ProposalFields)
    decision = await nod.store.write(lambda tx: decisions.propose_task(tx, agent, fields, via))
    return {"decision_id": decision.id}


async def _alert(nod: Nod, agent: Agent, raw: bytes, via: Channel) -> Answer:
    fields = _fields(raw, AlertFields)
    await nod.store.write(lambda tx: chat.alert(tx, agent, fields, via))
    return {}


async def _status(nod: Nod, agent: Agent, raw: bytes, _via: Channel) -> Answer:
    fields = _fields(raw, StatusFields)
    await nod.store.write(lambda tx: chat.status(tx, agent, fields))
    return {}


async def _heartbeat(nod: Nod, agent: Agent, raw: bytes, via: Channel) -> Answer:
    await nod.heartbeats.beat(agent, _fields(raw, Beat), via)
    return {}


async def _idle(nod: Nod, agent: Agent, _raw: bytes, _via: Channel) -> Answer:
    nod.heartbeats.forget_agent(agent.id)
    await nod.store.write(lambda tx: chat.stop_thinking(tx, agent))
    return {}


_BOTH: dict[str, Handler] = {
    "message": _message,
    "decision": _decision,
    "task_proposal": _proposal,
    "alert": _alert,
}
SOCKET: dict[str, Handler] = {
    **_BOTH,
    "agent_heartbeat": _heartbeat,
    "agent_idle": _idle,
    "status": _status,
}
REST: dict[str, Handler] = {**_BOTH, "processing_start": _heartbeat, "processing_stop": _idle}


async def handle(
    table: dict[str, Handler], nod: Nod, agent: Agent, named: Named, raw: bytes, via: Channel
) -> dict[str, Any]:
    """Do what the frame says and return what its sender is told beside "ok".

    Raises InvalidInput for an unknown type, and what the action raises.
    """
    handler = table.get(named.type)
    if handler is None:
        raise InvalidInput(
            f"unknown type {named.type[:64]!r}; one of {', '.join(sorted(table))} is expected"
        )
    return dict(await handler(nod, agent, raw, via))
