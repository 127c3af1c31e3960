"""A conversation opened at an older message: what is shown, and reading on both ways."""

import re

import httpx
import pytest

from nod.actions import chat
from nod.actions.agents import Credentials
from nod.actions.chat import MessageFields
from nod.store.store import Tx
from support.inprocess import InProcess


async def say(nod: InProcess, who: Credentials, *texts: str) -> list[str]:
    """The agent says these things; the messages' ids."""

    async def add(tx: Tx) -> list[str]:
        return [
            (await chat.agent_message(tx, who.agent, MessageFields(text=each))).id for each in texts
        ]

    return await nod.nod.store.write(add)


async def get(client: httpx.AsyncClient, path: str, **headers: str) -> str:
    response = await client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    return response.text


async def where(nod: InProcess, who: Credentials) -> str:
    talk = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(who.agent.id))
    return f"/chats/{talk.id}"


async def page_at(client: httpx.AsyncClient, place: str, message_id: str) -> str:
    return await get(client, f"{place}?at={message_id}")


def shown(page: str) -> list[str]:
    return re.findall(r'<div class="said[^"]*" id="(msg_[0-9a-f]+)"', page)


async def test_an_old_message_is_opened_with_those_around_it(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    ids = await say(nod, ada, *(f"message {number}" for number in range(200)))
    place = await where(nod, ada)
    page = await page_at(ann, place, ids[100])
    assert shown(page) == ids[81:121]
    assert 'id="newest"' not in page
    assert "Newest messages" in page


async def test_from_an_old_message_one_reads_on_both_ways_without_a_gap(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    ids = await say(nod, ada, *(f"message {number}" for number in range(200)))
    place = await where(nod, ada)
    page = await page_at(ann, place, ids[100])
    read = shown(page)
    older, newer = page, page
    while more := re.search(r'class="sentinel" hx-get="([^"]*older[^"]*)"', older):
        older = await get(ann, more[1])
        read = shown(older) + read
    while more := re.search(r'class="sentinel" hx-get="([^"]*newer[^"]*)"', newer):
        newer = await get(ann, more[1])
        read += shown(newer)
    assert read == ids
    assert 'id="newest"' in newer


@pytest.mark.parametrize("after", [0, 20, 40, 41])
async def test_where_the_newest_begin_nothing_is_missing_or_doubled(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials, after: int
) -> None:
    ids = await say(nod, ada, *(f"message {number}" for number in range(60)))
    ids += await say(nod, ada, *(f"more {number}" for number in range(after)))
    message = await nod.nod.store.read(lambda tx: tx.chat.message(ids[59]))
    assert message is not None
    page = await get(ann, f"{await where(nod, ada)}/newer?after={message.seq}")
    assert shown(page) == ids[60:100]
    assert ('id="newest"' in page) is (after <= 40)
    assert "Nothing has been said yet" not in page


async def test_a_live_update_of_an_old_block_shows_the_same_block(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    ids = await say(nod, ada, *(f"message {number}" for number in range(200)))
    page = await page_at(ann, await where(nod, ada), ids[100])
    block = re.search(r'id="block-\d+"[^>]*hx-get="([^"]*)"', page)
    assert block is not None
    assert shown(await get(ann, block[1])) == ids[81:121]


@pytest.mark.parametrize("number", [199, 180])
async def test_a_message_among_the_newest_opens_the_conversation_at_its_end(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials, number: int
) -> None:
    ids = await say(nod, ada, *(f"message {number}" for number in range(200)))
    page = await page_at(ann, await where(nod, ada), ids[number])
    assert shown(page) == ids[160:]
    assert 'id="newest"' in page


async def test_a_message_that_is_not_there_opens_the_conversation_at_its_end(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    bob = await nod.add_agent("Bob")
    [other] = await say(nod, bob, "secret of Bob")
    ids = await say(nod, ada, "hello")
    for at in ("msg_none", other, ""):
        page = await page_at(ann, await where(nod, ada), at)
        assert shown(page) == ids
        assert 'id="newest"' in page


async def test_reading_an_old_message_does_not_count_as_reading_the_new_ones(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    ids = await say(nod, ada, *(f"message {number}" for number in range(90)))
    await page_at(ann, await where(nod, ada), ids[10])
    assert '59<span class="sr"> unread' in await get(ann, "/")
