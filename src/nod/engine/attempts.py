"""What is written about deliveries: attempts, acknowledgements, an endpoint's health."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nod.delivery.webhook import Answer
from nod.domain.errors import Conflict, NotFound
from nod.domain.instant import SECOND, Instant
from nod.domain.model import Agent, Channel, Delivery, Event, RunDelivery, new_id
from nod.domain.policy import retry_after_s, webhook_delay_s
from nod.domain.states import EventState, next_event_state
from nod.domain.words import duration_words
from nod.engine import notify
from nod.engine.outbox import announce
from nod.store.effects import Outgoing
from nod.store.events import Settled
from nod.store.runs import Delivered
from nod.store.store import Tx


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one push on a socket. `error` is None when the agent has the event."""

    event: Event
    at: Instant
    latency_ms: int
    error: str | None = None


async def record_pushes(tx: Tx, pushes: Sequence[Pushed]) -> None:
    """Write the attempts made on sockets, and take the acknowledged events out of the outbox."""
    acknowledged = [push for push in pushes if push.error is None]
    # Runs before events, as everywhere; in one order, so that two of these never wait in a ring.
    brought = sorted(
        (push for push in acknowledged if push.event.run_id),
        key=lambda push: push.event.run_id or "",
    )
    await tx.runs.mark_delivered([_delivered(tx, push.event, push.at) for push in brought])
    await tx.events.settle(
        [
            Settled("acknowledged", "websocket", push.at, None, push.event.id, state)
            for push in sorted(acknowledged, key=lambda push: push.event.id)
            for state in _states_since(push.event)
        ]
    )
    await tx.events.insert_deliveries([_socket_attempt(push) for push in pushes])
    for push in pushes:
        if push.error is None:
            _delivered_fact(tx, push.event, "websocket", push.latency_ms)
        else:
            _dropped_fact(tx, push)


def _states_since(event: Event) -> set[EventState]:
    """Where an event may stand that was sent: a trigger's may have been polled meanwhile."""
    return {event.state, "polled"} if event.type == "task_trigger" else {event.state}


def _socket_attempt(push: Pushed) -> Delivery:
    event = push.event
    return Delivery(
        id=new_id("dlv", push.at),
        event_id=event.id,
        agent_id=event.agent_id,
        run_id=event.run_id,
        channel="websocket",
        attempt=1,
        outcome="ok" if push.error is None else "dropped",
        status=None,
        latency_ms=push.latency_ms,
        answer="",
        error=push.error,
        created_at=push.at,
    )


def _delivered(tx: Tx, event: Event, at: Instant) -> Delivered:
    if event.type in ("task_due", "task_trigger"):
        # Its time-out may be long away; the rescue stage reads it when it looks next.
        tx.effects.timer("rescue", at + SECOND)
    return Delivered("delivered", at, at + tx.limits.timeout_max_s * SECOND, event.run_id or "")


def _delivered_fact(tx: Tx, event: Event, channel: Channel, latency_ms: int) -> None:
    tx.effects.fact(
        "delivered",
        event_id=event.id,
        run_id=event.run_id,
        agent_id=event.agent_id,
        type=event.type,
        channel=channel,
        latency_ms=latency_ms,
    )
    tx.effects.change(event.agent_id)


def _dropped_fact(tx: Tx, push: Pushed) -> None:
    event = push.event
    tx.effects.fact(
        "dropped",
        event_id=event.id,
        run_id=event.run_id,
        agent_id=event.agent_id,
        channel="websocket",
        reason=push.error,
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One webhook attempt that a node has made. `jitter` in [-1, 1] moves the next one."""

    event: Event
    delivery_id: str
    url: str
    answer: Answer
    jitter: float
    node_id: str = ""


async def record_attempt(tx: Tx, attempt: Attempt) -> None:
    """Write one webhook attempt and what follows: delivered, tried again later, or given up."""
    event, answer = attempt.event, attempt.answer
    await tx.events.insert_deliveries([_webhook_attempt(tx, attempt)])
    agent = await tx.people.agent(event.agent_id)
    # While the attempt was under way its endpoint may have been replaced, disabled or removed;
    # then it tells nothing of the one there is now.
    current = (
        agent is not None and agent.webhook_url == attempt.url and agent.webhook_disabled is None
    )
    if answer.reason == "ok":
        await _reached(tx, event, answer)
        if agent is not None and current and agent.webhook_failing_since is not None:
            await _healthy(tx, await tx.people.keep_agent(agent.id) or agent)
        return
    await _try_later(tx, attempt, agent)
    if agent is not None and current:
        await _failing(tx, await tx.people.keep_agent(agent.id) or agent, answer)


async def _reached(tx: Tx, event: Event, answer: Answer) -> None:
    if event.run_id is not None:
        await tx.runs.mark_delivered([_delivered(tx, event, tx.now)])
    await tx.events.settle(
        [
            Settled("acknowledged", "webhook", tx.now, None, event.id, state)
            for state in _states_since(event)
        ]
    )
    _delivered_fact(tx, event, "webhook", answer.latency_ms)


async def _try_later(tx: Tx, attempt: Attempt, agent: Agent | None) -> None:
    event, answer = attempt.event, attempt.answer
    attempts = event.attempts + 1
    at = None
    if agent is not None and agent.webhook_url is not None and agent.webhook_disabled is None:
        at = _next_attempt(tx, attempt, attempts)
    await tx.events.schedule_attempt(
        event.id, attempts, at, _retry_reason(answer), answer.error, attempt.node_id
    )
    tx.effects.timer("deliver", at)
    tx.effects.fact(
        "delivery_failed",
        event_id=event.id,
        run_id=event.run_id,
        agent_id=event.agent_id,
        channel="webhook",
        reason=answer.error,
        next_s=None if at is None else (at - tx.now) / SECOND,
    )


def _next_attempt(tx: Tx, attempt: Attempt, attempts: int) -> Instant | None:
    """When to try again: by the schedule, or later if the endpoint asks for it; None: never."""
    delay = webhook_delay_s(attempt.event.type, attempts, attempt.jitter)
    if delay is None:
        return None
    asked = attempt.answer.retry_after
    wait = None if asked is None else retry_after_s(asked, tx.now)
    return tx.now + round(max(delay, wait or 0) * SECOND)


def _retry_reason(answer: Answer) -> str:
    """How the next attempt explains itself; an address we refused is no connection either."""
    return "connection_error" if answer.reason == "refused" else answer.reason


def _webhook_attempt(tx: Tx, attempt: Attempt) -> Delivery:
    event, answer = attempt.event, attempt.answer
    return Delivery(
        id=attempt.delivery_id,
        event_id=event.id,
        agent_id=event.agent_id,
        run_id=event.run_id,
        channel="webhook",
        attempt=event.attempts + 1,
        outcome=answer.reason,
        status=answer.status,
        latency_ms=answer.latency_ms,
        answer=answer.head,
        error=answer.error,
        created_at=tx.now,
    )


async def _healthy(tx: Tx, agent: Agent) -> None:
    await tx.people.set_webhook_health(agent.id, None, None, None)
    if agent.webhook_told_at is not None:
        await _tell(tx, agent, "webhook_recovered", "The webhook works again", "")


async def _failing(tx: Tx, agent: Agent, answer: Answer) -> None:
    """Keep the endpoint's health: tell the owner after an hour, disable after five days or 410."""
    since = agent.webhook_failing_since or tx.now
    failing_s = (tx.now - since) // SECOND
    if answer.status == 410:
        await _disable(tx, agent, since, "it answered 410 Gone")
    elif failing_s >= tx.limits.webhook_disable_s:
        await _disable(tx, agent, since, f"it has failed for {duration_words(failing_s)}")
    elif failing_s >= tx.limits.webhook_tell_s and agent.webhook_told_at is None:
        await tx.people.set_webhook_health(agent.id, since, tx.now, None)
        text = f"For {duration_words(failing_s)}: {answer.error}. Nod goes on trying."
        await _tell(tx, agent, "webhook_failing", "The webhook does not answer", text)
    elif agent.webhook_failing_since is None:
        await tx.people.set_webhook_health(agent.id, since, None, None)


async def _disable(tx: Tx, agent: Agent, since: Instant, why: str) -> None:
    await tx.people.set_webhook_health(agent.id, since, tx.now, why)
    await tx.events.webhook_closed(agent.id)
    text = f"Because {why}. Events wait for the agent's socket or for polling; set its URL again."
    await _tell(tx, agent, "webhook_disabled", "The webhook is disabled", text)


async def _tell(tx: Tx, agent: Agent, kind: str, title: str, text: str) -> None:
    await tx.chat.add_activity(agent.id, kind, title, text, None, None, tx.now)
    await tx.chat.add_notice(agent.id, f"{title}. {text}".strip(), tx.now)
    await notify.agent_health(tx, agent, title, text)
    tx.effects.fact(kind, agent_id=agent.id, reason=text)


async def hand_out_triggers(tx: Tx, agent: Agent) -> list[Outgoing]:
    """Give the agent its waiting trigger events by polling; they are repeated after a while."""
    before = tx.now - tx.limits.poll_repeat_s * SECOND
    found = await tx.events.triggers_to_poll(agent.id, tx.now, before, tx.limits.page_items)
    await tx.events.settle(
        [
            Settled(
                next_event_state("hand_out", each.event.state),
                "poll",
                tx.now,
                None,
                each.event.id,
                each.event.state,
            )
            for each in found
        ]
    )
    await tx.runs.mark_delivered(
        [_delivered(tx, each.event, tx.now)._replace(delivery="polled") for each in found]
    )
    return found


async def acknowledge(tx: Tx, agent: Agent, event_id: str, via: Channel = "poll") -> Event:
    """The agent acknowledges an event that it has, by polling or by `via`. Again is no error."""
    event = await tx.events.get(event_id)
    if event is None or event.agent_id != agent.id:
        raise NotFound(f"there is no event {event_id[:64]} of this agent")
    if event.state in ("acknowledged", "dead"):
        return event
    state = next_event_state("acknowledge", event.state)
    channel: Channel = "poll" if event.state == "polled" else via
    if event.run_id is not None:
        how: RunDelivery = "polled" if channel == "poll" else "delivered"
        await tx.runs.mark_delivered([_delivered(tx, event, tx.now)._replace(delivery=how)])
    await tx.events.settle([Settled(state, channel, tx.now, None, event.id, event.state)])
    _delivered_fact(tx, event, channel, 0)
    return replace(event, state=state)


async def replay(tx: Tx, event: Event) -> Event:
    """Send an event again, with the same id. Raises Conflict while it is still on its way."""
    state = next_event_state("replay", event.state)
    run = None if event.run_id is None else await tx.runs.get(event.run_id)
    if run is not None and run.held:
        raise Conflict("its call was not let in, so it is not sent; let the caller send it again")
    expires_at = None
    if event.expires_at is not None:
        expires_at = tx.now + tx.limits.delivery_window_s * SECOND
    if not await tx.events.replay(event.id, event.state, tx.now, expires_at):
        raise Conflict("this event has just changed; look at it again")
    again = replace(
        event,
        state=state,
        not_before=tx.now,
        attempt_at=None,
        expires_at=expires_at,
        attempts=0,
        retry_reason="first_attempt",
        channel=None,
        settled_at=None,
        error=None,
    )
    payload = None if event.run_id is None else await tx.runs.payload(event.run_id)
    announce(tx, again, payload if event.type == "task_trigger" else None)
    return again
