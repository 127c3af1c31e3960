"""Events on their way to webhooks: one pump for each agent that has something to send.

A pump lives as long as the agent has events whose time has come, and reads them from the outbox,
so that it needs nothing to be remembered. Of one run it sends one event at a time, in order.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from nod.clock import Clock
from nod.delivery.frames import wire
from nod.delivery.signing import sign_headers
from nod.delivery.webhook import WebhookSender
from nod.domain.errors import NodError
from nod.domain.instant import SECOND
from nod.domain.limits import Limits
from nod.domain.model import Agent, new_id
from nod.engine.attempts import record_attempt
from nod.secrets import Vault
from nod.store.effects import Outgoing
from nod.store.store import Store, Tx

_log = structlog.get_logger("nod.webhooks")


@dataclass(slots=True)
class _Pump:
    task: asyncio.Task[None]
    again: bool = False


class Webhooks:
    """Sends what is due by webhook. `on_failed` hears of each agent whose attempt failed."""

    def __init__(
        self, store: Store, sender: WebhookSender, vault: Vault, clock: Clock, limits: Limits
    ) -> None:
        self._store = store
        self._sender = sender
        self._vault = vault
        self._clock = clock
        self._limits = limits
        self._pumps: dict[str, _Pump] = {}
        self.busy: set[str] = set()  # events of which an attempt is under way
        self.on_failed: Callable[[str], None] = lambda _agent_id: None
        self.may_send: Callable[[str, str], bool] = lambda _agent_id, _event_id: True

    def wake(self, agent_id: str) -> None:
        """The agent may have an event whose time has come."""
        pump = self._pumps.get(agent_id)
        if pump is not None:
            pump.again = True
            return
        task = asyncio.create_task(self._run(agent_id), name=f"webhooks of {agent_id}")
        self._pumps[agent_id] = _Pump(task)

    async def close(self) -> None:
        """Stop. Attempts under way are given up; their events stay in the outbox."""
        tasks = [pump.task for pump in self._pumps.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, agent_id: str) -> None:
        try:
            await self._pump(agent_id)
        except NodError as error:
            # The store cannot answer now. The outbox keeps the events; the stage looks again.
            _log.warning("webhooks wait", agent_id=agent_id, reason=error.detail)
        finally:
            pump = self._pumps.pop(agent_id)
        if pump.again:
            self.wake(agent_id)

    async def _pump(self, agent_id: str) -> None:
        """Send until nothing is due, at most `webhook_parallel` attempts at the same time."""
        sending: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._pumps[agent_id].again = False
                for agent, outgoing in await self._due(agent_id, len(sending)):
                    self.busy.add(outgoing.event.id)
                    sending.add(asyncio.create_task(self._attempt(agent, outgoing)))
                if not sending:
                    return
                done, sending = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def _due(self, agent_id: str, sending: int) -> list[tuple[Agent, Outgoing]]:
        """What can be sent now, as far as there is room beside what is being sent."""

        async def look(tx: Tx) -> list[tuple[Agent, Outgoing]]:
            agent = await tx.people.agent(agent_id)
            if agent is None or agent.webhook_url is None or agent.webhook_disabled is not None:
                return []
            limit = self._limits.webhook_parallel + sending
            return [(agent, each) for each in await tx.events.due_attempts(agent_id, tx.now, limit)]

        due = await self._store.read(look)
        fresh = [each for each in due if self._free(agent_id, each[1].event.id)]
        return fresh[: self._limits.webhook_parallel - sending]

    def _free(self, agent_id: str, event_id: str) -> bool:
        return event_id not in self.busy and self.may_send(agent_id, event_id)

    async def _attempt(self, agent: Agent, outgoing: Outgoing) -> None:
        event = outgoing.event
        delivery_id = new_id("dlv", self._clock.now())
        body = wire(outgoing).encode()
        try:
            answer = await self._sender.send(
                agent.webhook_url or "",
                self._headers(agent, outgoing, delivery_id, body),
                body,
            )
            jitter = random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
            await self._store.write(
                lambda tx: record_attempt(tx, event, delivery_id, answer, jitter)
            )
        finally:
            self.busy.discard(event.id)
        if answer.reason != "ok":
            self.on_failed(agent.id)

    def _headers(
        self, agent: Agent, outgoing: Outgoing, delivery_id: str, body: bytes
    ) -> dict[str, str]:
        now = self._clock.now()
        key = self._vault.open(agent.webhook_key)
        other = None
        if agent.old_webhook_key is not None and now < (agent.old_secret_until or 0):
            other = self._vault.open(agent.old_webhook_key)
            if agent.old_secret_in_use:
                key, other = other, key
        return sign_headers(
            event_id=outgoing.event.id,
            delivery_id=delivery_id,
            body=body,
            timestamp=now // SECOND,
            retry_num=outgoing.event.attempts,
            retry_reason=outgoing.event.retry_reason,
            key=key,
            other_key=other,
        )
