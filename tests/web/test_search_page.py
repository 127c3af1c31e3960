"""The page of the search: what is found, in words and marks, and that each leads to its place."""

import re

import httpx
import pytest

from nod.actions import chat, decisions
from nod.actions.agents import Credentials
from nod.actions.chat import MessageFields, UserMessageFields
from nod.actions.decisions import DecisionFields
from nod.engine.settle import complete, put_output
from nod.store.store import Tx
from support.browser import signed_in
from support.inprocess import InProcess

TYPED = {"HX-Request": "true", "HX-Target": "found"}
MORE = {"HX-Request": "true", "HX-Target": "more"}


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


def found(page: str) -> list[str]:
    """Where the lines lead to."""
    return [
        each.replace("&amp;", "&") for each in re.findall(r'<a class="row" href="([^"]*)"', page)
    ]


async def where(nod: InProcess, who: Credentials) -> str:
    talk = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(who.agent.id))
    return f"/chats/{talk.id}"


async def test_before_anything_is_typed_it_says_what_can_be_found(ann: httpx.AsyncClient) -> None:
    page = await get(ann, "/search")
    assert "Looks through what was said" in page
    assert "autofocus" in page


async def test_a_message_is_shown_with_its_words_marked_and_leads_to_its_very_place(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    [message_id] = await say(nod, ada, "The **Café** is open")
    page = await get(ann, "/search?q=cafe+op")
    assert "The <mark>Café</mark> is <mark>open</mark>" in page
    assert found(page) == [f"{await where(nod, ada)}?at={message_id}#{message_id}"]


async def test_the_same_is_found_with_and_without_script(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    await say(nod, ada, "The hens are fed")
    plain, typed = await get(ann, "/search?q=hens"), await get(ann, "/search?q=hens", **TYPED)
    assert found(plain) == found(typed)
    assert 'id="found"' in typed


async def test_a_result_leads_to_its_sheet_and_a_task_to_its_page(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "0 9 * * *", name="Count the hens")
    [run_id] = await nod.fire(task)

    async def bring(tx: Tx) -> None:
        await put_output(tx, ada.agent, run_id, "# Hens\n\nAll hens are there.")
        await complete(tx, ada.agent, run_id, "completed", "Done")

    await nod.nod.store.write(bring)
    page = await get(ann, "/search?q=hens")
    assert found(page) == [f"/tasks/{task.id}", f"/runs/{run_id}"]
    assert f'href="/runs/{run_id}" data-sheet' in page
    assert "Every day at 09:00" in page
    assert "Count the <mark>hens</mark>" in page
    assert page.index(">Tasks<") < page.index(">Messages and results<")


async def test_a_request_leads_to_its_card_in_the_conversation(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    fields = DecisionFields(title="May I feed the hens?")
    asked = await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, fields))
    [place] = found(await get(ann, "/search?q=hens"))
    assert place.startswith(f"{await where(nod, ada)}?at=msg_")
    assert place.endswith(f"#card-{asked.id}")
    assert f'id="card-{asked.id}"' in await get(ann, place)


async def test_what_i_said_is_told_apart(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    async def ask(tx: Tx) -> None:
        owner = await tx.people.user(ada.agent.owner_id)
        assert owner is not None
        talk = await tx.chat.default_conversation(ada.agent.id)
        fields = UserMessageFields(text="Where are the hens?")
        await chat.user_message(tx, owner, talk.id, fields, nod.url)

    await nod.nod.store.write(ask)
    page = await get(ann, "/search?q=hens")
    assert "<b>You</b>" in page
    assert "to Ada" in page


async def test_older_ones_come_page_by_page_and_none_twice(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    ids = await say(nod, ada, *(f"hens {number}" for number in range(45)))
    page = await get(ann, "/search?q=hens")
    places = found(page)
    while more := re.search(r'hx-get="(/search[^"]*before=[^"]*)"', page):
        page = await get(ann, more[1].replace("&amp;", "&"), **MORE)
        assert "<html" not in page
        assert "Messages and results" not in page
        places += found(page)
    assert [each.partition("#")[2] for each in places] == ids[::-1]


async def test_it_is_narrowed_to_one_agent_from_its_conversation(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    bob = await nod.add_agent("Bob")
    await say(nod, bob, "The hens are fed")
    assert f'href="/search?agent={ada.agent.id}"' in await get(ann, await where(nod, ada))
    assert 'href="/search"' in await get(ann, "/")
    page = await get(ann, f"/search?agent={ada.agent.id}&q=hens")
    assert "Nothing was found for “hens” with Ada." in page
    assert 'href="/search?q=hens"' in page
    assert f'href="{await where(nod, ada)}" aria-label="Back' in page
    assert f'value="{ada.agent.id}" selected' in page
    assert len(found(await get(ann, f"/search?agent={bob.agent.id}&q=hens"))) == 1
    assert len(found(await get(ann, "/search?agent=&q=hens"))) == 1


async def test_nothing_found_is_said_with_the_words(ann: httpx.AsyncClient) -> None:
    assert "Nothing was found for “zebra”." in await get(ann, "/search?q=zebra")


@pytest.mark.parametrize(
    "q", ["", "%20", "%00", "%22", "*", "%22*%22%20AND", "%FF%FE", "%F0%9F%98%80", "x" * 10_000]
)
async def test_odd_words_give_a_page(ann: httpx.AsyncClient, q: str) -> None:
    await get(ann, f"/search?q={q}")


async def test_what_was_typed_and_what_agents_wrote_is_text(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    await say(nod, ada, "<script>alert(1)</script> <mark>hens</mark>")
    page = await get(ann, "/search?q=script")
    assert "&lt;<mark>script</mark>&gt;alert(1)&lt;/<mark>script</mark>&gt;" in page
    assert "&lt;mark&gt;" in page
    page = await get(ann, "/search?q=%3Cscript%3E%22%3E%3Cb%3E")
    assert "<script>&#34;" not in page
    assert "<b>" not in page


async def test_somebody_else_finds_nothing(nod: InProcess, ada: Credentials) -> None:
    await say(nod, ada, "The hens are fed")
    await nod.add_task(ada, name="Feed the hens")
    async with await signed_in(nod, "eve@example.org") as eve:
        assert found(await get(eve, "/search?q=hens")) == []
        assert (await eve.get(f"/search?q=hens&agent={ada.agent.id}")).status_code == 404
