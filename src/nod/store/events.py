"""The outbox in the store: events, and the attempts to deliver them."""

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import NamedTuple

from nod.domain.instant import Instant
from nod.domain.model import Channel, Delivery, Event, Payload
from nod.domain.states import EventState
from nod.store.effects import Outgoing
from nod.store.nodes import Asker
from nod.store.port import Connection, Row
from nod.store.rows import row

_INSERTED = (
    "id", "agent_id", "run_id", "type", "body", "state", "created_at", "not_before", "expires_at",
)  # fmt: skip


_DELIVERY = len(fields(Delivery))


class Before(NamedTuple):
    """Below which attempt a page of them begins, the newest first."""

    at: Instant
    id: str


class Settled(NamedTuple):
    """An event's way out of the outbox, in the order of the statement's values."""

    state: EventState
    channel: Channel | None
    at: Instant
    error: str | None
    id: str
    expected: EventState


_inserted = attrgetter(*_INSERTED)


def _outgoing(found: Sequence[Row]) -> list[Outgoing]:
    return [
        Outgoing(Event(*each[:-3]), None if each[-3] is None else Payload(*each[-3:]))
        for each in found
    ]


class Events:
    """The verbs on events."""

    __slots__ = ("_db",)

    def __init__(self, db: Connection) -> None:
        self._db = db

    async def insert(self, events: Sequence[Event]) -> None:
        """Store the events. Their `attempt_at` is set where the agent has a working webhook."""
        await self._db.many("insert_events", [_inserted(event) for event in events])

    async def get(self, event_id: str) -> Event | None:
        found = await self._db.one("event", event_id=event_id)
        return None if found is None else Event(*found)

    async def of_run(self, run_id: str) -> list[Event]:
        return [Event(*each) for each in await self._db.all("events_of_run", run_id=run_id)]

    async def count_undelivered(self, agent_id: str, now: Instant, limit: int) -> int:
        """How many tasks wait for a channel to the agent, counted to `limit`."""
        found = await self._db.one("count_undelivered", agent_id=agent_id, now=now, limit=limit)
        return 0 if found is None else int(found[0])

    async def undelivered(
        self,
        agent_id: str,
        after: int,
        now: Instant,
        asker: Asker,
        polled_before: Instant,
        limit: int,
    ) -> list[Outgoing]:
        """What a socket gets when it opens, the oldest first, with seq above `after`."""
        return _outgoing(
            await self._db.all(
                "undelivered",
                agent_id=agent_id,
                after=after,
                now=now,
                polled_before=polled_before,
                limit=limit,
                **asker._asdict(),
            )
        )

    async def agents_to_attempt(self, now: Instant, asker: Asker) -> list[str]:
        """Agents whose webhook is to be tried now, by this node: those that are connected to no
        other node."""
        found = await self._db.all("agents_to_attempt", now=now, **asker._asdict())
        return [each[0] for each in found]

    async def due_attempts(
        self, agent_id: str, now: Instant, asker: Asker, limit: int
    ) -> list[Outgoing]:
        """What is to be tried now and no other node has in hand, unless the agent is connected to
        another node."""
        return _outgoing(
            await self._db.all(
                "due_attempts", agent_id=agent_id, now=now, limit=limit, **asker._asdict()
            )
        )

    async def lease(self, event_id: str, now: Instant, asker: Asker) -> bool:
        """Take an event that is to be tried now in hand; False: another node was faster."""
        changed = await self._db.run("lease_event", event_id=event_id, now=now, **asker._asdict())
        return changed == 1

    async def give_back(self, event_id: str, node_id: str) -> None:
        """What the node has in hand, any of them may send."""
        await self._db.run("give_event_back", event_id=event_id, node_id=node_id)

    async def next_attempt_at(self, now: Instant) -> Instant | None:
        """When, after `now`, the next webhook attempt is."""
        found = await self._db.one("next_attempt_at", now=now)
        return None if found is None else found[0]

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Take events out of the outbox; those no longer in the expected state stay as they are."""
        await self._db.many("settle_events", settled)

    async def settle_run(
        self,
        run_id: str,
        state: EventState,
        channel: Channel | None,
        now: Instant,
        error: str | None,
    ) -> None:
        """Take the event that brought a run out of the outbox, unless it has left it already."""
        await self._db.run(
            "settle_run", run_id=run_id, state=state, channel=channel, at=now, error=error
        )

    async def bury_all(self, agent_id: str, now: Instant, error: str) -> None:
        """The agent is gone: nothing that waits for it is sent any more."""
        await self._db.run("bury_events_of_agent", agent_id=agent_id, now=now, error=error)

    async def schedule_attempt(
        self,
        event_id: str,
        attempts: int,
        at: Instant | None,
        reason: str,
        error: str | None,
        node_id: str = "",
    ) -> None:
        """After an attempt of this node; where another has the event in hand by now, it is left
        to that one."""
        await self._db.run(
            "schedule_attempt",
            event_id=event_id,
            node_id=node_id,
            attempts=attempts,
            attempt_at=at,
            retry_reason=reason,
            error=error,
        )

    async def queue(self, run_id: str) -> None:
        """The retry's time has come: its event waits for its turn alone."""
        await self._db.run("queue_event", run_id=run_id)

    async def release(self, run_id: str, now: Instant, expires_at: Instant | None) -> None:
        """The turn of a queued run has come: its event may go."""
        await self._db.run("release_event", run_id=run_id, now=now, expires_at=expires_at)

    async def replay(
        self, event_id: str, expected: EventState, now: Instant, expires_at: Instant | None
    ) -> bool:
        changed = await self._db.run(
            "replay_event", event_id=event_id, expected=expected, now=now, expires_at=expires_at
        )
        return changed == 1

    async def webhook_opened(self, agent_id: str, now: Instant) -> None:
        """The agent has a working webhook now: its waiting events are tried."""
        await self._db.run("webhook_opened", agent_id=agent_id, now=now)

    async def webhook_closed(self, agent_id: str) -> None:
        """The agent's webhook is gone or disabled: its events wait for another channel."""
        await self._db.run("webhook_closed", agent_id=agent_id)

    async def expired(self, now: Instant, limit: int) -> list[Event]:
        return [Event(*each) for each in await self._db.all("expired_events", now=now, limit=limit)]

    async def next_expiry(self) -> Instant | None:
        found = await self._db.one("next_expiry")
        return None if found is None else found[0]

    async def triggers_to_poll(
        self, agent_id: str, now: Instant, polled_before: Instant, limit: int
    ) -> list[Outgoing]:
        """Trigger events nobody has taken up: new ones, and those handed out long ago."""
        return _outgoing(
            await self._db.all(
                "triggers_to_poll",
                agent_id=agent_id,
                now=now,
                polled_before=polled_before,
                limit=limit,
            )
        )

    async def feed(self, agent_id: str, after: int, limit: int) -> list[Outgoing]:
        """All events of the agent with seq above `after`, settled or not."""
        return _outgoing(await self._db.all("feed", agent_id=agent_id, after=after, limit=limit))

    async def feed_open(self, agent_id: str, now: Instant, limit: int) -> list[Outgoing]:
        """The agent's events that nobody has acknowledged."""
        return _outgoing(await self._db.all("feed_open", agent_id=agent_id, now=now, limit=limit))

    async def insert_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        await self._db.many("insert_deliveries", [row(each) for each in deliveries])

    async def delivery(self, delivery_id: str) -> Delivery | None:
        found = await self._db.one("delivery", delivery_id=delivery_id)
        return None if found is None else Delivery(*found)

    async def deliveries_of_event(self, event_id: str) -> list[Delivery]:
        found = await self._db.all("deliveries_of_event", event_id=event_id)
        return [Delivery(*each) for each in found]

    async def attempts_of(
        self, agent_id: str, channel: Channel, limit: int, before: Before, *, failed: bool
    ) -> list[tuple[Delivery, Event]]:
        """The attempts to reach the agent on a channel, all or those that failed, each with what it
        was to bring; newest first."""
        found = await self._db.all(
            "failed_deliveries_of_agent" if failed else "deliveries_of_agent",
            agent_id=agent_id,
            channel=channel,
            at=before.at,
            id=before.id,
            limit=limit,
        )
        return [(Delivery(*each[:_DELIVERY]), Event(*each[_DELIVERY:])) for each in found]

    async def ended_of(
        self, agent_id: str, state: EventState, limit: int, before: Before
    ) -> list[Event]:
        """The agent's events in a state that they came to without an attempt: it fetched them, or
        nobody did. The newest end first."""
        found = await self._db.all(
            "ended_events_of_agent",
            agent_id=agent_id,
            state=state,
            at=before.at,
            id=before.id,
            limit=limit,
        )
        return [Event(*each) for each in found]

    async def waiting_of(self, agent_id: str, limit: int, after: int = 0) -> list[Event]:
        """The agent's events that have not arrived, the oldest first, with seq above `after`."""
        found = await self._db.all(
            "waiting_events_of_agent", agent_id=agent_id, after=after, limit=limit
        )
        return [Event(*each) for each in found]

    async def undelivered_since(self) -> Instant | None:
        """Since when the event that waits longest could have been delivered; None: none waits."""
        found = await self._db.one("oldest_undelivered")
        return None if found is None or found[0] is None else Instant(found[0])

    async def newest_at(self) -> Instant | None:
        """When the event written last was made."""
        found = await self._db.one("newest_event")
        return None if found is None else Instant(found[0])

    async def sweep(self, before: Instant, limit: int) -> int:
        """Remove settled events older than a time."""
        return await self._db.run("sweep_events", before=before, limit=limit)
