"""What people and agents say to each other: messages, pictures, alerts, "Thinking…"."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from nod.actions import uploads
from nod.actions.checks import limited, required
from nod.domain.errors import Forbidden, InvalidInput, NotFound, TooLarge
from nod.domain.instant import SECOND
from nod.domain.limits import MIB, Limits
from nod.domain.model import (
    Agent,
    Channel,
    Conversation,
    Event,
    Image,
    Message,
    MessageKind,
    Run,
    User,
    new_id,
)
from nod.domain.picture_size import picture_size
from nod.domain.states import run_can
from nod.engine import notify
from nod.engine.outbox import make_event, put
from nod.engine.settle import get_own, sign_of_life
from nod.pictures import Picture
from nod.store.chat import NEWEST, Report, make_message
from nod.store.store import Tx

# What the bytes of a picture begin with. A name or a header could say anything.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


class MessageFields(msgspec.Struct, frozen=True, kw_only=True):
    """A message as an agent sends it. With `task_run_id` it is the bubble of that run."""

    text: str | None = None
    conversation_id: str | None = None
    task_run_id: str | None = None
    report_title: str | None = None
    report_description: str | None = None
    image_base64: str | None = None


class AlertFields(msgspec.Struct, frozen=True, kw_only=True):
    """A line of activity as an agent sends it."""

    title: str
    text: str | None = None
    task_run_id: str | None = None


class ProcessingFields(msgspec.Struct, frozen=True, kw_only=True):
    """A sign that the agent is at work."""

    conversation_id: str | None = None
    status_text: str | None = None
    task_run_id: str | None = None


class StatusFields(msgspec.Struct, frozen=True, kw_only=True):
    """A lifecycle signal of the agent, such as `started`."""

    action: str
    details: Any = None


class UserMessageFields(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a person sends it. `image_ids` are of pictures uploaded before.

    `image_base64` is made a picture by the door: it takes time that no transaction has.
    """

    text: str | None = None
    image_base64: str | None = None
    image_ids: list[str] = []
    reply_to_id: str | None = None


# messages


async def agent_message(
    tx: Tx, agent: Agent, fields: MessageFields, via: Channel = "poll"
) -> Message:
    """Store what the agent says. A message that names a run is, or replaces, the run's bubble.

    Raises Forbidden for an approval_only agent, NotFound for a conversation or run that is not
    the agent's, InvalidInput, TooLarge.
    """
    check_interactive(agent, "send messages")
    text = limited(fields.text or "", "text", tx.limits.message_chars)
    where = await conversation_of(tx, agent, fields.conversation_id)
    run = (
        None if fields.task_run_id is None else await named_run(tx, agent, fields.task_run_id, via)
    )
    report = await _report(tx, agent, fields)
    if not text.strip() and report.title is None and report.image_id is None:
        raise InvalidInput("text is missing; a message needs text, an image or a report_title")
    if run is None:
        kind: MessageKind = "text" if report.title is None else "report"
        message = await tx.chat.add_message(
            make_message(tx.now, where, "agent", kind, text, report)
        )
        await _attach(tx, message)
        await notify.agent_message(tx, agent, message)
    else:
        # Every text is kept for the run's deliverable; the bubble shows the last.
        await tx.chat.add_message(
            make_message(tx.now, where, "agent", "text", text, report, run_id=run.id)
        )
        message = await tx.chat.put_bubble(where.id, run, text, tx.now, report)
        await _attach(tx, message)
    await stop_thinking(tx, agent)
    _tell(tx, message)
    return message


async def _report(tx: Tx, agent: Agent, fields: MessageFields) -> Report:
    title = description = None
    if fields.report_title is not None:
        title = required(fields.report_title, "report_title", tx.limits.title_chars)
    if fields.report_description is not None:
        description = limited(
            fields.report_description, "report_description", tx.limits.description_chars
        )
    return Report(title, description, await _store_image(tx, agent.id, fields.image_base64))


async def user_message(
    tx: Tx,
    user: User,
    conversation_id: str,
    fields: UserMessageFields,
    public_url: str,
    pictures: Sequence[Picture] = (),
) -> Message:
    """Store what the person says, and tell the agent. `public_url` is where pictures are found.

    `pictures` come with the message itself, after those that `fields` names.

    Raises NotFound for a conversation that is not the person's, Forbidden when its agent takes
    no messages, InvalidInput, TooLarge.
    """
    where = await get_conversation(tx, user, conversation_id)
    agent = await tx.people.keep_agent(where.agent_id)
    if agent is None or agent.kind == "approval_only":
        raise Forbidden("this agent takes no messages; it only asks for decisions")
    text = limited(fields.text or "", "text", tx.limits.message_chars)
    image_ids = await uploads.taken(tx, where, fields.image_ids, pictures)
    if not text.strip() and not image_ids:
        raise InvalidInput("text is missing; a message needs text or an image")
    reply_to = await _replied_to(tx, where, fields.reply_to_id)
    message = make_message(
        tx.now,
        where,
        "user",
        "text",
        text,
        Report(image_id=image_ids[0] if image_ids else None),
        reply_to_id=None if reply_to is None else reply_to.id,
    )
    urls = [f"{public_url.rstrip('/')}/api/images/{each}" for each in image_ids]
    event = await put(tx, _user_message_event(tx, user, message, reply_to, urls))
    stored = await tx.chat.add_message(replace(message, event_id=event.id))
    await tx.chat.attach(image_ids, stored.id)
    _tell(tx, stored)
    return stored


def _user_message_event(
    tx: Tx, user: User, message: Message, reply_to: Message | None, image_urls: list[str]
) -> Event:
    fields = {
        "text": message.text,
        "sender_name": user.name or user.email.partition("@")[0],
        "conversation_id": message.conversation_id,
        "message_id": message.id,
        "image_url": image_urls[0] if image_urls else None,
        "image_urls": image_urls,
        "audio_url": None,
        "reply_to_id": message.reply_to_id,
        "reply_to_text": None if reply_to is None else reply_to.text,
    }
    return make_event(tx.now, message.agent_id, "user_message", fields)


async def _replied_to(tx: Tx, where: Conversation, message_id: str | None) -> Message | None:
    if message_id is None:
        return None
    message = await tx.chat.message(message_id)
    if message is None or message.conversation_id != where.id:
        raise InvalidInput(f"reply_to_id names no message of this conversation: {message_id[:64]}")
    return message


def _tell(tx: Tx, message: Message) -> None:
    tx.effects.fact(
        "message",
        message_id=message.id,
        conversation_id=message.conversation_id,
        agent_id=message.agent_id,
        run_id=message.run_id,
        author=message.author,
        chars=len(message.text),
    )
    tx.effects.change(message.conversation_id)


async def list_conversations(tx: Tx, user: User) -> list[Conversation]:
    """The person's conversations, the oldest first."""
    return await tx.chat.conversations_of(user.id)


async def list_messages(
    tx: Tx, user: User, conversation_id: str, limit: int, before: int = NEWEST
) -> list[Message]:
    """The messages of a conversation, newest first, those with a seq below `before`."""
    where = await get_conversation(tx, user, conversation_id)
    return await tx.chat.messages(where.id, limit, before)


async def get_conversation(tx: Tx, user: User, conversation_id: str) -> Conversation:
    """The person's conversation. Raises NotFound, also for somebody else's."""
    where = await tx.chat.conversation(conversation_id)
    agent = None if where is None else await tx.people.agent(where.agent_id)
    if where is None or agent is None or agent.owner_id != user.id:
        raise NotFound(f"you have no conversation {conversation_id[:64]}")
    return where


async def mark_read(tx: Tx, user: User, conversation_id: str, seq: int) -> None:
    """The person has read up to the message with this seq. Raises NotFound."""
    where = await get_conversation(tx, user, conversation_id)
    if await tx.chat.mark_read(where.id, seq):
        tx.effects.fact("read", conversation_id=where.id, user_id=user.id)


async def read_up_to(
    tx: Tx, user: User, conversation_id: str, message_id: str | None = None
) -> None:
    """The person has read up to this message; None: all there is. Raises NotFound, InvalidInput."""
    where = await get_conversation(tx, user, conversation_id)
    if message_id is None:
        newest = await tx.chat.messages(where.id, 1)
        message = newest[0] if newest else None
    else:
        message = await tx.chat.message(message_id)
        if message is None or message.conversation_id != where.id:
            raise InvalidInput(
                f"message_id names no message of this conversation: {message_id[:64]}"
            )
    if message is not None:
        await mark_read(tx, user, where.id, message.seq)


# what an agent may name


def check_interactive(agent: Agent, what: str) -> None:
    """Raise Forbidden for an agent that may only ask."""
    if agent.kind == "approval_only":
        raise Forbidden(f"an approval_only agent cannot {what}; make it interactive for that")


async def conversation_of(tx: Tx, agent: Agent, conversation_id: str | None) -> Conversation:
    """The conversation named, else the agent's own. Raises NotFound for one of another agent."""
    if conversation_id is None:
        return await tx.chat.default_conversation(agent.id)
    where = await tx.chat.conversation(conversation_id)
    if where is None or where.agent_id != agent.id:
        raise NotFound(f"there is no conversation {conversation_id[:64]} of this agent")
    return where


async def named_run(tx: Tx, agent: Agent, run_id: str, via: Channel) -> Run:
    """The agent's run, taken up and its lease renewed, as naming it does; also an ended one."""
    run = await get_own(tx, agent, run_id)
    return await sign_of_life(tx, run, via) if run_can("cancel", run.status) else run


# pictures


async def _attach(tx: Tx, message: Message) -> None:
    if message.image_id is not None:
        await tx.chat.attach([message.image_id], message.id)


async def _store_image(tx: Tx, agent_id: str, image_base64: str | None) -> str | None:
    if image_base64 is None:
        return None
    data = decoded(image_base64, tx.limits)
    width, height = picture_size(data) or (None, None)
    image = Image(new_id("img", tx.now), agent_id, _media_type(data), data, tx.now, width, height)
    await tx.chat.insert_image(image)
    return image.id


def decoded(image_base64: str, limits: Limits) -> bytes:
    """The bytes that the text stands for. Raises InvalidInput, TooLarge."""
    too_large = TooLarge(f"an image holds at most {limits.image_bytes // MIB} MiB; make it smaller")
    # data:image/png;base64,… is what browsers and canvases give
    text = image_base64.partition(",")[2] if image_base64.startswith("data:") else image_base64
    if len(text) > limits.image_bytes * 2:
        raise too_large
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("image_base64 must be a picture's bytes in base64") from None
    if len(data) > limits.image_bytes:
        raise too_large
    return data


def _media_type(data: bytes) -> str:
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise InvalidInput("image_base64 must be a PNG, JPEG, GIF or WebP picture")


async def image_for_user(tx: Tx, user: User, image_id: str) -> Image:
    """A picture of one of the person's conversations. Raises NotFound."""
    image = await tx.chat.image(image_id)
    agent = None if image is None else await tx.people.agent(image.agent_id)
    if image is None or agent is None or agent.owner_id != user.id:
        raise NotFound(f"you have no image {image_id[:64]}")
    return image


async def image_for_agent(tx: Tx, agent: Agent, image_id: str) -> Image:
    """A picture of one of the agent's conversations. Raises NotFound."""
    image = await tx.chat.image(image_id)
    if image is None or image.agent_id != agent.id:
        raise NotFound(f"there is no image {image_id[:64]} of this agent")
    return image


# signals


async def alert(tx: Tx, agent: Agent, fields: AlertFields, via: Channel = "poll") -> None:
    """Put a line into the person's activity, and tell them."""
    title = required(fields.title, "title", tx.limits.title_chars)
    text = limited(fields.text or "", "text", tx.limits.description_chars)
    run = (
        None if fields.task_run_id is None else await named_run(tx, agent, fields.task_run_id, via)
    )
    task_id, run_id = (None, None) if run is None else (run.task_id, run.id)
    line = await tx.chat.add_activity(agent.id, "alert", title, text, task_id, run_id, tx.now)
    await notify.alert(tx, agent, line)
    tx.effects.fact("alert", agent_id=agent.id, run_id=run_id, title=title)


async def status(tx: Tx, agent: Agent, fields: StatusFields) -> None:
    """Put a lifecycle signal into the person's activity."""
    action = required(fields.action, "action", tx.limits.title_chars)
    details = fields.details
    if details is None or isinstance(details, str):
        text = details or ""
    else:
        text = msgspec.json.encode(details).decode()
    limited(text, "details", tx.limits.description_chars)
    await tx.chat.add_activity(agent.id, "status", action, text, None, None, tx.now)
    tx.effects.fact("status", agent_id=agent.id, action=action)


async def start_thinking(
    tx: Tx, agent: Agent, fields: ProcessingFields, via: Channel = "poll"
) -> Run | None:
    """Show "Thinking…" for `thinking_s` more seconds, and renew the lease of the run it names.

    Agents say so each second; `actions/heartbeats.py` keeps most of that away from the database.
    Raises Conflict when the run has ended, NotFound when it is not the agent's.
    """
    run = None
    if fields.task_run_id is not None:
        run = await sign_of_life(tx, await get_own(tx, agent, fields.task_run_id), via)
    where = await conversation_of(tx, agent, fields.conversation_id)
    text = None
    if fields.status_text is not None:
        text = limited(fields.status_text, "status_text", tx.limits.status_text_chars) or None
    until = tx.now + tx.limits.thinking_s * SECOND
    await tx.people.set_thinking(agent.id, text, until, where.id)
    tx.effects.fact("thinking", agent_id=agent.id, conversation_id=where.id, text=text)
    return run


async def stop_thinking(tx: Tx, agent: Agent) -> None:
    """Clear "Thinking…"."""
    now = await tx.people.agent(agent.id) or agent
    if now.thinking_until is None:
        return
    await tx.people.set_thinking(agent.id, None, None, None)
    tx.effects.fact("thinking_over", agent_id=agent.id, conversation_id=now.thinking_in)
