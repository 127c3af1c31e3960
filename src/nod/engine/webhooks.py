"""Events on their way to webhooks: one pump for each agent that has something to send.

A pump lives as long as the agent has events whose time has come, and reads them from the outbox,
so that it needs nothing to be remembered. Of one run it sends one event at a time, in order.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from nod.clock import Clock
from nod.delivery.frames import wire
from nod.delivery.signing import sign_headers
from nod.delivery.webhook import WebhookSender
from nod.domain.errors import NodError, Unavailable
from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Agent, Event, new_id
from nod.engine.aside import Aside
from nod.engine.attempts import Attempt, record_attempt
from nod.engine.node import Node, alive_after
from nod.secrets import Vault
from nod.store.effects import Outgoing
from nod.store.port import UniqueViolation
from nod.store.store import Store, Tx

_log = structlog.get_logger("nod.webhooks")
_AGAIN_S = 1.0


def keys_of(agent: Agent, vault: Vault, now: Instant) -> tuple[bytes, bytes | None]:
    """The keys that sign what is sent to the agent: the one it knows, and after a rotation the
    other one as long as both hold."""
    key = vault.open(agent.webhook_key)
    if agent.old_webhook_key is None or now >= (agent.old_secret_until or 0):
        return key, None
    other = vault.open(agent.old_webhook_key)
    return (other, key) if agent.old_secret_in_use else (key, other)


@dataclass(slots=True)
class _Pump:
    """What is being sent to one agent. `woken`: an attempt has ended or an event has come."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)
    sending: dict[asyncio.Task[bool], Event] = field(default_factory=dict)

    def holds(self, event: Event) -> bool:
        """Whether an attempt is under way of the event, or of another of its run."""
        return any(
            each.id == event.id or (each.run_id is not None and each.run_id == event.run_id)
            for each in self.sending.values()
        )

    def begin(self, attempt: Coroutine[Any, Any, bool], event: Event) -> None:
        task = asyncio.create_task(attempt)
        self.sending[task] = event
        task.add_done_callback(lambda _: self.woken.set())

    def take_ended(self) -> list[tuple[Event, asyncio.Task[bool]]]:
        """The events whose attempt has ended, and the attempt."""
        ended = [task for task in self.sending if task.done()]
        return [(self.sending.pop(task), task) for task in ended]

    async def give_up(self) -> None:
        for task in self.sending:
            task.cancel()
        await asyncio.gather(*self.sending, return_exceptions=True)


class Webhooks:
    """Sends what is due by webhook.

    `may_send` is asked before each attempt. `on_ended` hears of each attempt: the event, and
    whether it was delivered.
    """

    def __init__(
        self,
        store: Store,
        sender: WebhookSender,
        vault: Vault,
        clock: Clock,
        limits: Limits,
        aside: Aside,
        node: Node,
    ) -> None:
        self._node = node
        self._leases: dict[str, Instant] = {}  # of events in hand, on a database with other nodes
        self._store = store
        self._sender = sender
        self._vault = vault
        self._clock = clock
        self._limits = limits
        self._aside = aside
        self._pumps: dict[str, _Pump] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_ended: Callable[[Event, bool], None] = lambda _event, _delivered: None
        self.may_send: Callable[[Event], bool] = lambda _event: True

    def wake(self, agent_id: str) -> None:
        """The agent may have an event whose time has come."""
        pump = self._pumps.get(agent_id)
        if pump is not None:
            pump.woken.set()
            return
        self._pumps[agent_id] = pump = _Pump()
        task = asyncio.create_task(self._run(agent_id, pump), name=f"webhooks of {agent_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def holds(self, event: Event) -> bool:
        """Whether the event, or one before it of its run, is on its way to the webhook."""
        pump = self._pumps.get(event.agent_id)
        return pump is not None and pump.holds(event)

    async def close(self) -> None:
        """Stop. Attempts under way are given up; their events stay in the outbox."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._leases:
            await self._give_back()

    async def _run(self, agent_id: str, pump: _Pump) -> None:
        try:
            await self._pump(agent_id, pump)
        except NodError as error:
            # The store cannot answer now. The outbox keeps the events; the stage looks again.
            _log.warning("webhooks wait", agent_id=agent_id, reason=error.detail)
        except Exception:  # noqa: BLE001 - one agent's webhooks go on, whatever one runs into
            _log.exception("webhooks failed and are tried again", agent_id=agent_id)
        finally:
            if pump.sending:
                await pump.give_up()
            del self._pumps[agent_id]

    async def _pump(self, agent_id: str, pump: _Pump) -> None:
        """Send until nothing is due, at most `webhook_parallel` attempts at the same time."""
        while True:
            pump.woken.clear()
            # Before the outbox is read: what it says of these is old otherwise.
            for event, attempt in pump.take_ended():
                self._ended(event, attempt)
            if len(pump.sending) < self._limits.webhook_parallel:
                for agent, outgoing in await self._due(agent_id, pump):
                    pump.begin(self._attempt(agent, outgoing), outgoing.event)
            if not pump.sending and not pump.woken.is_set():
                return
            await pump.woken.wait()

    def _ended(self, event: Event, attempt: asyncio.Task[bool]) -> None:
        """An attempt is over. One that could not be made or written down holds up no other."""
        self._leases.pop(event.id, None)
        error = attempt.exception()
        if error is not None:
            self._aside.put(event.id, error)
        self.on_ended(event, error is None and attempt.result())

    async def _due(self, agent_id: str, pump: _Pump) -> list[tuple[Agent, Outgoing]]:
        """What can be sent now, as far as there is room beside what is being sent."""
        aside = self._aside.waiting()

        async def look(tx: Tx) -> list[tuple[Agent, Outgoing]]:
            agent = await tx.people.agent(agent_id)
            if agent is None or agent.webhook_url is None or agent.webhook_disabled is not None:
                return []
            limit = self._limits.webhook_parallel + len(pump.sending) + len(aside)
            due = await tx.events.due_attempts(
                agent_id, tx.now, self._node.id, alive_after(tx.now), limit
            )
            return [(agent, each) for each in due]

        due = await self._store.read(look)
        fresh = [
            each
            for each in due
            if each[1].event.id not in aside
            and not pump.holds(each[1].event)
            and self.may_send(each[1].event)
        ]
        room = fresh[: self._limits.webhook_parallel - len(pump.sending)]
        return await self._taken_in_hand(room) if self._node.shared and room else room

    async def _taken_in_hand(
        self, due: list[tuple[Agent, Outgoing]]
    ) -> list[tuple[Agent, Outgoing]]:
        """Those of them that no other node is sending. They are ours for longer than it takes."""

        async def lease(tx: Tx) -> tuple[list[tuple[Agent, Outgoing]], Instant]:
            until = tx.now + 2 * self._limits.webhook_timeout_s * SECOND
            return [
                each for each in due if await tx.events.lease(each[1].event.id, tx.now, until)
            ], until

        ours, until = await self._store.write(lease)
        self._leases.update((each.event.id, until) for _, each in ours)
        return ours

    async def _give_back(self) -> None:
        """What was given up, another node may send at once."""

        async def give_back(tx: Tx) -> None:
            for event_id, until in sorted(self._leases.items()):
                await tx.events.give_back(event_id, until, tx.now)
            tx.effects.timer("deliver", tx.now)

        try:
            await self._store.write(give_back)
        except NodError as error:
            _log.warning("what was given up is sent later", reason=error.detail)

    async def _attempt(self, agent: Agent, outgoing: Outgoing) -> bool:
        """Try once, and write down what came of it; True when the agent has the event."""
        event, url = outgoing.event, agent.webhook_url or ""
        delivery_id = new_id("dlv", self._clock.now())
        body = wire(outgoing).encode()
        headers = self._headers(agent, outgoing, delivery_id, body)
        answer = await self._sender.send(url, headers, body)
        jitter = random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
        await self._store_attempt(Attempt(event, delivery_id, url, answer, jitter))
        return answer.reason == "ok"

    async def _store_attempt(self, attempt: Attempt) -> None:
        """Until it is stored: the agent must not get an event each time because a disk is full."""
        while True:
            try:
                # The try before this one may have been stored, and only the answer to it lost.
                with suppress(UniqueViolation):
                    await self._store.write(lambda tx: record_attempt(tx, attempt))
            except Unavailable as error:
                _log.warning("an attempt waits to be stored", reason=error.detail)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    def _headers(
        self, agent: Agent, outgoing: Outgoing, delivery_id: str, body: bytes
    ) -> dict[str, str]:
        now = self._clock.now()
        key, other = keys_of(agent, self._vault, now)
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
