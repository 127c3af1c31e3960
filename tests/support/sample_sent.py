"""What was sent to the sample's second agent: attempts that fared well and badly."""

from typing import Any, NamedTuple

from nod.domain.instant import DAY, HOUR, MINUTE, SECOND, Instant
from nod.domain.model import Agent, Channel, Delivery, Event, new_id
from nod.domain.states import EventState
from nod.engine.outbox import make_event
from nod.store.events import Settled
from nod.store.store import Tx

_ANSWER = """<html>
<head><title>502 Bad Gateway</title></head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>nginx/1.24.0</center>
</body>
</html>
"""


class _Try(NamedTuple):
    outcome: str
    status: int | None = None
    latency_ms: int = 0
    answer: str = ""
    error: str | None = None
    channel: Channel = "webhook"


_OK = _Try("ok", 200, 84, '{"ok": true}')
_BAD_GATEWAY = _Try("http_error", 502, 1_240, _ANSWER, "HTTP status 502")
_SILENT = _Try("timeout", None, 30_000, "", "no answer within 30 s")
_CLOSED = _Try("connection_error", None, 3, "", "connection refused")
_SOCKET = _Try("ok", None, 4, channel="websocket")
_LOST = _Try(
    "dropped",
    None,
    2_100,
    "",
    "the connection closed before it was acknowledged",
    channel="websocket",
)


async def sent_by_webhook(tx: Tx, agent: Agent) -> str:
    """Events of two days with their attempts; the id of one that failed."""
    now = tx.now

    async def sent(name: str, ago: int, tries: list[_Try], *end: Any) -> str:
        return await _sent(tx, agent, name, now - ago, tries, *end)

    await sent("Tide table", DAY + 3 * HOUR, [_SOCKET], "acknowledged", "websocket")
    await sent("Weather at six", DAY + 2 * HOUR, [_LOST, _CLOSED, _OK], "acknowledged", "webhook")
    await sent("Berths for the night", DAY + HOUR, [_CLOSED] * 3, "dead", None)
    await sent("Ships due today", 40 * MINUTE, [_OK], "acknowledged", "webhook")
    await sent("Tide table", 30 * MINUTE, [], "acknowledged", "poll")
    waiting = await sent("Weather at six", 15 * MINUTE, [_SILENT, _BAD_GATEWAY])
    await tx.events.schedule_attempt(
        waiting, 2, now + 8 * MINUTE + 30 * SECOND, "http_error", "HTTP status 502"
    )
    return (await tx.events.deliveries_of_event(waiting))[-1].id


async def _sent(
    tx: Tx,
    agent: Agent,
    name: str,
    at: Instant,
    tries: list[_Try],
    state: EventState = "pending",
    channel: Channel | None = None,
) -> str:
    """An event of that time with its attempts, which left it in that state."""
    event = make_event(
        at, agent.id, "task_due", {"task_name": name, "task_prompt": "Look."}, expires_at=at + DAY
    )
    await tx.events.insert([event])
    made = [_attempt(event, number, each) for number, each in enumerate(tries, start=1)]
    await tx.events.insert_deliveries(made)
    if state != "pending":
        error = "nobody took it in time" if state == "dead" else None
        settled = Settled(state, channel, at + 5 * MINUTE, error, event.id, "pending")
        await tx.events.settle([settled])
    return event.id


def _attempt(event: Event, number: int, each: _Try) -> Delivery:
    at = event.created_at + number * 20 * SECOND
    return Delivery(
        new_id("dlv", at),
        event.id,
        event.agent_id,
        None,
        each.channel,
        number,
        each.outcome,
        each.status,
        each.latency_ms,
        each.answer,
        each.error,
        at,
    )
