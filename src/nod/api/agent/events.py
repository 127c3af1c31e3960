"""What an agent says and is told without a socket: /api/agent/events and /decisions."""

from typing import Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery

from nod.actions import decisions
from nod.api.agent.calls import check_wait, via_of, wait_for
from nod.api.agent_frames import REST, handle, read_named
from nod.api.auth import current_agent, require_agent
from nod.app import Nod
from nod.delivery.frames import wire
from nod.domain.errors import InvalidInput
from nod.domain.model import Agent, Channel
from nod.engine import attempts
from nod.store.store import Tx


class AgentEvents(Controller):
    """The feed of events, and what an agent says without a socket."""

    path = "/api/agent/events"
    tags = ("Agent: events",)
    guards = [require_agent]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @post(status_code=200)
    async def say(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        request: Request[Any, Any, State],
    ) -> dict[str, str]:
        """A message, decision, task_proposal, alert, processing_start or processing_stop."""
        raw = await request.body()
        named = read_named(raw)
        via: Channel = (
            "poll" if named.task_run_id is None else via_of(nod, agent, named.task_run_id)
        )
        return {"status": "ok", **await handle(REST, nod, agent, named, raw, via)}

    @get()
    async def feed(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        after: FromQuery[str | None] = None,
        wait_s: FromQuery[int] = 0,
    ) -> list[msgspec.Raw]:
        """Events after one that is known, else those nobody has acknowledged; waits for one."""
        check_wait(wait_s, nod.limits)

        async def look(tx: Tx) -> list[msgspec.Raw]:
            size = tx.limits.page_items
            if after is None:
                found = await tx.events.feed_open(agent.id, tx.now, size)
            else:
                known = await tx.events.get(after)
                if known is None or known.agent_id != agent.id:
                    raise InvalidInput(f"after names no event of this agent: {after[:64]}")
                found = await tx.events.feed(agent.id, known.seq, size)
            return [msgspec.Raw(wire(each).encode()) for each in found]

        return await wait_for(nod, agent.id, wait_s, look, bool)

    @post("/{event_id:str}/ack", status_code=200)
    async def acknowledge(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], event_id: FromPath[str]
    ) -> dict[str, str]:
        """The agent has the event."""
        for socket in nod.sockets.of(agent.id):
            nod.deliverer.acknowledged(socket, event_id)
        via = nod.deliverer.channel_elsewhere(agent.id)
        event = await nod.store.write(lambda tx: attempts.acknowledge(tx, agent, event_id, via))
        return {"status": "ok", "event_id": event.id, "state": event.state}


class AgentDecisions(Controller):
    """The answers to what the agent has asked."""

    path = "/api/agent/decisions"
    tags = ("Agent: decisions",)
    guards = [require_agent]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @get("/{decision_id:str}")
    async def get_decision(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        decision_id: FromPath[str],
        wait_s: FromQuery[int] = 0,
    ) -> dict[str, Any]:
        """The decision; with wait_s, once it is answered or that many seconds have passed."""
        check_wait(wait_s, nod.limits)

        async def look(tx: Tx) -> dict[str, Any]:
            return decisions.agent_view(await decisions.get_own_decision(tx, agent, decision_id))

        return await wait_for(
            nod, decision_id, wait_s, look, lambda found: found["status"] != "pending"
        )
