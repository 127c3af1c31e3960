"""What was sent to a person's agents, what came of it, what is still on its way; sending it again.

Attempts have their own rows. What an agent fetched by polling, or nobody did, is the end of its
event and read from there, with the event's id.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nod.actions.agents import get_agent
from nod.actions.owned import owned_delivery
from nod.domain.deliveries import ENDINGS, About, about, ending
from nod.domain.errors import Conflict, InvalidInput
from nod.domain.model import Channel, Delivery, Event, Payload, User
from nod.engine.attempts import replay
from nod.store.chat import NEWEST
from nod.store.events import Before
from nod.store.store import Tx

_LAST_ID = "~"
AFTER_ALL = Before(NEWEST, _LAST_ID)
_SENT_BY: tuple[Channel, ...] = ("websocket", "webhook")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which attempts: of one agent, one event, one channel; None: of all. `failed`: only those."""

    agent_id: str | None = None
    event_id: str | None = None
    channel: Channel | None = None
    failed: bool = False

    def takes(self, attempt: Delivery) -> bool:
        """Whether the attempt is on the channel wanted and came out so."""
        on_channel = self.channel in (None, attempt.channel)
        return on_channel and not (self.failed and attempt.outcome == "ok")


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt, the event it was to bring, and what that is about."""

    attempt: Delivery
    event: Event
    about: About


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that has not arrived, and what it is about."""

    event: Event
    about: About


@dataclass(frozen=True, slots=True)
class Looked:
    """All about one attempt, or about an event alone (`attempt` is None). `attempts` are all of the
    event's, the oldest first; `payload` is what a call brought, which goes with the event."""

    attempt: Delivery | None
    event: Event
    about: About
    attempts: Sequence[Delivery]
    payload: Payload | None


async def list_deliveries(
    tx: Tx, user: User, wanted: Wanted, limit: int, before: Before = AFTER_ALL
) -> list[Sent]:
    """The attempts wanted, the newest first. Raises NotFound for somebody else's agent."""
    agent_ids = await _agents(tx, user, wanted.agent_id)
    found: list[tuple[Delivery, Event]] = []
    if wanted.event_id is None:
        for agent_id in agent_ids:
            found += await _of_agent(tx, agent_id, wanted, limit, before)
    else:
        found += await _of_event(tx, agent_ids, wanted.event_id, wanted, before)
    found.sort(key=lambda each: (each[0].created_at, each[0].id), reverse=True)
    return [Sent(attempt, event, await _about(tx, event)) for attempt, event in found[:limit]]


async def list_waiting(
    tx: Tx, user: User, agent_id: str | None, limit: int, after: int = 0
) -> list[Waiting]:
    """What has not arrived yet, the oldest first, with seq above `after`. Raises NotFound for
    somebody else's agent."""
    found: list[Event] = []
    for each in await _agents(tx, user, agent_id):
        found += await tx.events.waiting_of(each, limit, after)
    found.sort(key=lambda event: event.seq)
    return [Waiting(event, await _about(tx, event)) for event in found[:limit]]


async def look_at(tx: Tx, user: User, delivery_id: str) -> Looked:
    """All about an attempt to reach one of the person's agents, or about an event by its own id.
    Raises NotFound."""
    attempt, event = await owned_delivery(tx, user, delivery_id)
    attempts = await _attempts(tx, event)
    if attempt is None and attempts and attempts[-1].id == event.id:
        attempt = attempts[-1]
    payload = None
    if event.type == "task_trigger" and event.run_id is not None:
        payload = await tx.runs.payload(event.run_id)
    return Looked(attempt, event, await _about(tx, event), attempts, payload)


async def send_again(tx: Tx, user: User, delivery_id: str) -> Event:
    """Send the attempt's event again, under the same event id.

    Raises NotFound, Conflict while it is on its way.
    """
    _, event = await owned_delivery(tx, user, delivery_id)
    if event.state in ("held", "pending"):
        raise Conflict("it is still on its way and goes out by itself, so it is not sent once more")
    again = await replay(tx, event)
    tx.effects.fact("replayed", event_id=event.id, run_id=event.run_id, agent_id=event.agent_id)
    return again


async def _agents(tx: Tx, user: User, agent_id: str | None) -> list[str]:
    if agent_id is not None:
        return [(await get_agent(tx, user, agent_id)).id]
    return [each.id for each in await tx.people.agents_of(user.id)]


async def _of_agent(
    tx: Tx, agent_id: str, wanted: Wanted, limit: int, before: Before
) -> list[tuple[Delivery, Event]]:
    found: list[tuple[Delivery, Event]] = []
    for channel in _SENT_BY:
        if wanted.channel in (None, channel):
            found += await tx.events.attempts_of(
                agent_id, channel, limit, before, failed=wanted.failed
            )
    if wanted.channel in (None, "poll"):
        for state in ENDINGS if not wanted.failed else ENDINGS[-1:]:
            ended = await tx.events.ended_of(agent_id, state, limit, before)
            found += [(ending(event), event) for event in ended]
    return found


async def _of_event(
    tx: Tx, agent_ids: list[str], event_id: str, wanted: Wanted, before: Before
) -> list[tuple[Delivery, Event]]:
    event = await tx.events.get(event_id)
    if event is None or event.agent_id not in agent_ids:
        return []
    return [
        (each, event)
        for each in await _attempts(tx, event)
        if wanted.takes(each) and (each.created_at, each.id) < before
    ]


async def _attempts(tx: Tx, event: Event) -> list[Delivery]:
    """All attempts of the event and, where it ended without one, that end; the oldest first."""
    found = await tx.events.deliveries_of_event(event.id)
    if event.settled_at is not None and (event.channel == "poll" or event.state == "dead"):
        found.append(ending(event))
    return found


async def _about(tx: Tx, event: Event) -> About:
    """What the event is about; an answer has the title of its request."""
    found = about(event)
    if found.decision_id is None:
        return found
    decision = await tx.chat.decision(found.decision_id)
    return found if decision is None else found._replace(title=decision.title)


def write_cursor(attempt: Delivery) -> str:
    """Where the page after this attempt begins."""
    return f"{attempt.created_at}.{attempt.id}"


def read_cursor(cursor: str | None) -> Before:
    """The attempt that the page before ended with. Raises InvalidInput."""
    if not cursor:
        return AFTER_ALL
    at, _, delivery_id = cursor.partition(".")
    if not (delivery_id and at.isascii() and at.isdigit() and len(at) < 19):
        raise InvalidInput("cursor must be taken from the Link header of the page before")
    return Before(int(at), delivery_id)
