"""What is on its way to an agent, what became of it, and what happens next. Pure."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from nod.domain.instant import Instant
from nod.domain.model import Delivery, Event
from nod.domain.notify import excerpt
from nod.domain.states import EventState

NextKind = Literal[
    "delivered",
    "fetched",  # handed out by polling, and not acknowledged yet
    "given_up",
    "held",  # until the run before it has ended
    "later",  # its time has not come
    "sending",  # now
    "retry",  # by webhook
    "waiting",  # until the agent connects or asks
]

_TITLE_CHARS = 120
# How an event ends without an attempt of Nod's own: the agent fetched it, or nobody did.
ENDINGS: tuple[EventState, ...] = ("acknowledged", "polled", "dead")


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next to an event, or what its end was; `at` is when, where that is known."""

    kind: NextKind
    at: Instant | None


class About(NamedTuple):
    """What an event is about. The title of an answer's request is not in the event."""

    title: str = ""
    task_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    decision_id: str | None = None


class _Body(msgspec.Struct):
    task_id: str | None = None
    task_name: str | None = None
    text: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    decision_id: str | None = None


def about(event: Event) -> About:
    """What the event tells its agent of, in a few words."""
    body = msgspec.json.decode(event.body, type=_Body)
    return About(
        body.task_name or excerpt(body.text or "", _TITLE_CHARS),
        body.task_id,
        body.conversation_id,
        body.message_id,
        body.decision_id,
    )


def next_of(event: Event, now: Instant, *, connected: bool) -> Next:
    """What happens next. `connected`: the agent has an open socket."""
    match event.state:
        case "acknowledged":
            return Next("delivered", event.settled_at)
        case "polled":
            return Next("fetched", event.settled_at)
        case "dead":
            return Next("given_up", event.settled_at)
    if event.not_before > now:
        return Next("later", event.not_before)
    if event.state == "held":
        return Next("held", None)
    return _next_try(event, now, connected=connected)


def _next_try(event: Event, now: Instant, *, connected: bool) -> Next:
    if connected or (event.attempt_at is not None and event.attempt_at <= now):
        return Next("sending", None)
    if event.attempt_at is not None:
        return Next("retry", event.attempt_at)
    return Next("waiting", None)


def ending(event: Event) -> Delivery:
    """How the event ended, shown among the attempts: it was left for polling, and the agent fetched
    it or nobody did. It has the event's id. Raises ValueError for an event that has not ended."""
    if event.settled_at is None:
        raise ValueError(f"event {event.id} is on its way")
    return Delivery(
        event.id,
        event.id,
        event.agent_id,
        event.run_id,
        "poll",
        1,
        "dead" if event.state == "dead" else "ok",
        None,
        0,
        "",
        event.error,
        event.settled_at,
    )
