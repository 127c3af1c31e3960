"""The page of deliveries: what is on its way, every attempt in words, one opened, sent again."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from nod.actions import chat
from nod.actions.agents import Credentials
from nod.actions.chat import UserMessageFields
from nod.domain.instant import DAY, SECOND
from nod.domain.model import Delivery
from nod.store.store import Tx
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import InProcess
from support.receiver import Receiver, answer, receiving

SHEET = {"HX-Request": "true", "HX-Target": "sheet"}
OLDER = {"HX-Request": "true", "HX-Target": "older"}


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiving(answer(502, body="<script>no</script>")) as endpoint:
        yield endpoint


@pytest.fixture
async def bob(nod: InProcess, hook: Receiver) -> Credentials:
    """An agent with a webhook, whose first call is answered by 502."""
    return await nod.add_agent("Bob", webhook_url=hook.url)


async def fire(nod: InProcess, who: Credentials, **given: Any) -> str:
    [run_id] = await nod.fire(await nod.add_task(who, **given))
    return run_id


async def failed(nod: InProcess, bob: Credentials) -> Delivery:
    """An attempt that was answered by 502."""
    (attempt,) = await nod.until_noted(await fire(nod, bob, name="Digest"))
    return attempt


def run_of(attempt: Delivery) -> str:
    assert attempt.run_id is not None
    return attempt.run_id


async def get(client: httpx.AsyncClient, path: str, **headers: str) -> str:
    response = await client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    return response.text


def words(page: str) -> str:
    """What one reads of it."""
    return " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.S).split())


def links(page: str) -> list[str]:
    """What the lines of the page lead to."""
    return re.findall(r'<a class="row" href="([^"]*)" data-sheet', page)


async def test_nothing_yet_says_what_will_come(ann: httpx.AsyncClient) -> None:
    assert "Nothing was sent yet" in await get(ann, "/deliveries")
    assert "Everything has arrived" in await get(ann, "/deliveries?outcome=waiting")
    assert "No attempt has failed" in await get(ann, "/deliveries?outcome=failed")


async def test_a_failed_attempt_is_told_in_words_and_waits_for_the_next(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials
) -> None:
    attempt = await failed(nod, bob)
    page = await get(ann, "/deliveries")
    assert links(page) == [f"/deliveries/{attempt.event_id}", f"/deliveries/{attempt.id}"]
    read = words(page)
    assert "On their way Digest" in read
    assert "tried again in a moment Bob · task · 1 attempt, last: HTTP status 502" in read
    assert re.search(r"Digest 09:00 not accepted · HTTP 502 · \d+ ms webhook · Bob", read)


async def test_what_no_channel_takes_waits_for_the_agent(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    async def say(tx: Tx) -> None:
        owner = await tx.people.user(ada.agent.owner_id)
        assert owner is not None
        where = await tx.chat.default_conversation(ada.agent.id)
        fields = UserMessageFields(text="How is the disk?")
        await chat.user_message(tx, owner, where.id, fields, nod.url)

    await nod.nod.store.write(say)
    read = words(await get(ann, "/deliveries"))
    assert "How is the disk? 09:00 waits for the agent Ada · message" in read


async def test_what_was_fetched_and_what_was_given_up_is_told_too(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    fetched, left = await fire(nod, ada, name="One"), await fire(nod, ada, name="Two")
    async with nod.http(ada) as agent:
        await agent.post(f"/tasks/runs/{fetched}/context", json={"run_id": fetched, "text": "x"})
    clock.advance(DAY // SECOND + 60)
    await nod.until_settled(left)
    read = words(await get(ann, "/deliveries"))
    assert "Today Two" in read
    assert "given up polling · Ada" in read
    assert "Yesterday One 09:00 fetched polling · Ada" in read
    read = words(await get(ann, "/deliveries?outcome=failed"))
    assert "Two" in read
    assert "One" not in read


async def test_it_is_narrowed_to_an_agent_and_a_channel_in_its_address(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials, bob: Credentials
) -> None:
    await failed(nod, bob)
    async with nod.peer(ada) as peer:
        run_id = await fire(nod, ada, name="Pushed")
        await peer.ack(await peer.event())
        await nod.until_noted(run_id)
    page = await get(ann, f"/deliveries?agent={ada.agent.id}&channel=&outcome=")
    assert "Digest" not in page
    assert f'value="{ada.agent.id}" selected' in page
    assert f'href="/deliveries?agent={ada.agent.id}&amp;outcome=failed"' in page
    page = await get(ann, "/deliveries?channel=webhook")
    assert "Digest" in page
    assert "Pushed" not in page
    assert "Nothing was sent that way" in await get(ann, "/deliveries?channel=poll")


@pytest.mark.parametrize(
    "query", ["outcome=lunch", "channel=pigeon", "before=x", "until=1", "before=" + "9" * 30]
)
async def test_what_cannot_be_asked_is_said_calmly(ann: httpx.AsyncClient, query: str) -> None:
    response = await ann.get(f"/deliveries?{query}")
    assert response.status_code == 400
    assert "must be" in response.text


async def test_older_attempts_come_page_by_page_and_none_twice(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials
) -> None:
    runs = await nod.fire(await nod.add_task(bob), 90)
    for run_id in runs:
        await nod.until_noted(run_id)
    page = await get(ann, "/deliveries")
    found = [each for each in links(page) if "/dlv_" in each]
    while older := re.search(r'hx-get="([^"]*before=[^"]*)"', page):
        page = await get(ann, older[1].replace("&amp;", "&"), **OLDER)
        assert "<html" not in page
        found += links(page)
    assert len(found) == len(set(found)) >= 90


async def test_a_live_update_goes_down_to_where_the_page_ended(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials, clock: FakeClock
) -> None:
    task = await nod.add_task(bob)
    for run_id in await nod.fire(task, 50):
        await nod.until_noted(run_id)
    page = await get(ann, "/deliveries?channel=webhook")
    address = re.search(r'id="sent"[^>]*hx-get="([^"]*)"', page)
    assert address is not None
    clock.advance(1)
    [run_id] = await nod.fire(task)
    (new,) = await nod.until_noted(run_id)
    again = await get(ann, address[1].replace("&amp;", "&"))
    assert links(again) == [f"/deliveries/{new.id}", *links(page)]
    for run_id in await nod.fire(task, 200):
        await nod.until_noted(run_id)
    flooded = await ann.get(address[1].replace("&amp;", "&"))
    assert flooded.headers["HX-Refresh"] == "true"


async def test_of_much_that_waits_a_little_is_shown_and_the_rest_on_demand(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    await nod.fire(await nod.add_task(ada), 210)
    page = await get(ann, "/deliveries")
    assert len(links(page)) == 5
    assert 'href="/deliveries?outcome=waiting">All that wait' in page
    page = await get(ann, "/deliveries?outcome=waiting")
    assert len(links(page)) == 200
    assert "more wait behind them" in page


# one attempt


async def test_one_shows_the_answer_as_text_and_what_was_sent(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials, hook: Receiver
) -> None:
    attempt = await failed(nod, bob)
    sheet = await get(ann, f"/deliveries/{attempt.id}", **SHEET)
    assert "<html" not in sheet
    assert "&lt;script&gt;no&lt;/script&gt;</pre>" in sheet
    assert "<script>" not in sheet
    read = words(sheet)
    assert "not accepted" in read
    assert "Task for Bob, today, 09:00 · HTTP 502" in read
    assert "Tried again in a moment Given up tomorrow, 09:00" in read
    assert f"X-Nod-Delivery-Id: {attempt.id}" in read
    assert f"X-Nod-Event-Id: {hook.calls[0].event_id}" in read
    assert "X-Nod-Retry-Num: 0" in read
    assert "&#34;task_name&#34;: &#34;Digest&#34;" in sheet
    run_id = hook.calls[0].event["run_id"]
    assert f'href="/runs/{run_id}" data-sheet' in sheet
    assert "Send it again" not in sheet


async def test_one_has_an_address_of_its_own_over_the_page(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials
) -> None:
    attempt = await failed(nod, bob)
    page = await get(ann, f"/deliveries/{attempt.id}")
    assert 'id="delivery-sheet"' in page
    assert "<h1>Deliveries</h1>" in page
    assert f'href="/deliveries/{attempt.id}" data-sheet' in page


async def test_all_attempts_of_an_event_are_listed_and_lead_to_each_other(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials, clock: FakeClock
) -> None:
    first = await failed(nod, bob)
    run_id = run_of(first)
    clock.advance(10)
    await nod.until_settled(run_id)
    _, second = await nod.until_noted(run_id, 2)
    sheet = await get(ann, f"/deliveries/{second.id}", **SHEET)
    tries = re.findall(r'href="(/deliveries/[^"]*)" data-sheet (aria-current)?', sheet)
    assert tries == [(f"/deliveries/{first.id}", ""), (f"/deliveries/{second.id}", "aria-current")]
    read = words(sheet)
    assert "webhook, attempt 2" in read
    assert "Delivered today, 09:00 By webhook. Nothing more is sent." in read
    assert "Send it again" in read


async def test_a_message_leads_to_where_it_stands(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    async def say(tx: Tx) -> tuple[str, str]:
        owner = await tx.people.user(ada.agent.owner_id)
        assert owner is not None
        where = await tx.chat.default_conversation(ada.agent.id)
        fields = UserMessageFields(text="Hello")
        said = await chat.user_message(tx, owner, where.id, fields, nod.url)
        return f"/chats/{where.id}?at={said.id}#{said.id}", said.event_id or ""

    place, event_id = await nod.nod.store.write(say)
    sheet = await get(ann, f"/deliveries/{event_id}", **SHEET)
    assert f'href="{place}"' in sheet
    assert "It goes out when Ada connects, or asks" in words(sheet)


async def test_it_is_sent_again_with_and_without_script(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials, hook: Receiver, clock: FakeClock
) -> None:
    attempt = await failed(nod, bob)
    run_id = run_of(attempt)
    clock.advance(10)
    await nod.until_settled(run_id)
    address = f"/deliveries/{attempt.id}/replay"
    again = await ann.post(address, headers={"HX-Request": "true", "HX-Target": "delivery-sheet"})
    assert again.status_code == 200
    assert "It is on its way again" in again.headers["HX-Trigger"]
    assert 'id="delivery-sheet"' in again.text
    await nod.until_noted(run_id, 3)
    await nod.until_settled(run_id)
    plain = await ann.post(address)
    assert (plain.status_code, plain.headers["Location"]) == (303, f"/deliveries/{attempt.id}")
    await nod.until_noted(run_id, 4)
    assert len(set(hook.ids())) == 1


async def test_what_is_on_its_way_is_not_sent_twice_and_that_is_said(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials, hook: Receiver
) -> None:
    attempt = await failed(nod, bob)
    for headers in (SHEET, {}):
        refused = await ann.post(f"/deliveries/{attempt.id}/replay", headers=headers)
        assert refused.status_code == 409
        assert "It is still on its way and goes out by itself" in refused.text
        assert 'id="delivery-sheet"' in refused.text
    assert len(hook.calls) == 1


async def test_a_change_of_the_event_is_a_change_of_the_sheet(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials
) -> None:
    attempt = await failed(nod, bob)
    sheet = await get(ann, f"/deliveries/{attempt.id}", **SHEET)
    assert f'data-live="{attempt.event_id} {attempt.run_id}"' in sheet


async def test_somebody_elses_deliveries_are_as_if_they_did_not_exist(
    nod: InProcess, bob: Credentials
) -> None:
    attempt = await failed(nod, bob)
    async with await signed_in(nod, "eve@example.org") as eve:
        assert "Digest" not in await get(eve, "/deliveries")
        assert (await eve.get(f"/deliveries?agent={bob.agent.id}")).status_code == 404
        for id_ in (attempt.id, attempt.event_id):
            assert (await eve.get(f"/deliveries/{id_}")).status_code == 404
            assert (await eve.post(f"/deliveries/{id_}/replay")).status_code == 404


async def test_a_run_and_an_agents_settings_lead_to_what_was_sent(
    ann: httpx.AsyncClient, nod: InProcess, bob: Credentials
) -> None:
    attempt = await failed(nod, bob)
    run_id = run_of(attempt)
    sheet = await get(ann, f"/runs/{run_id}", **SHEET)
    assert f'href="/deliveries/{attempt.id}" data-sheet' in sheet
    settings = await get(ann, f"/agents/{bob.agent.id}/settings")
    assert f'href="/deliveries?agent={bob.agent.id}&amp;channel=webhook"' in settings
