"""Looking for words in everything of a person."""

from collections.abc import Sequence

import msgspec
from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from nod.actions import search
from nod.actions.search import Found, FoundKind
from nod.api.auth import require_user
from nod.api.paging import page, page_size
from nod.app import Nod
from nod.domain.instant import rfc3339
from nod.domain.model import User
from nod.domain.search import Piece


class FoundView(msgspec.Struct, kw_only=True):
    """One thing that has the words: a task by its name, a message, or what a run brought.

    `text` is the part that has them, in one line; `marks` are the places of the words in it, each
    from a character up to another. `title` is a task's name, or a report's title.
    """

    kind: FoundKind
    agent_id: str
    title: str | None
    text: str
    marks: list[tuple[int, int]]
    author: str | None
    conversation_id: str | None
    message_id: str | None
    run_id: str | None
    task_id: str | None
    created_at: str


def found_view(each: Found) -> FoundView:
    message = each.message
    report = None if message is None else message.title
    return FoundView(
        kind=each.kind,
        agent_id=each.agent.id,
        title=report if each.task is None else each.task.name,
        text="".join(piece.text for piece in each.pieces),
        marks=_marks(each.pieces),
        author=None if message is None else message.author,
        conversation_id=None if message is None else message.conversation_id,
        message_id=None if message is None else message.id,
        run_id=None if each.run is None else each.run.id,
        task_id=None if each.task is None else each.task.id,
        created_at=rfc3339(each.at),
    )


def _marks(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    found, at = [], 0
    for piece in pieces:
        if piece.is_hit:
            found.append((at, at + len(piece.text)))
        at += len(piece.text)
    return found


class Searching(Controller):
    """The search."""

    path = "/api/search"
    tags = ("Search",)
    guards = (require_user,)

    @get()
    async def search(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        q: FromQuery[str] = "",
        agent_id: FromQuery[str | None] = None,
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[FoundView]]:
        """What has all the words of `q`, of all agents or one: tasks by their names, then messages
        and results, newest first. Case and accents make no difference; the last word may go on."""
        size, start = page_size(limit, nod.limits), search.read_cursor(cursor)
        found = await nod.store.read(
            lambda tx: search.search(tx, user, q, agent_id, size + 1, start)
        )
        return page(
            found,
            size,
            found_view,
            lambda last: search.write_cursor(last.next),
            self.path,
            q=q,
            agent_id=agent_id,
            limit=limit,
        )
