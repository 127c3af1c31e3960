"""Conversations, pictures and activity."""

from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from nod.actions import activity, chat
from nod.actions.activity import Wanted
from nod.actions.chat import UserMessageFields
from nod.api.auth import current_caller, require_anyone, require_user
from nod.api.paging import page, page_size, read_seq_cursor
from nod.api.user.views import (
    ActivityView,
    ConversationView,
    MessageView,
    activity_view,
    conversation_view,
    message_view,
)
from nod.app import Nod
from nod.domain.model import Message, User
from nod.store.chat import NEWEST, Shown
from nod.store.store import Tx

# A picture is somebody's upload: it is shown as what its bytes are and may do nothing.
PICTURE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=31536000, immutable",
}


async def pictures_of(tx: Tx, message: Message) -> list[Shown]:
    """The pictures of the message; who has none is not looked for."""
    return [] if message.image_id is None else await tx.chat.pictures(message.id)


class ReadFields(msgspec.Struct):
    """How far the person has read; without a message, all there is."""

    message_id: str | None = None


class Conversations(Controller):
    """Chats with agents."""

    path = "/api/conversations"
    tags = ("Chat",)
    guards = (require_user,)

    @get()
    async def list_conversations(
        self, nod: NamedDependency[Nod], user: NamedDependency[User]
    ) -> list[ConversationView]:
        """All conversations of the person, the oldest first."""
        found = await nod.store.read(lambda tx: chat.list_conversations(tx, user))
        return [conversation_view(each) for each in found]

    @get("/{conversation_id:str}/messages")
    async def list_messages(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        conversation_id: FromPath[str],
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[MessageView]]:
        """The messages, newest first. A run is one bubble, which shows the last of its texts."""
        size, before = page_size(limit, nod.limits), read_seq_cursor(cursor, NEWEST)

        async def look(tx: Tx) -> list[tuple[Message, list[Shown]]]:
            found = await chat.list_messages(tx, user, conversation_id, size + 1, before)
            return [(each, await pictures_of(tx, each)) for each in found]

        return page(
            await nod.store.read(look),
            size,
            lambda each: message_view(*each),
            lambda last: last[0].seq,
            f"{self.path}/{conversation_id}/messages",
            limit=limit,
        )

    @post("/{conversation_id:str}/messages")
    async def send_message(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        conversation_id: FromPath[str],
        data: JSONBody[UserMessageFields],
    ) -> MessageView:
        """Say something to the agent; it is told as a `user_message` event."""
        pictures = []
        if data.image_base64 is not None:
            given = chat.decoded(data.image_base64, nod.limits)
            pictures.append(await nod.pictures.clean(given))
        url = nod.settings.public_url

        async def send(tx: Tx) -> MessageView:
            message = await chat.user_message(tx, user, conversation_id, data, url, pictures)
            return message_view(message, await tx.chat.pictures(message.id))

        return await nod.store.write(send)

    @post("/{conversation_id:str}/read", status_code=204)
    async def mark_read(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        conversation_id: FromPath[str],
        data: JSONBody[ReadFields],
    ) -> None:
        """The person has read it, up to `message_id` if that is given."""
        await nod.store.write(
            lambda tx: chat.read_up_to(tx, user, conversation_id, data.message_id)
        )


class Images(Controller):
    """Pictures of conversations, for the person and for the agent."""

    path = "/api/images"
    tags = ("Chat",)
    guards = (require_anyone,)

    @get("/{image_id:str}", media_type="image/*")
    async def get_image(
        self,
        nod: NamedDependency[Nod],
        request: Request[Any, Any, Any],
        image_id: FromPath[str],
    ) -> Response[bytes]:
        """The picture, with a person's token or with an agent's headers."""
        caller = current_caller(request)
        if isinstance(caller, User):
            user = caller
            image = await nod.store.read(lambda tx: chat.image_for_user(tx, user, image_id))
        else:
            agent = caller
            image = await nod.store.read(lambda tx: chat.image_for_agent(tx, agent, image_id))
        return Response(image.data, media_type=image.media_type, headers=PICTURE_HEADERS)


class ActivityLog(Controller):
    """What happened."""

    path = "/api/activity"
    tags = ("Activity",)
    guards = (require_user,)

    @get()
    async def list_activity(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromQuery[str | None] = None,
        task_id: FromQuery[str | None] = None,
        kind: FromQuery[str | None] = None,
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[ActivityView]]:
        """What happened, newest first, of all agents or one, of all tasks or one, of all kinds or
        of `results`, `problems`, `not_run`, `requests`, `signals` or `changes`."""
        size, before = page_size(limit, nod.limits), activity.read_cursor(cursor)
        wanted = Wanted(agent_id, task_id, activity.read_group(kind))
        found = await nod.store.read(
            lambda tx: activity.list_activity(tx, user, wanted, size + 1, before)
        )
        return page(
            found,
            size,
            activity_view,
            lambda last: activity.write_cursor(last.place),
            self.path,
            agent_id=agent_id,
            task_id=task_id,
            kind=kind,
            limit=limit,
        )
