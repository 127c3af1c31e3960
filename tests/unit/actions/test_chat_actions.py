"""Messages, pictures, alerts and "Thinking…"."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from nod.actions import accounts, activity, agents, chat
from nod.actions.activity import Wanted
from nod.actions.chat import (
    AlertFields,
    MessageFields,
    ProcessingFields,
    StatusFields,
    UserMessageFields,
)
from nod.delivery.address_guard import AddressGuard
from nod.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, TooLarge
from nod.domain.limits import Limits
from nod.domain.model import Activity, Agent, Conversation, Message, Run, User
from nod.engine.ending import cancel
from nod.engine.fire import run_now
from nod.engine.settle import complete, summary_of
from nod.pictures import Picture
from nod.store.store import Tx
from support.world import World, open_world

URL = "https://nod.example.org"
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


def picture(data: bytes = PNG) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def say(world: World, agent: Agent | None = None, /, **fields: str) -> Message:
    given = MessageFields(**fields)
    return await world.store.write(lambda tx: chat.agent_message(tx, agent or world.agent, given))


async def tell(world: World, where: str, /, **fields: str) -> Message:
    given = msgspec.convert(fields, UserMessageFields)
    return await world.store.write(lambda tx: chat.user_message(tx, world.owner, where, given, URL))


async def home(world: World) -> Conversation:
    return await world.store.read(lambda tx: tx.chat.default_conversation(world.agent.id))


async def shown(world: World) -> list[Message]:
    where = await home(world)
    return await world.store.read(lambda tx: chat.list_messages(tx, world.owner, where.id, 100))


async def running(world: World) -> Run:
    task = await world.task()
    return await world.store.write(lambda tx: run_now(tx, task))


async def stranger(world: World) -> tuple[User, Agent]:
    """Another person with an agent of their own."""
    user = await world.store.write(
        lambda tx: accounts.create_user(tx, "eve@example.org", "no password")
    )
    made = await world.store.write(
        lambda tx: agents.create_agent(tx, world.vault, AddressGuard([]), user, "Spy")
    )
    return user, made.agent


async def happened(world: World) -> list[Activity]:
    return await world.store.read(lambda tx: tx.chat.activity_of(world.agent.id, 100))


# from the agent


async def test_what_an_agent_says_stands_in_its_conversation(world: World) -> None:
    said = await say(world, text="Good morning.")
    assert [(each.id, each.author, each.kind, each.text) for each in await shown(world)] == [
        (said.id, "agent", "text", "Good morning.")
    ]
    assert said.seq > 0
    assert "message" in world.names()


async def test_a_report_has_a_title_and_a_description(world: World) -> None:
    said = await say(world, text="# All", report_title="Week 9", report_description="Seven PRs")
    assert (said.kind, said.title, said.description) == ("report", "Week 9", "Seven PRs")


async def test_an_empty_message_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="text is missing"):
        await say(world, text="  ")
    assert await shown(world) == []


async def test_a_message_of_a_run_is_the_one_bubble_of_that_run(world: World) -> None:
    run = await running(world)
    first = await say(world, text="Half of it.", task_run_id=run.id)
    second = await say(world, text="All of it.", task_run_id=run.id)
    assert first.id == second.id
    (bubble,) = await shown(world)
    assert (bubble.kind, bubble.text, bubble.run_id) == ("task", "All of it.", run.id)
    assert (await world.run(run.id)).status == "running"


async def test_a_run_without_summary_or_output_has_its_messages_as_deliverable(
    world: World,
) -> None:
    run = await running(world)
    await say(world, text="One.", task_run_id=run.id)
    await say(world, text="Two.", task_run_id=run.id)
    done = await world.store.write(lambda tx: complete(tx, world.agent, run.id, "completed", ""))
    assert await world.store.read(lambda tx: summary_of(tx, done)) == "One.\n\nTwo."
    (bubble,) = await shown(world)
    assert bubble.text == "Two."


async def test_completing_with_a_summary_puts_it_into_the_bubble(world: World) -> None:
    run = await running(world)
    said = await say(world, text="Wait…", task_run_id=run.id, report_title="Kept")
    await world.store.write(lambda tx: complete(tx, world.agent, run.id, "completed", "Done."))
    (bubble,) = await shown(world)
    assert (bubble.id, bubble.text, bubble.title) == (said.id, "Done.", "Kept")


async def test_a_word_after_the_end_of_a_run_still_reaches_the_person(world: World) -> None:
    run = await running(world)
    await world.store.write(lambda tx: cancel(tx, run, "by the person"))
    await say(world, text="I had this much.", task_run_id=run.id)
    (bubble,) = await shown(world)
    assert bubble.text == "I had this much."
    assert (await world.run(run.id)).status == "cancelled"


async def test_an_agent_names_only_what_is_its_own(world: World) -> None:
    run = await running(world)
    _, spy = await stranger(world)
    where = await home(world)
    with pytest.raises(NotFound):
        await say(world, spy, text="hm", task_run_id=run.id)
    with pytest.raises(NotFound):
        await say(world, spy, text="hm", conversation_id=where.id)
    assert (await say(world, text="mine", conversation_id=where.id)).conversation_id == where.id


async def test_an_approval_only_agent_sends_no_messages(tmp_path: Path) -> None:
    async with open_world(tmp_path, kind="approval_only") as world:
        with pytest.raises(Forbidden, match="approval_only"):
            await say(world, text="Good morning.")
        where = await home(world)
        with pytest.raises(Forbidden, match="takes no messages"):
            await tell(world, where.id, text="Good morning.")


async def test_a_text_beyond_the_limit_is_refused_not_cut(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(message_chars=3)) as world:
        assert (await say(world, text="abc")).text == "abc"
        with pytest.raises(InvalidInput, match="at most 3"):
            await say(world, text="abcd")


async def test_nod_itself_can_say_something(world: World) -> None:
    await world.store.write(lambda tx: tx.chat.add_notice(world.agent.id, "Paused.", tx.now))
    (notice,) = await shown(world)
    assert (notice.author, notice.kind, notice.text) == ("nod", "notice", "Paused.")


# from the person


async def test_what_a_person_says_is_told_to_the_agent(world: World) -> None:
    where = await home(world)
    asked = await say(world, text="Which one?")
    said = await tell(world, where.id, text="The red one.", reply_to_id=asked.id)
    assert said.event_id is not None
    event = await world.store.read(lambda tx: tx.events.get(said.event_id or ""))
    assert event is not None
    assert msgspec.json.decode(event.body) == {
        "type": "user_message",
        "event_id": event.id,
        "text": "The red one.",
        "sender_name": "Ann",
        "conversation_id": where.id,
        "message_id": said.id,
        "image_url": None,
        "image_urls": [],
        "audio_url": None,
        "reply_to_id": asked.id,
        "reply_to_text": "Which one?",
    }
    assert [each.event.id for each in world.effects[-1].outbox] == [event.id]


async def test_a_person_without_a_name_is_called_by_their_address(world: World) -> None:
    user, spy = await stranger(world)
    where = await world.store.read(lambda tx: tx.chat.default_conversation(spy.id))
    said = await world.store.write(
        lambda tx: chat.user_message(tx, user, where.id, UserMessageFields(text="hi"), URL)
    )
    event = await world.store.read(lambda tx: tx.events.get(said.event_id or ""))
    assert event is not None
    assert msgspec.json.decode(event.body)["sender_name"] == "eve"


async def test_a_picture_alone_is_a_message_and_the_agent_learns_its_address(
    world: World,
) -> None:
    where = await home(world)
    photo = Picture("image/png", PNG, 2, 1)
    fields = UserMessageFields()
    said = await world.store.write(
        lambda tx: chat.user_message(tx, world.owner, where.id, fields, URL, [photo])
    )
    event = await world.store.read(lambda tx: tx.events.get(said.event_id or ""))
    assert event is not None
    url = f"{URL}/api/images/{said.image_id}"
    body = msgspec.json.decode(event.body)
    assert (body["image_url"], body["image_urls"]) == (url, [url])


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"text": " "}, "text or an image"), ({"text": "x", "reply_to_id": "msg_0"}, "reply_to_id")],
)
async def test_a_message_that_says_nothing_or_answers_nothing_is_refused(
    world: World, fields: dict[str, str], says: str
) -> None:
    where = await home(world)
    with pytest.raises(InvalidInput, match=says):
        await tell(world, where.id, **fields)


async def test_nobody_else_reads_or_writes_a_conversation(world: World) -> None:
    eve, _ = await stranger(world)
    where = await home(world)
    fields = UserMessageFields(text="hi")
    with pytest.raises(NotFound):
        await world.store.write(lambda tx: chat.user_message(tx, eve, where.id, fields, URL))
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: chat.list_messages(tx, eve, where.id, 10))
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: chat.list_messages(tx, eve, "conv_0", 10))
    mine = await world.store.read(lambda tx: chat.list_conversations(tx, world.owner))
    assert mine == [where]


# pictures


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a..", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
async def test_a_picture_is_what_its_bytes_are(world: World, data: bytes, media_type: str) -> None:
    said = await say(world, text="Look", image_base64=picture(data))
    image = await world.store.read(
        lambda tx: chat.image_for_user(tx, world.owner, said.image_id or "")
    )
    assert (image.media_type, image.data) == (media_type, data)


async def test_a_picture_may_come_as_a_data_url_or_in_lines(world: World) -> None:
    text = picture()
    one = await say(world, image_base64=f"data:image/png;base64,{text}")
    two = await say(world, image_base64=f"{text[:8]}\r\n{text[8:]}")
    for said in (one, two):
        image = await world.store.read(
            lambda tx, said=said: chat.image_for_agent(tx, world.agent, said.image_id or "")  # type: ignore[misc]
        )
        assert image.data == PNG


@pytest.mark.parametrize("data", [b"<svg onload=alert(1)>", b"RIFF\0\0\0\0WAVE", b""])
async def test_what_is_no_picture_is_refused(world: World, data: bytes) -> None:
    with pytest.raises(InvalidInput, match="PNG, JPEG, GIF or WebP"):
        await say(world, text="Look", image_base64=picture(data))


@pytest.mark.parametrize("text", ["%%%", "ü", "a"])
async def test_what_is_no_base64_is_refused(world: World, text: str) -> None:
    with pytest.raises(InvalidInput, match="base64"):
        await say(world, text="Look", image_base64=text)


async def test_a_picture_has_a_size(tmp_path: Path) -> None:
    async with open_world(tmp_path, Limits(image_bytes=20)) as world:
        for size in (21, 1000):
            with pytest.raises(TooLarge, match="smaller"):
                await say(world, image_base64=picture(PNG + b"x" * size))


async def test_nobody_else_sees_a_picture(world: World) -> None:
    eve, spy = await stranger(world)
    image_id = (await say(world, image_base64=picture())).image_id or ""
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: chat.image_for_user(tx, eve, image_id))
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: chat.image_for_agent(tx, spy, image_id))
    with pytest.raises(NotFound):
        await world.store.read(lambda tx: chat.image_for_user(tx, world.owner, "img_0"))


# signals


async def test_an_alert_is_a_line_of_activity(world: World) -> None:
    run = await running(world)
    fields = AlertFields(title="Disk full", text="93 %", task_run_id=run.id)
    await world.store.write(lambda tx: chat.alert(tx, world.agent, fields))
    await world.store.write(lambda tx: chat.alert(tx, world.agent, AlertFields(title="Hm")))
    newest, alert = (await happened(world))[:2]
    assert (newest.title, newest.text, newest.run_id) == ("Hm", "", None)
    assert (alert.kind, alert.title, alert.text) == ("alert", "Disk full", "93 %")
    assert (alert.run_id, alert.task_id) == (run.id, run.task_id)


@pytest.mark.parametrize(
    ("details", "text"), [(None, ""), ("v2", "v2"), ({"v": 2}, '{"v":2}'), ([1], "[1]")]
)
async def test_a_lifecycle_signal_is_a_line_of_activity(
    world: World, details: object, text: str
) -> None:
    fields = StatusFields(action="started", details=details)
    await world.store.write(lambda tx: chat.status(tx, world.agent, fields))
    (line,) = await happened(world)
    assert (line.kind, line.title, line.text) == ("status", "started", text)


async def test_activity_is_read_page_by_page_and_agent_by_agent(world: World) -> None:
    eve, spy = await stranger(world)
    for title in ("one", "two", "three"):
        fields = AlertFields(title=title)
        await world.store.write(lambda tx, fields=fields: chat.alert(tx, world.agent, fields))  # type: ignore[misc]
    found = await world.store.read(
        lambda tx: activity.list_activity(tx, world.owner, Wanted(world.agent.id), 2)
    )
    assert [each.title for each in found] == ["three", "two"]
    rest = await world.store.read(
        lambda tx: activity.list_activity(tx, world.owner, Wanted(), 2, found[-1].place)
    )
    assert [each.title for each in rest] == ["one"]
    assert await world.store.read(lambda tx: activity.list_activity(tx, eve, Wanted(), 9)) == []
    with pytest.raises(NotFound):
        await world.store.read(
            lambda tx: activity.list_activity(tx, world.owner, Wanted(spy.id), 9)
        )


async def test_old_activity_is_swept(world: World) -> None:
    await world.store.write(lambda tx: chat.alert(tx, world.agent, AlertFields(title="old")))
    world.clock.advance(10)
    swept = await world.store.write(lambda tx: tx.chat.sweep_activity(tx.now, 10))
    assert (swept, await happened(world)) == (1, [])


# thinking


async def think(world: World, run_id: str | None = None) -> Run | None:
    fields = ProcessingFields(status_text="Reading", task_run_id=run_id)
    return await world.store.write(lambda tx: chat.start_thinking(tx, world.agent, fields))


async def thinking(world: World) -> tuple[str | None, int | None]:
    agent = await world.store.read(lambda tx: tx.people.agent(world.agent.id))
    assert agent is not None
    return agent.status_text, agent.thinking_until


async def test_thinking_shows_for_thirty_seconds_and_clears(world: World) -> None:
    await think(world)
    assert await thinking(world) == ("Reading", world.clock.now() + 30_000)
    await world.store.write(lambda tx: chat.stop_thinking(tx, world.agent))
    assert await thinking(world) == (None, None)
    await world.store.write(lambda tx: chat.stop_thinking(tx, world.agent))
    assert world.names().count("thinking_over") == 1


async def test_a_heartbeat_takes_its_run_up(world: World) -> None:
    run = await running(world)
    assert await think(world, run.id) == await world.run(run.id)
    assert (await world.run(run.id)).status == "running"


async def test_a_heartbeat_for_an_ended_run_says_that_it_has_ended(world: World) -> None:
    run = await running(world)
    await world.store.write(lambda tx: cancel(tx, run, "by the person"))
    with pytest.raises(Conflict, match="cancelled"):
        await think(world, run.id)


@pytest.mark.parametrize("how", ["completed", "cancelled"])
async def test_the_end_of_a_run_ends_the_thinking_about_it(world: World, how: str) -> None:
    run = await think(world, (await running(world)).id)
    assert run is not None

    async def end(tx: Tx) -> None:
        if how == "completed":
            await complete(tx, world.agent, run.id, "completed", "Done.")
        else:
            await cancel(tx, run, "by the person")

    await world.store.write(end)
    assert await thinking(world) == (None, None)
    assert world.names().count("thinking_over") == 1


async def test_a_message_ends_the_thinking_before_it(world: World) -> None:
    await think(world)
    await say(world, text="Here.")
    assert await thinking(world) == (None, None)
