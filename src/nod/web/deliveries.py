"""Deliveries: what is on its way to the agents, and every attempt with its answer, by day.

What waits and the newest attempts stand in the block `#sent`, which is asked for anew when anything
changes, from the newest attempt down to the one it ended with (`until`). Older ones come as one
scrolls down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from nod.actions.deliveries import (
    AFTER_ALL,
    Sent,
    Waiting,
    Wanted,
    list_deliveries,
    list_waiting,
    read_cursor,
    write_cursor,
)
from nod.domain.errors import InvalidInput
from nod.domain.model import Agent, Channel
from nod.store.events import Before
from nod.store.store import Tx
from nod.web.delivery_words import CHANNEL_NAMES, NAMES, Look, next_look, outcome_look
from nod.web.view import Viewer

_PAGE = 40
_MOST = 200  # beyond so many new attempts the page is loaded anew
_FEW = 5  # of what waits, above the attempts

_OUTCOME_NAMES = {None: "All", "failed": "Failed", "waiting": "On their way"}


class Entry(NamedTuple):
    """One attempt in the list. `day` is the heading above it, where there is one."""

    sent: Sent
    agent: Agent
    look: Look
    day: str


class Underway(NamedTuple):
    """One event that has not arrived."""

    waiting: Waiting
    agent: Agent
    next: Look


@dataclass(frozen=True, slots=True)
class Attempts:
    """Some attempts in a row, the newest first. `older` is where the ones after them begin."""

    entries: tuple[Entry, ...]
    older: str | None

    @property
    def last(self) -> str:
        """The place of the oldest of them."""
        return write_cursor(self.entries[-1].sent.attempt) if self.entries else ""


class Filters(NamedTuple):
    """What the page is narrowed to, as its address says it."""

    agent_id: str | None = None
    channel: Channel | None = None
    outcome: str | None = None

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.agent_id, None, self.channel, self.outcome == "failed")

    def address(self, **changed: str | None) -> str:
        """The page's address with these filters, some of them changed."""
        given = {
            "agent": self.agent_id,
            "channel": self.channel,
            "outcome": self.outcome,
            **changed,
        }
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/deliveries?{query}" if query else "/deliveries"


@get("/deliveries")
async def overview(
    viewer: NamedDependency[Viewer],
    agent: FromQuery[str | None] = None,
    channel: FromQuery[str | None] = None,
    outcome: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    until: FromQuery[str | None] = None,
) -> Response[bytes]:
    """What is on its way, and the attempts, the newest first; older ones from `before` on."""
    filters = _filters(agent, channel, outcome)
    start, end = read_cursor(before), read_cursor(until) if until else None
    values = await page_values(viewer, filters, start, end)
    if end is not None and len(values["attempts"].entries) > _MOST:
        return Response(b"", headers={"HX-Refresh": "true"})
    if viewer.part == "older":
        return viewer.fragment("deliveries/older.html", before=before, **values)
    return await viewer.page("deliveries/page.html", before=before, **values)


async def page_values(
    viewer: Viewer, filters: Filters, start: Before = AFTER_ALL, end: Before | None = None
) -> dict[str, Any]:
    """What waits, and a page of attempts below `start`, or all of them down to `end`."""

    async def look(tx: Tx) -> dict[str, Any]:
        agents = {each.id: each for each in await tx.people.agents_of(viewer.user.id)}
        return {
            "agents": agents,
            "underway": await _underway(tx, viewer, filters, agents),
            "attempts": await _attempts(tx, viewer, filters, agents, start, end),
        }

    found = await viewer.nod.store.read(look)
    room = _MOST if filters.outcome == "waiting" else _FEW
    return {
        **found,
        "underway": found["underway"][:room],
        "more_underway": len(found["underway"]) > room,
        "filters": filters,
        "outcomes": _OUTCOME_NAMES,
        **NAMES,
    }


async def _underway(
    tx: Tx, viewer: Viewer, filters: Filters, agents: dict[str, Agent]
) -> list[Underway]:
    """One more than is shown."""
    if filters.channel is not None or filters.outcome == "failed":
        return []
    size = _MOST if filters.outcome == "waiting" else _FEW
    found = await list_waiting(tx, viewer.user, filters.agent_id, size + 1)
    return [
        Underway(each, agents[each.event.agent_id], next_look(viewer, each.event)) for each in found
    ]


async def _attempts(
    tx: Tx,
    viewer: Viewer,
    filters: Filters,
    agents: dict[str, Agent],
    start: Before,
    end: Before | None,
) -> Attempts:
    if filters.outcome == "waiting":
        return Attempts((), None)
    size = _PAGE if end is None else _MOST + 1
    found = await list_deliveries(tx, viewer.user, filters.wanted, size + 1, start)
    shown = [each for each in found[:size] if end is None or _place(each) >= end]
    entries = tuple(_entries(viewer, shown, agents, start))
    older = len(found) > len(shown)
    return Attempts(entries, write_cursor(shown[-1].attempt) if shown and older else None)


def _place(sent: Sent) -> Before:
    return Before(sent.attempt.created_at, sent.attempt.id)


def _entries(
    viewer: Viewer, shown: list[Sent], agents: dict[str, Agent], start: Before
) -> Iterator[Entry]:
    """The attempts with a heading above the first of each day, but for a day that goes on."""
    day = "" if start == AFTER_ALL else viewer.times.day(start.at)
    for each in shown:
        today = viewer.times.day(each.attempt.created_at)
        agent = agents[each.event.agent_id]
        yield Entry(each, agent, outcome_look(each.attempt), "" if today == day else today)
        day = today


def _filters(agent: str | None, channel: str | None, outcome: str | None) -> Filters:
    """What the address asks for. By which channel something will arrive is not known yet."""
    chosen = _one_of(outcome, _OUTCOME_NAMES, "outcome")
    way: Any = None if chosen == "waiting" else _one_of(channel, CHANNEL_NAMES, "channel")
    return Filters(agent or None, way, chosen)


def _one_of(text: str | None, names: dict[Any, str], field: str) -> str | None:
    if not text:
        return None
    if text not in names:
        raise InvalidInput(f"{field} must be one of {', '.join(filter(None, names))}")
    return text


routes = [overview]
