"""How attempts and what happens next are called: each with a look, an icon and a word."""

from typing import Any, NamedTuple

from nod.domain.deliveries import NextKind, next_of
from nod.domain.instant import SECOND, Instant
from nod.domain.model import Delivery, Event
from nod.web.view import Viewer

CHANNEL_NAMES = {"websocket": "connection", "webhook": "webhook", "poll": "polling"}
# Of each outcome: its look, its icon, its word.
_OUTCOMES = {
    "ok": ("ok", "check", "delivered"),
    "http_error": ("bad", "cross", "not accepted"),
    "timeout": ("bad", "hourglass", "no answer"),
    "connection_error": ("bad", "link", "no connection"),
    "refused": ("warn", "warn", "address not allowed"),
    "dropped": ("warn", "link", "connection lost"),
    "dead": ("bad", "close", "given up"),
}
_FETCHED = ("ok", "download", "fetched")
# The same of what happens next.
_NEXT: dict[NextKind, tuple[str, str, str]] = {
    "delivered": ("ok", "check", "delivered"),
    "fetched": ("ok", "download", "fetched, not acknowledged yet"),
    "given_up": ("bad", "close", "given up"),
    "held": ("", "hourglass", "waits for the run before it"),
    "later": ("", "clock", "goes out"),
    "sending": ("run", "send", "being sent"),
    "retry": ("warn", "again", "tried again"),
    "waiting": ("", "clock", "waits for the agent"),
}


class Look(NamedTuple):
    """How something is shown: the look of its chip, its icon, its word, and its time, if any."""

    look: str
    sign: str
    word: str
    at: Instant | None = None


def outcome_look(attempt: Delivery) -> Look:
    """What came of the attempt."""
    if attempt.channel == "poll" and attempt.outcome == "ok":
        return Look(*_FETCHED)
    return Look(*_OUTCOMES[attempt.outcome])


def next_look(viewer: Viewer, event: Event) -> Look:
    """What happens next to the event."""
    connected = viewer.nod.sockets.connected(event.agent_id)
    found = next_of(event, viewer.now, connected=connected)
    return Look(*_NEXT[found.kind], found.at)


def figures(attempt: Delivery) -> str:
    """`HTTP 502 · 1.2 s`: what the attempt has of it."""
    status = f"HTTP {attempt.status}" if attempt.status else ""
    took = f"{attempt.latency_ms} ms"
    if attempt.latency_ms >= SECOND:
        took = f"{attempt.latency_ms / SECOND:.1f} s"
    return " · ".join(filter(None, (status, took if attempt.channel != "poll" else "")))


def trouble(attempt: Delivery) -> str:
    """Why it failed, where its status does not say as much."""
    error = attempt.error or ""
    return "" if error == f"HTTP status {attempt.status}" else error[:1].upper() + error[1:]


# What the templates call things.
NAMES: dict[str, Any] = {
    "figures": figures,
    "trouble": trouble,
    "channels": CHANNEL_NAMES,
    "signs": {"websocket": "plug", "webhook": "hook", "poll": "download"},
    "kinds": {
        "task_due": "task",
        "task_trigger": "call",
        "user_message": "message",
        "decision_resolved": "answer",
    },
}
