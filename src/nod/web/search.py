"""Search: words in the messages, results and task names of one's agents.

The page is an ordinary form. With script it asks as one types, for the block `#found` alone; more
comes as one scrolls down.
"""

from typing import NamedTuple
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from nod.actions.search import Found, read_cursor, search, write_cursor
from nod.domain.model import Agent, Conversation, Message
from nod.domain.schedule_preview import sentence
from nod.domain.search import words_of
from nod.store.store import Tx
from nod.web.view import Viewer

_PAGE = 20


class Hit(NamedTuple):
    """One line. `path` leads to the very message, or to the sheet of a run (`is_sheet`); `when` is
    the schedule of a task."""

    found: Found
    path: str
    is_sheet: bool = False
    when: str = ""


class Asked(NamedTuple):
    """What is looked for, as the address says it."""

    text: str
    agent_id: str | None

    def address(self, **more: str) -> str:
        """The page's address, with what is added."""
        given = {"q": self.text, "agent": self.agent_id, **more}
        return f"/search?{urlencode({name: value for name, value in given.items() if value})}"


@get("/search")
async def page(
    viewer: NamedDependency[Viewer],
    q: FromQuery[str] = "",
    agent: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
) -> Response[bytes]:
    """What has the words, from `before` on."""
    asked, start = Asked(q.strip(), agent or None), read_cursor(before)

    async def look(tx: Tx) -> tuple[list[Found], list[Agent], Conversation | None]:
        found = await search(tx, viewer.user, asked.text, asked.agent_id, _PAGE + 1, start)
        agents = await tx.people.agents_of(viewer.user.id)
        if asked.agent_id is None:
            return found, agents, None
        return found, agents, await tx.chat.default_conversation(asked.agent_id)

    found, agents, conversation = await viewer.nod.store.read(look)
    values = {
        "asked": asked,
        "agents": agents,
        "conversation": conversation,
        "has_words": bool(words_of(asked.text, 1)),
        "hits": [_hit(each) for each in found[:_PAGE]],
        "more": write_cursor(found[_PAGE - 1].next) if len(found) > _PAGE else None,
        "is_first": before is None,
    }
    if viewer.part == "more":
        return viewer.fragment("search/more.html", **values)
    return await viewer.page("search/page.html", **values)


def _hit(found: Found) -> Hit:
    if found.run is not None:
        return Hit(found, f"/runs/{found.run.id}", is_sheet=True)
    if found.task is not None:
        return Hit(found, f"/tasks/{found.task.id}", when=sentence(found.task))
    return Hit(found, "" if found.message is None else _place(found.message))


def _place(message: Message) -> str:
    """Where the message stands in its conversation; a request stands there as its card."""
    anchor = f"card-{message.decision_id}" if message.decision_id else message.id
    return f"/chats/{message.conversation_id}?at={message.id}#{anchor}"


routes = [page]
