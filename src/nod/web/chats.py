"""A conversation: bubbles, the composer, and what keeps them up to date.

The page shows the newest messages in the block `#newest`, which is asked for anew when anything of
the agent changes. Blocks of older messages come as one scrolls up; each is asked for anew when one
of its runs or decisions changes. So what a live update shows is what a reload shows.

`?at=` opens the conversation at an older message, in the middle of a block. Newer ones come as one
scrolls down, until the last block is `#newest`.
"""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import chat
from nod.actions.home import Overview, overview, overviews
from nod.api.user.chat import PICTURE_HEADERS
from nod.domain.model import Agent, Conversation
from nod.store.chat import NEWEST
from nod.store.store import Tx
from nod.web.bubbles import Block, end_of_block, load_block
from nod.web.uploads import pictures_of
from nod.web.view import Viewer

_PAGE = 40
_MOST = 200  # beyond so many new messages the page is loaded anew


async def find(tx: Tx, viewer: Viewer, conversation_id: str) -> tuple[Conversation, Agent]:
    """The person's conversation and its agent. Raises NotFound."""
    where = await chat.get_conversation(tx, viewer.user, conversation_id)
    agent = await tx.people.agent(where.agent_id)
    if agent is None:
        raise LookupError(where.agent_id)
    return where, agent


async def chat_values(
    viewer: Viewer, conversation_id: str, at: str | None = None
) -> dict[str, Any]:
    """What the page of a conversation shows, at its end or at the message `at`. What is shown is
    read from now on."""

    async def look(tx: Tx) -> dict[str, Any]:
        where, agent = await find(tx, viewer, conversation_id)
        before = NEWEST if at is None else await _around(tx, where, at)
        block = await load_block(tx, where, _PAGE, before=before)
        agents = await overviews(tx, viewer.user)
        return {
            "conversation": where,
            "agent": agent,
            "block": block,
            "before": None if before == NEWEST else before,
            "first": block.first_seq,
            "agents": agents,
            "mine": next(each for each in agents if each.agent.id == agent.id),
            "here": agent.id,
            "sockets": viewer.nod.sockets,
            "most_pictures": viewer.nod.limits.message_pictures,
        }

    values = await viewer.nod.store.read(look)
    await mark_read(viewer, values["conversation"], values["block"])
    return values


async def _around(tx: Tx, where: Conversation, at: str) -> int:
    """Below which seq the block ends with the message in its middle; NEWEST: the newest has it."""
    message = await tx.chat.message(at)
    if message is None or message.conversation_id != where.id:
        return NEWEST
    return await end_of_block(tx, where, message.seq, _PAGE // 2)


async def mark_read(viewer: Viewer, where: Conversation, block: Block) -> None:
    """Write how far the person has read, if that is further than before."""
    if block.last_seq > where.read_seq:
        await viewer.nod.store.write(
            lambda tx: chat.mark_read(tx, viewer.user, where.id, block.last_seq)
        )


@get("/chats/{conversation_id:str}")
async def conversation(
    viewer: NamedDependency[Viewer],
    conversation_id: FromPath[str],
    at: FromQuery[str | None] = None,
) -> Response[bytes]:
    """The conversation with its newest messages, or with the message `at` and those around it."""
    return await viewer.page("chat/page.html", **await chat_values(viewer, conversation_id, at))


@get("/chats/{conversation_id:str}/head")
async def head(viewer: NamedDependency[Viewer], conversation_id: FromPath[str]) -> Response[bytes]:
    """Who one talks with: online or not, and what comes next."""

    async def look(tx: Tx) -> tuple[Conversation, Overview]:
        where, agent = await find(tx, viewer, conversation_id)
        return where, await overview(tx, agent)

    where, mine = await viewer.nod.store.read(look)
    return viewer.fragment(
        "chat/head.html", conversation=where, mine=mine, sockets=viewer.nod.sockets
    )


@get("/chats/{conversation_id:str}/newest")
async def newest(
    viewer: NamedDependency[Viewer], conversation_id: FromPath[str], first: FromQuery[int] = 0
) -> Response[bytes]:
    """The block of the newest messages, from the one with the seq `first` on."""
    return await _newest(viewer, conversation_id, first)


async def _newest(viewer: Viewer, conversation_id: str, first: int) -> Response[bytes]:
    async def look(tx: Tx) -> tuple[Conversation, Agent, Block]:
        where, agent = await find(tx, viewer, conversation_id)
        return where, agent, await load_block(tx, where, _MOST, first=first)

    where, agent, block = await viewer.nod.store.read(look)
    if len(block.bubbles) == _MOST:
        return Response(b"", headers={"HX-Refresh": "true"})
    await mark_read(viewer, where, block)
    return await viewer.drawn(
        "chat/newest.html", conversation=where, agent=agent, block=block, first=first
    )


@get("/chats/{conversation_id:str}/older")
async def older(
    viewer: NamedDependency[Viewer],
    conversation_id: FromPath[str],
    before: FromQuery[int] = NEWEST,
) -> Response[bytes]:
    """A block of older messages, those with a seq below `before`."""

    async def look(tx: Tx) -> tuple[Conversation, Agent, Block]:
        where, agent = await find(tx, viewer, conversation_id)
        return where, agent, await load_block(tx, where, _PAGE, before=before)

    where, agent, block = await viewer.nod.store.read(look)
    return await viewer.drawn(
        "chat/older.html", conversation=where, agent=agent, block=block, before=before
    )


@get("/chats/{conversation_id:str}/newer")
async def newer(
    viewer: NamedDependency[Viewer], conversation_id: FromPath[str], after: FromQuery[int] = 0
) -> Response[bytes]:
    """The block of messages after the one with the seq `after`; the last one is `#newest`."""

    async def look(tx: Tx) -> tuple[Conversation, Agent, Block, int]:
        where, agent = await find(tx, viewer, conversation_id)
        before = await end_of_block(tx, where, after, _PAGE)
        block = await load_block(tx, where, _PAGE, before=before, first=after + 1)
        return where, agent, block, before

    where, agent, block, before = await viewer.nod.store.read(look)
    await mark_read(viewer, where, block)
    return await viewer.drawn(
        "chat/newer.html",
        conversation=where,
        agent=agent,
        block=block,
        before=None if before == NEWEST else before,
        first=after + 1,
    )


@post("/chats/{conversation_id:str}/messages", status_code=200)
async def say(
    viewer: NamedDependency[Viewer], conversation_id: FromPath[str], first: FromQuery[int] = 0
) -> Response[bytes]:
    """Say something to the agent. The answer is the block of the newest messages."""
    form = await viewer.request.form()
    fields = chat.UserMessageFields(
        text=_text(form.get("text")),
        reply_to_id=_text(form.get("reply_to_id")) or None,
        image_ids=[each for each in form.getall("image_ids", []) if isinstance(each, str)],
    )
    pictures = await pictures_of(form, viewer.nod.pictures, viewer.nod.limits)
    url = viewer.nod.settings.public_url
    await viewer.nod.store.write(
        lambda tx: chat.user_message(tx, viewer.user, conversation_id, fields, url, pictures)
    )
    if viewer.part is None:
        return viewer.go(f"/chats/{conversation_id}")
    return await _newest(viewer, conversation_id, first)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@get("/images/{image_id:str}", media_type="image/*")
async def image(viewer: NamedDependency[Viewer], image_id: FromPath[str]) -> Response[bytes]:
    """A picture of one of the person's conversations."""
    found = await viewer.nod.store.read(lambda tx: chat.image_for_user(tx, viewer.user, image_id))
    return Response(found.data, media_type=found.media_type, headers=PICTURE_HEADERS)


routes = [conversation, head, newest, older, newer, image]
with_files = [say]
