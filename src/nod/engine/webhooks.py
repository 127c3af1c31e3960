"""Events on their way to webhooks: one pump for each agent that has something to send.

A pump lives as long as the agent has events whose time has come, and reads them from the outbox,
so that it needs nothing to be remembered. Of one run it sends one event at a time, in order.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from nod.clock import Clock
from nod.delivery.cloud_events import CONTENT_TYPE, cloud_event
from nod.delivery.frames import trace_headers, wire
from nod.delivery.signing import sign_headers
from nod.delivery.webhook import Answer, WebhookSender
from nod.domain.errors import NodError, Unavailable
from nod.domain.instant import SECOND, Instant
from nod.domain.limits import Limits
from nod.domain.model import Agent, Event, new_id
from nod.engine.aside import Aside
from nod.engine.attempts import Attempt, record_attempt
from nod.engine.node import Node
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


def in_format(agent: Agent, event: str, at: Instant, public_url: str) -> tuple[bytes, str]:
    """An event, as JSON, in the format that the agent's webhook takes, and the type of that."""
    if agent.webhook_format == "cloudevents":
        return cloud_event(event, agent.id, at, public_url).encode(), CONTENT_TYPE
    return event.encode(), "application/json"


@dataclass(slots=True)
class _Pump:
    """What is being sent to one agent. `woken`: an attempt has ended or an event has come."""

    woken: asyncio.Event = field(default_factory=asyncio.Event)
    sending: dict[asyncio.Task[bool | None], Event] = field(default_factory=dict)

    def holds(self, event: Event) -> bool:
        """Whether an attempt is under way of the event, or of another of its run."""
        return any(
            each.id == event.id or (each.run_id is not None and each.run_id == event.run_id)
            for each in self.sending.values()
        )

    def begin(self, attempt: Coroutine[Any, Any, bool | None], event: Event) -> None:
        task = asyncio.create_task(attempt)
        self.sending[task] = event
        task.add_done_callback(lambda _: self.woken.set())

    def take_ended(self) -> list[tuple[Event, asyncio.Task[bool | None]]]:
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
        public_url: str = "",
    ) -> None:
        self._node = node
        self._public_url = public_url
        self._store = store
        self._sender = sender
        self._vault = vault
        self._clock = clock
        self._limits = limits
        self._aside = aside
        self._pumps: dict[str, _Pump] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._posts: set[asyncio.Timeout] = set()
        # What is in hand here and is not being sent, by agent. Other nodes cannot take it.
        self._strays: defaultdict[str, set[str]] = defaultdict(set)
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

    def give_up(self) -> None:
        """Break off what is being sent: other nodes are about to take this one for gone. What has
        been answered is written down as soon as that can be done."""
        for post in self._posts:
            post.reschedule(0)

    def to_give_back(self) -> set[str]:
        """Agents of which something is in hand here that is not being sent; wake them."""
        return set(self._strays)

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
                self._is_left(*pump.sending.values())
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

    def _ended(self, event: Event, attempt: asyncio.Task[bool | None]) -> None:
        """An attempt is over. One that could not be made or written down holds up no other."""
        error = attempt.exception()
        if error is not None:
            self._aside.put(event.id, error)
        delivered = attempt.result() if error is None else None
        if delivered is None:
            self._is_left(event)
        self.on_ended(event, delivered is True)

    def _is_left(self, *events: Event) -> None:
        if self._node.shared:
            for each in events:
                self._strays[each.agent_id].add(each.id)

    async def _due(self, agent_id: str, pump: _Pump) -> list[tuple[Agent, Outgoing]]:
        """What can be sent now, as far as there is room beside what is being sent."""
        aside = self._aside.waiting()

        async def look(tx: Tx) -> list[tuple[Agent, Outgoing]]:
            agent = await tx.people.agent(agent_id)
            if agent is None or agent.webhook_url is None or agent.webhook_disabled is not None:
                return []
            limit = self._limits.webhook_parallel + len(pump.sending) + len(aside)
            asker = self._node.asks(tx.now)
            due = await tx.events.due_attempts(agent_id, tx.now, asker, limit)
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
        return await self._in_hand(agent_id, room) if self._node.shared else room

    async def _in_hand(
        self, agent_id: str, due: list[tuple[Agent, Outgoing]]
    ) -> list[tuple[Agent, Outgoing]]:
        """Those of them that no other node has. They are ours for as long as we are seen."""
        wanted = due if self._node.is_seen else []
        strays = self._strays.get(agent_id, set()) - {each.event.id for _, each in wanted}

        async def take(tx: Tx) -> list[tuple[Agent, Outgoing]]:
            for event_id in sorted(strays):
                await tx.events.give_back(event_id, self._node.id)
            if strays:
                tx.effects.timer("deliver", tx.now)
            asker = self._node.asks(tx.now)
            return [
                each for each in wanted if await tx.events.lease(each[1].event.id, tx.now, asker)
            ]

        taken = await self._store.write(take) if wanted or strays else []
        self._strays.pop(agent_id, None)
        return taken

    async def _attempt(self, agent: Agent, outgoing: Outgoing) -> bool | None:
        """Try once, and write down what came of it; True when the agent has the event, None when
        the attempt was broken off."""
        event, url = outgoing.event, agent.webhook_url or ""
        delivery_id = new_id("dlv", self._clock.now())
        body, content_type = in_format(agent, wire(outgoing), event.created_at, self._public_url)
        headers = self._headers(agent, outgoing, delivery_id, body, content_type)
        answer = await self._post(url, headers, body)
        if answer is None:
            return None
        jitter = random.uniform(-1, 1)  # noqa: S311 - spreads load, guards nothing
        await self._store_attempt(Attempt(event, delivery_id, url, answer, jitter, self._node.id))
        return answer.reason == "ok"

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> Answer | None:
        try:
            async with asyncio.timeout(None) as post:
                self._posts.add(post)
                try:
                    return await self._sender.send(url, headers, body)
                finally:
                    self._posts.discard(post)
        except TimeoutError:
            return None

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
        self,
        agent: Agent,
        outgoing: Outgoing,
        delivery_id: str,
        body: bytes,
        content_type: str,
    ) -> dict[str, str]:
        now = self._clock.now()
        key, other = keys_of(agent, self._vault, now)
        return trace_headers(outgoing.event.body) | sign_headers(
            event_id=outgoing.event.id,
            delivery_id=delivery_id,
            body=body,
            timestamp=now // SECOND,
            retry_num=outgoing.event.attempts,
            retry_reason=outgoing.event.retry_reason,
            key=key,
            other_key=other,
            content_type=content_type,
        )
