"""One attempt, or one event that has none yet: what it brought, what was answered, what is next.

It opens as a sheet over the deliveries, or over whatever page leads to it.
"""

from typing import Any, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions.deliveries import Looked, look_at, send_again
from nod.delivery.frames import wire
from nod.domain.errors import Conflict
from nod.domain.model import Agent, Delivery
from nod.store.effects import Outgoing
from nod.store.store import Tx
from nod.web.deliveries import Filters, page_values
from nod.web.delivery_words import NAMES, Look, next_look, outcome_look
from nod.web.view import Viewer

_SENT_CHARS = 10_000  # drawn of what was sent; the rest is counted
_AGAIN = {"nod:toast": "It is on its way again."}


class Shown(NamedTuple):
    """The page that an event is about; `is_sheet` where it opens as one."""

    path: str
    words: str
    is_sheet: bool


class Told(NamedTuple):
    """What the agent is sent, laid out to be read; `more` characters are not drawn."""

    headers: dict[str, str]
    text: str
    more: int


@get("/deliveries/{delivery_id:str}")
async def delivery(viewer: NamedDependency[Viewer], delivery_id: FromPath[str]) -> Response[bytes]:
    """The sheet alone where a page asks for it, else the deliveries with the sheet open."""
    return await _show(viewer, delivery_id)


@post("/deliveries/{delivery_id:str}/replay", status_code=200)
async def replay(viewer: NamedDependency[Viewer], delivery_id: FromPath[str]) -> Response[bytes]:
    """Send the event again. What is still on its way is not sent twice, and that is said."""
    try:
        await viewer.nod.store.write(lambda tx: send_again(tx, viewer.user, delivery_id))
    except Conflict as error:
        made = await _show(viewer, delivery_id, error.detail)
        made.status_code = 409
        return made
    if viewer.part is None:
        return viewer.go(f"/deliveries/{delivery_id}")
    made = await _show(viewer, delivery_id)
    made.headers["HX-Trigger"] = msgspec.json.encode(_AGAIN).decode()
    return made


async def _show(viewer: Viewer, delivery_id: str, refused: str = "") -> Response[bytes]:
    values = await _values(viewer, delivery_id)
    values["refused"] = refused[:1].upper() + refused[1:]
    if viewer.part is not None:
        return await viewer.drawn("deliveries/sheet.html", **values)
    behind = await page_values(viewer, Filters())
    return await viewer.page("deliveries/one.html", before=None, **{**behind, **values})


async def _values(viewer: Viewer, delivery_id: str) -> dict[str, Any]:
    async def look(tx: Tx) -> tuple[Looked, Agent]:
        found = await look_at(tx, viewer.user, delivery_id)
        agent = await tx.people.agent(found.event.agent_id)
        if agent is None:
            raise LookupError(found.event.agent_id)
        return found, agent

    found, agent = await viewer.nod.store.read(look)
    return {
        "address": f"/deliveries/{delivery_id}",
        "found": found,
        "agent": agent,
        "look": _look(viewer, found),
        "next": next_look(viewer, found.event),
        "tries": [(each, outcome_look(each)) for each in found.attempts],
        "about": _about(found),
        "told": _told(found),
        "kept_bytes": viewer.nod.limits.webhook_answer_bytes,
        **NAMES,
    }


def _look(viewer: Viewer, found: Looked) -> Look:
    if found.attempt is None:
        return next_look(viewer, found.event)
    return outcome_look(found.attempt)


def _about(found: Looked) -> Shown | None:
    """Where one reads what the event told the agent of."""
    about, event = found.about, found.event
    if about.decision_id is not None:
        return Shown(f"/requests/{about.decision_id}", "Open the request", is_sheet=False)
    if event.run_id is not None:
        return Shown(f"/runs/{event.run_id}", "Open the run", is_sheet=True)
    if about.message_id is None:
        return None
    path = f"/chats/{about.conversation_id}?at={about.message_id}#{about.message_id}"
    return Shown(path, "Open the message", is_sheet=False)


def _told(found: Looked) -> Told:
    body = wire(Outgoing(found.event, found.payload))
    text = msgspec.json.format(body, indent=2)
    headers = {} if found.attempt is None else _headers(found.attempt)
    return Told(headers, text[:_SENT_CHARS], max(0, len(text) - _SENT_CHARS))


def _headers(attempt: Delivery) -> dict[str, str]:
    """Those by which one finds a webhook in the log of its endpoint. The others are not kept."""
    if attempt.channel != "webhook":
        return {}
    return {
        "X-Nod-Event-Id": attempt.event_id,
        "X-Nod-Delivery-Id": attempt.id,
        "X-Nod-Retry-Num": str(attempt.attempt - 1),
    }


routes = [delivery, replay]
