"""What was sent to agents, what came of it, and what is still on its way."""

from typing import Any, Literal

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import deliveries
from nod.actions.deliveries import Sent, Wanted
from nod.api.auth import require_user
from nod.api.paging import page, page_size, read_seq_cursor
from nod.api.views import DeliveryView, at, delivery_view
from nod.app import Nod
from nod.delivery.frames import wire
from nod.domain.deliveries import About, NextKind, next_of
from nod.domain.errors import NotFound
from nod.domain.instant import rfc3339
from nod.domain.model import Channel, Event, EventType, User
from nod.domain.states import EventState
from nod.store.effects import Outgoing

Outcome = Literal["failed"]


class EventView(msgspec.Struct, kw_only=True):
    """What an agent is told. `title` is the task's name, the beginning of the message, or the
    request that was answered. `next` is what happens now, and `next_at` when: among others
    `waiting` until the agent connects or asks, and `held` until the run before it has ended."""

    id: str
    agent_id: str
    type: EventType
    title: str
    state: EventState
    next: NextKind
    next_at: str | None
    expires_at: str | None
    attempts: int
    error: str | None
    created_at: str
    run_id: str | None
    task_id: str | None
    conversation_id: str | None
    message_id: str | None
    decision_id: str | None


class SentView(DeliveryView, kw_only=True):
    """An attempt and the event it was to bring. What the agent fetched itself, or nobody did
    (`outcome` is `dead`), has its event's id and the channel `poll`."""

    event: EventView


class WholeEventView(EventView, kw_only=True):
    """An event, as it is sent, with all attempts, the oldest first."""

    sent: Any
    tries: list[DeliveryView]


class ReplayView(msgspec.Struct):
    """An event that goes out again, under the same id."""

    status: str
    event_id: str


def _event_fields(nod: Nod, event: Event, about: About) -> dict[str, Any]:
    connected = nod.sockets.connected(event.agent_id)
    following = next_of(event, nod.clock.now(), connected=connected)
    same = ("id", "agent_id", "run_id", "type", "state", "attempts", "error")
    return {
        **{name: getattr(event, name) for name in same},
        **about._asdict(),
        "next": following.kind,
        "next_at": at(following.at),
        "expires_at": at(event.expires_at),
        "created_at": rfc3339(event.created_at),
    }


def _sent_view(nod: Nod, each: Sent) -> SentView:
    shown = delivery_view(each.attempt)
    event = EventView(**_event_fields(nod, each.event, each.about))
    return SentView(**msgspec.structs.asdict(shown), event=event)


class Deliveries(Controller):
    """Attempts to bring events to agents."""

    path = "/api/deliveries"
    tags = ("Deliveries",)
    guards = (require_user,)

    @get()
    async def list_deliveries(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromQuery[str | None] = None,
        event_id: FromQuery[str | None] = None,
        channel: FromQuery[Channel | None] = None,
        outcome: FromQuery[Outcome | None] = None,
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[SentView]]:
        """The attempts, newest first, of all agents or one, of all events or one, on all channels
        or one, and with `?outcome=failed` those alone that did not succeed."""
        size, before = page_size(limit, nod.limits), deliveries.read_cursor(cursor)
        wanted = Wanted(agent_id, event_id, channel, outcome == "failed")
        found = await nod.store.read(
            lambda tx: deliveries.list_deliveries(tx, user, wanted, size + 1, before)
        )
        return page(
            found,
            size,
            lambda each: _sent_view(nod, each),
            lambda last: deliveries.write_cursor(last.attempt),
            self.path,
            agent_id=agent_id,
            event_id=event_id,
            channel=channel,
            outcome=outcome,
            limit=limit,
        )

    @get("/waiting")
    async def list_waiting(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromQuery[str | None] = None,
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[EventView]]:
        """What has not arrived yet, the oldest first, with when it is tried next."""
        size, after = page_size(limit, nod.limits), read_seq_cursor(cursor, 0)
        found = await nod.store.read(
            lambda tx: deliveries.list_waiting(tx, user, agent_id, size + 1, after)
        )
        return page(
            found,
            size,
            lambda each: EventView(**_event_fields(nod, each.event, each.about)),
            lambda last: last.event.seq,
            f"{self.path}/waiting",
            agent_id=agent_id,
            limit=limit,
        )

    @get("/{delivery_id:str}")
    async def get_delivery(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], delivery_id: FromPath[str]
    ) -> SentView:
        """One attempt."""
        found = await nod.store.read(lambda tx: deliveries.look_at(tx, user, delivery_id))
        if found.attempt is None:
            raise NotFound(f"there is no attempt yet to bring {delivery_id} to its agent")
        return _sent_view(nod, Sent(found.attempt, found.event, found.about))

    @get("/{delivery_id:str}/event")
    async def get_event(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], delivery_id: FromPath[str]
    ) -> WholeEventView:
        """The event of an attempt, or the event with this id: all attempts, and what is sent."""
        found = await nod.store.read(lambda tx: deliveries.look_at(tx, user, delivery_id))
        return WholeEventView(
            **_event_fields(nod, found.event, found.about),
            sent=msgspec.json.decode(wire(Outgoing(found.event, found.payload))),
            tries=[delivery_view(each) for each in found.attempts],
        )

    @post("/{delivery_id:str}/replay", status_code=200)
    async def replay_event(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], delivery_id: FromPath[str]
    ) -> ReplayView:
        """Send the attempt's event again, or the event with this id, under the same event id. While
        it is still on its way that is 409."""
        event = await nod.store.write(lambda tx: deliveries.send_again(tx, user, delivery_id))
        return ReplayView("ok", event.id)
