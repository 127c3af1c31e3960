"""Activity: what happened, as it happens, by day; each entry leads to what it is about.

The newest entries stand in the block `#happened`, which is asked for anew when anything changes,
from the newest down to the entry it ended with (`until`). Older ones come as one scrolls down; what
has happened does not change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from nod.actions.activity import (
    AFTER_ALL,
    Wanted,
    list_activity,
    read_cursor,
    read_group,
    write_cursor,
)
from nod.domain.activity import Happened, Place
from nod.domain.model import Agent, Task
from nod.store.store import Tx
from nod.web.cards import outcome
from nod.web.view import Viewer

_PAGE = 40
_MOST = 200  # beyond so many new entries the page is loaded anew

GROUP_NAMES = {
    None: "All",
    "results": "Results",
    "problems": "Problems",
    "not_run": "Not run",
    "requests": "Requests",
    "signals": "Signals",
    "changes": "Changes",
}
# Of each kind: the look of its chip, its icon, its word.
_LOOKS = {
    "run_completed": ("ok", "check", "done"),
    "run_failed": ("bad", "cross", "failed"),
    "run_timed_out": ("bad", "hourglass", "timed out"),
    "run_not_reached": ("warn", "link", "not reached"),
    "run_skipped": ("", "skip", "skipped"),
    "run_cancelled": ("", "close", "cancelled"),
    "decision_opened": ("wait", "chats", "asked you"),
    "decision_waits": ("wait", "clock", "still waiting"),
    "decision_expired": ("warn", "hourglass", "expired"),
    "decision_returned": ("warn", "back", "waits again"),
    "rule_used": ("ok", "key", "always allowed"),
    "alert": ("warn", "bell", "alert"),
    "status": ("", "agent", "signal"),
    "task_created": ("run", "plus", "new task"),
    "task_failing": ("bad", "warn", "keeps failing"),
    "task_paused": ("warn", "warn", "paused"),
    "task_recovered": ("ok", "check", "works again"),
    "webhook_failing": ("warn", "link", "no answer"),
    "webhook_disabled": ("bad", "link", "turned off"),
    "webhook_recovered": ("ok", "link", "works again"),
    "target_disabled": ("warn", "bell", "turned off"),
    "secret_rotated": ("", "key", "new secret"),
    "morning": ("", "clock", "the night"),
}
_OTHER = ("", "more", "")
_OF_SETTINGS = ("webhook_failing", "webhook_disabled", "webhook_recovered", "secret_rotated")


class Entry(NamedTuple):
    """One line of the feed. `day` is the heading above it, where there is one; `by` who answered;
    `path` the page it leads to, which opens as a sheet where `is_sheet`."""

    happened: Happened
    agent: Agent
    look: str
    sign: str
    word: str
    by: str
    day: str
    path: str
    is_sheet: bool


@dataclass(frozen=True, slots=True)
class Feed:
    """Some entries in a row, the newest first. `older` is where the ones after them begin."""

    entries: tuple[Entry, ...]
    older: str | None

    @property
    def last(self) -> str:
        """The place of the oldest of them."""
        return write_cursor(self.entries[-1].happened.place) if self.entries else ""


class Filters(NamedTuple):
    """What the feed is narrowed to, as the address says it."""

    wanted: Wanted
    agents: list[Agent]
    tasks: list[Task]

    def address(self, **changed: str | None) -> str:
        """The page's address with these filters, some of them changed."""
        given = {
            "agent": self.wanted.agent_id,
            "task": self.wanted.task_id,
            "kind": self.wanted.group,
            **changed,
        }
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/activity?{query}" if query else "/activity"


@get("/activity")
async def overview(
    viewer: NamedDependency[Viewer],
    agent: FromQuery[str | None] = None,
    task: FromQuery[str | None] = None,
    kind: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    until: FromQuery[str | None] = None,
) -> Response[bytes]:
    """What happened, the newest first; older entries from `before` on."""
    wanted = Wanted(agent or None, task or None, read_group(kind))
    start, end = read_cursor(before), read_cursor(until) if until else None

    async def look(tx: Tx) -> tuple[Filters, Feed]:
        agents = await tx.people.agents_of(viewer.user.id)
        tasks = await tx.tasks.of_user(viewer.user.id)
        return Filters(wanted, agents, tasks), await _load(tx, viewer, wanted, start, end)

    filters, feed = await viewer.nod.store.read(look)
    if end is not None and len(feed.entries) > _MOST:
        return Response(b"", headers={"HX-Refresh": "true"})
    values = {"filters": filters, "feed": feed, "groups": GROUP_NAMES, "before": before}
    if viewer.part == "older":
        return viewer.fragment("activity/older.html", **values)
    return await viewer.page("activity/page.html", **values)


async def _load(tx: Tx, viewer: Viewer, wanted: Wanted, start: Place, end: Place | None) -> Feed:
    """A page of entries below `start`, or all from there down to `end`."""
    size = _PAGE if end is None else _MOST + 1
    found = await list_activity(tx, viewer.user, wanted, size + 1, start)
    shown = [each for each in found[:size] if end is None or each.place >= end]
    agents = {each.id: each for each in await tx.people.agents_of(viewer.user.id)}
    entries = tuple(_entries(viewer, shown, agents, start))
    older = len(found) > len(shown)
    return Feed(entries, write_cursor(shown[-1].place) if shown and older else None)


def _entries(
    viewer: Viewer, shown: list[Happened], agents: dict[str, Agent], start: Place
) -> Iterator[Entry]:
    """The entries with a heading above the first of each day, but for a day that goes on."""
    day = "" if start == AFTER_ALL else viewer.times.day(start.at)
    for each in shown:
        today = viewer.times.day(each.at)
        look, sign, word, by = _look(each, viewer.user.email)
        path = _path(each)
        yield Entry(
            each,
            agents[each.agent_id],
            look,
            sign,
            word,
            by,
            "" if today == day else today,
            path,
            path.startswith("/runs/"),
        )
        day = today


def _look(each: Happened, email: str) -> tuple[str, str, str, str]:
    if each.decision is not None and (given := outcome(each.decision, email)) is not None:
        return given.look, given.sign, given.word[:1].lower() + given.word[1:], given.by
    return (*_LOOKS.get(each.kind, _OTHER), "")


def _path(each: Happened) -> str:
    """Where the entry leads; empty where it is about nothing that has a page."""
    if each.decision_id is not None:
        return f"/requests/{each.decision_id}"
    if each.run_id is not None:
        return f"/runs/{each.run_id}"
    if each.task_id is not None:
        return f"/tasks/{each.task_id}"
    if each.kind == "target_disabled":
        return "/settings/notifications"
    return f"/agents/{each.agent_id}/settings" if each.kind in _OF_SETTINGS else ""


routes = [overview]
