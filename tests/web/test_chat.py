"""Home, a conversation and its result sheet; and that what comes in shows without a reload."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.model import Conversation, Run
from nod.engine.fire import run_now
from nod.store.people import Seen
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import PATIENCE_S, InProcess, running

pytestmark = pytest.mark.usefixtures("ada")

HTMX = {"HX-Request": "true", "HX-Target": "newest"}


async def say(agent: httpx.AsyncClient, text: str, **fields: Any) -> str:
    sent = await agent.post("/events", json={"type": "message", "text": text, **fields})
    return str(sent.json()["message_id"])


async def start_run(nod: InProcess, ada: Credentials) -> Run:
    task = await nod.add_task(ada, name="Daily standup")
    return await nod.nod.store.write(lambda tx: run_now(tx, task))


async def complete(agent: httpx.AsyncClient, run: Run, text: str) -> None:
    address = f"/tasks/runs/{run.id}"
    (await agent.put(f"{address}/output", json={"text": text})).raise_for_status()
    done = {"status": "completed", "summary": "All well.", "usage": {"input_tokens": 1200}}
    (await agent.post(f"{address}/complete", json=done)).raise_for_status()


# home


async def test_home_shows_each_agent_with_its_last_words_and_what_is_unread(
    ann: httpx.AsyncClient, agent: httpx.AsyncClient, talk: Conversation
) -> None:
    await say(agent, "**Three** things are new")
    home = (await ann.get("/")).text
    assert "Three things are new" in home
    assert '1<span class="sr"> unread' in home
    await ann.get(f"/chats/{talk.id}")
    assert "unread" not in (await ann.get("/")).text


async def test_home_names_the_request_that_ends_first(
    ann: httpx.AsyncClient, agent: httpx.AsyncClient
) -> None:
    asked = {"type": "decision", "kind": "approval"}
    await agent.post("/events", json={**asked, "title": "Merge it?"})
    soon = {**asked, "title": "Deploy it?", "expires_in_s": 600}
    first = (await agent.post("/events", json=soon)).json()["decision_id"]
    assert "Waiting for you: Deploy it?" in (await ann.get("/")).text
    await ann.post(f"/requests/{first}/answer", data={"status": "approved"})
    assert "Waiting for you: Merge it?" in (await ann.get("/")).text


async def test_home_without_agents_says_what_to_do(nod: InProcess) -> None:
    async with await signed_in(nod, "new@example.org") as newcomer:
        assert "Add your first agent" in (await newcomer.get("/")).text


# the conversation


async def test_a_person_writes_and_the_agent_is_told(
    ann: httpx.AsyncClient, agent: httpx.AsyncClient, talk: Conversation
) -> None:
    quoted = await say(agent, "Two reviews wait")
    address = f"/chats/{talk.id}/messages"
    sent = await ann.post(address, data={"text": "Which?", "reply_to_id": quoted}, headers=HTMX)
    assert "Which?" in sent.text
    assert "sent" in sent.text
    told = (await agent.get("/events")).json()
    assert [(each["text"], each["reply_to_text"]) for each in told] == [
        ("Which?", "Two reviews wait")
    ]
    await agent.post(f"/events/{told[0]['event_id']}/ack")
    assert "delivered" in (await ann.get(f"/chats/{talk.id}")).text


@pytest.mark.parametrize(
    ("minutes", "words"), [(1, "answered<"), (125, "answered 2 h 5 min later")]
)
async def test_what_was_answered_says_so_and_how_much_later(
    nod: InProcess,
    ada: Credentials,
    ann: httpx.AsyncClient,
    agent: httpx.AsyncClient,
    talk: Conversation,
    clock: FakeClock,
    minutes: int,
    words: str,
) -> None:
    page = f"/chats/{talk.id}"
    await ann.post(f"{page}/messages", data={"text": "Which?"})
    await agent.get("/events")
    await say(agent, "During a run", task_run_id=(await start_run(nod, ada)).id)
    assert "answered" not in (await ann.get(page)).text
    clock.advance(60 * minutes)
    await say(agent, "The second.")
    assert words in re.sub(r"\s+<", "<", (await ann.get(page)).text)


async def test_a_message_that_is_long_unanswered_shows_its_answer_without_a_reload(
    ann: httpx.AsyncClient, agent: httpx.AsyncClient, ada: Credentials, talk: Conversation
) -> None:
    for number in range(41):
        await ann.post(f"/chats/{talk.id}/messages", data={"text": f"word{number}"})
    page = (await ann.get(f"/chats/{talk.id}")).text
    older = re.search(r'hx-get="(/chats/[^"]+/older\?before=\d+)" hx-trigger="inter', page)
    assert older is not None
    assert f'data-live="{ada.agent.id}"' in (await ann.get(older[1], headers=HTMX)).text
    await say(agent, "All of them.")
    block = (await ann.get(older[1], headers=HTMX)).text
    assert "answered" in block
    assert "data-live" not in block


async def test_writing_works_without_script(ann: httpx.AsyncClient, talk: Conversation) -> None:
    sent = await ann.post(f"/chats/{talk.id}/messages", data={"text": "Hello"})
    assert (sent.status_code, sent.headers["Location"]) == (303, f"/chats/{talk.id}")


async def test_an_empty_message_is_refused_with_a_sentence(
    ann: httpx.AsyncClient, talk: Conversation
) -> None:
    sent = await ann.post(f"/chats/{talk.id}/messages", data={"text": " "}, headers=HTMX)
    assert sent.status_code == 400
    assert sent.headers["HX-Retarget"] == "#toasts"
    assert "needs text" in sent.text


async def test_older_messages_come_in_blocks_without_a_gap(
    ann: httpx.AsyncClient, agent: httpx.AsyncClient, talk: Conversation
) -> None:
    for number in range(95):
        await say(agent, f"word{number:03}")
    page = (await ann.get(f"/chats/{talk.id}")).text
    seen = re.findall(r"<p>(word\d{3})</p>", page)
    while older := re.search(r'hx-get="(/chats/[^"]+/older\?before=\d+)" hx-trigger="inter', page):
        page = (await ann.get(older[1], headers={**HTMX, "HX-Target": "older"})).text
        seen = re.findall(r"<p>(word\d{3})</p>", page) + seen
    assert seen == [f"word{number:03}" for number in range(95)]


async def test_what_an_agent_writes_does_nothing_but_show(
    ann: httpx.AsyncClient, agent: httpx.AsyncClient, talk: Conversation
) -> None:
    await say(agent, "<script>alert(1)</script> ![x](https://evil.example/x.png)")
    page = (await ann.get(f"/chats/{talk.id}")).text
    assert "<script>alert" not in page
    assert "<img src" not in page


async def test_the_head_says_whether_the_agent_is_there(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, talk: Conversation
) -> None:
    address = f"/chats/{talk.id}/head"
    assert "not connected yet" in (await ann.get(address)).text
    await nod.nod.store.write(lambda tx: tx.people.touch([Seen(ada.agent.id, tx.now)]))
    assert "last seen" in (await ann.get(address)).text
    await start_run(nod, ada)
    assert "its task goes out when it is back" in (await ann.get(address)).text
    await start_run(nod, ada)
    assert "its 2 tasks go out when it is back" in (await ann.get(address)).text
    async with nod.peer(ada):
        assert '<p class="sub cut">online' in (await ann.get(address)).text
        assert '<p class="sub cut">online' in (await ann.get(f"/chats/{talk.id}")).text


# the result


async def test_a_result_has_a_bubble_a_sheet_and_an_address_of_its_own(
    nod: InProcess,
    ada: Credentials,
    ann: httpx.AsyncClient,
    agent: httpx.AsyncClient,
    talk: Conversation,
) -> None:
    run = await start_run(nod, ada)
    await complete(agent, run, "# Twelve commits\n\n- one\n")
    page = (await ann.get(f"/chats/{talk.id}")).text
    assert f'href="/runs/{run.id}" data-sheet' in page
    sheet = (await ann.get(f"/runs/{run.id}", headers={**HTMX, "HX-Target": "sheet"})).text
    assert "<html" not in sheet
    assert '<h2 id="sheet-title">Twelve commits</h2>' in sheet
    assert "<li>one</li>" in sheet
    assert "<dd>1,200 in</dd>" in sheet
    whole = (await ann.get(f"/runs/{run.id}")).text
    assert "All well." in whole
    assert "Twelve commits" in whole


async def test_a_result_is_downloaded_whole_and_the_task_run_again(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, agent: httpx.AsyncClient
) -> None:
    run = await start_run(nod, ada)
    await complete(agent, run, "# Twelve commits\n")
    file = await ann.get(f"/runs/{run.id}/download")
    assert file.text == "# Twelve commits\n"
    assert file.headers["Content-Disposition"].startswith("attachment")
    again = await ann.post(f"/runs/{run.id}/again")
    assert again.status_code == 303
    assert again.headers["Location"] not in ("", f"/runs/{run.id}")


async def test_a_result_says_what_changed_and_how_its_run_went(
    nod: InProcess,
    ada: Credentials,
    ann: httpx.AsyncClient,
    agent: httpx.AsyncClient,
    clock: FakeClock,
) -> None:
    first = await start_run(nod, ada)
    await complete(agent, first, "## Merged\n- one\n")
    clock.advance(60)
    again = await ann.post(f"/runs/{first.id}/again")
    second = await nod.run(again.headers["Location"].rpartition("/")[2])
    clock.advance(60)
    await complete(agent, second, "## Merged\n- one\n- two\n")
    sheet = (await ann.get(f"/runs/{second.id}")).text
    assert "1 change since" in sheet
    assert re.search(r'<li class="added"><span class="sr">added: </span>- two</li>', sheet)
    assert f'href="/runs/{first.id}" data-sheet' in sheet
    assert re.search(r'<rect class="\w+" x="0.0"', sheet)
    assert 'role="img" aria-label="due ' in sheet


async def test_nobody_sees_somebody_elses_conversation_or_result(
    nod: InProcess, ada: Credentials, talk: Conversation
) -> None:
    run = await start_run(nod, ada)
    async with await signed_in(nod, "eve@example.org") as eve:
        for address in (
            f"/chats/{talk.id}",
            f"/chats/{talk.id}/head",
            f"/chats/{talk.id}/newest",
            f"/chats/{talk.id}/older",
            f"/runs/{run.id}",
            f"/runs/{run.id}/download",
        ):
            assert (await eve.get(address)).status_code == 404, address
        for address in (f"/chats/{talk.id}/messages", f"/runs/{run.id}/again"):
            assert (await eve.post(address, data={"text": "x"})).status_code == 404, address


# live


async def hints(stream: AsyncIterator[str], wanted: str) -> list[str]:
    """What the stream tells until it names `wanted`."""
    told: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        async for line in stream:
            if line.startswith("data: "):
                told += line.removeprefix("data: ").split()
                if wanted in told:
                    return told
    raise AssertionError(f"the stream ended without {wanted}: {told}")


def moment(page: str) -> str:
    found = re.search(r'name="nod-now" content="(\d+)"', page)
    assert found is not None
    return found[1]


async def test_a_page_hears_of_what_comes_in_and_then_shows_what_a_reload_shows(
    ann: httpx.AsyncClient, agent: httpx.AsyncClient, talk: Conversation, clock: FakeClock
) -> None:
    clock.advance(60)
    page = (await ann.get(f"/chats/{talk.id}")).text
    async with ann.stream("GET", f"/live?since={moment(page)}") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        lines = stream.aiter_lines()
        await anext(lines)
        await say(agent, "News")
        assert talk.agent_id in await hints(lines, talk.id)
    block = (await ann.get(f"/chats/{talk.id}/newest", headers=HTMX)).text
    assert "News" in block
    whole = (await ann.get(f"/chats/{talk.id}")).text
    news = re.findall(r'<div class="said.*?</div>\s*</div>', block, re.DOTALL)
    assert news == re.findall(r'<div class="said.*?</div>\s*</div>', whole, re.DOTALL)


async def test_what_came_while_the_line_was_cut_is_asked_for_after_it(
    ann: httpx.AsyncClient, agent: httpx.AsyncClient, talk: Conversation
) -> None:
    page = (await ann.get(f"/chats/{talk.id}")).text
    await say(agent, "While nobody listened")
    async with ann.stream("GET", f"/live?since={moment(page)}") as stream:
        assert await hints(stream.aiter_lines(), "resync") == ["resync"]


async def test_a_stream_without_a_session_is_told_not_to_come_back(nod: InProcess) -> None:
    async with httpx.AsyncClient(base_url=nod.url) as nobody:
        assert (await nobody.get("/live?since=1")).status_code == 204


async def test_streams_end_when_the_server_stops(
    nod: InProcess, ann: httpx.AsyncClient, talk: Conversation
) -> None:
    page = (await ann.get(f"/chats/{talk.id}")).text
    async with ann.stream("GET", f"/live?since={moment(page)}") as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        nod.nod.drain()
        async with asyncio.timeout(PATIENCE_S):
            async for line in lines:
                assert not line.startswith("data: run")


async def test_unread_messages_are_counted_up_to_a_number(tmp_path: Path) -> None:
    async with running(tmp_path / "few", unread_messages=3) as nod:
        ada = await nod.add_agent()
        async with nod.http(ada) as agent, await signed_in(nod) as ann:
            for number, shown in ((1, 1), (2, 2), (3, 3), (4, 3)):
                await say(agent, f"Message {number}")
                assert f'{shown}<span class="sr"> unread' in (await ann.get("/")).text
