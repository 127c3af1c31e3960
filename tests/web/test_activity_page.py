"""The page of activity: what happened, in words, by day, narrowed down, page by page."""

import re
from typing import Literal

import httpx
import pytest

from nod.actions import chat, decisions
from nod.actions.agents import Credentials
from nod.actions.chat import AlertFields
from nod.actions.decisions import DecisionFields
from nod.domain.instant import DAY, SECOND
from nod.engine.settle import complete
from nod.store.store import Tx
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import InProcess, until

OLDER = {"HX-Request": "true", "HX-Target": "older"}


async def alert(nod: InProcess, who: Credentials, title: str, text: str = "") -> None:
    fields = AlertFields(title=title, text=text)
    await nod.nod.store.write(lambda tx: chat.alert(tx, who.agent, fields))


async def run_once(
    nod: InProcess, who: Credentials, name: str, outcome: Literal["completed", "failed"], text: str
) -> str:
    task = await nod.add_task(who, name=name)
    [run_id] = await nod.fire(task)
    await nod.nod.store.write(lambda tx: complete(tx, who.agent, run_id, outcome, text))
    return run_id


async def get(client: httpx.AsyncClient, path: str) -> str:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.text


def titles(page: str) -> list[str]:
    return re.findall(r'<span class="between"><b>(.*?)</b>', page)


async def test_nothing_yet_says_what_will_come(ann: httpx.AsyncClient) -> None:
    assert "Nothing has happened yet" in await get(ann, "/activity")


async def test_an_entry_says_what_happened_and_leads_there(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    run_id = await run_once(nod, ada, "Digest", "completed", "All **well**")
    page = await get(ann, "/activity")
    assert f'href="/runs/{run_id}" data-sheet' in page
    assert "All well" in page
    assert titles(page) == ["Digest", "Digest"]  # its end, and that it was made


async def test_an_expired_request_is_not_a_denied_one(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    async def ask(tx: Tx) -> str:
        fields = DecisionFields(title="May I?", expires_in_s=60)
        return (await decisions.open_decision(tx, ada.agent, fields)).id

    decision_id = await nod.nod.store.write(ask)
    clock.advance(61)

    async def expired() -> str:
        found = await get(ann, "/activity?kind=requests")
        return found if ">expired</span>" in found else ""

    page = await until(expired)
    assert f'href="/requests/{decision_id}"' in page
    assert "no denial" in page
    assert "Rejected" not in page


async def test_it_is_narrowed_to_an_agent_a_task_and_a_kind(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    bob = await nod.add_agent("Bob")
    await alert(nod, ada, "Disk full")
    await alert(nod, bob, "Rain")
    run_id = await run_once(nod, bob, "Walk", "failed", "It rained")
    run = await nod.run(run_id)
    await run_once(nod, bob, "Read", "completed", "A book")
    assert titles(await get(ann, f"/activity?agent={ada.agent.id}")) == ["Disk full"]
    assert titles(await get(ann, f"/activity?task={run.task_id}")) == ["Walk", "Walk"]
    assert titles(await get(ann, "/activity?kind=problems")) == ["Walk"]
    assert titles(await get(ann, f"/activity?agent={bob.agent.id}&kind=signals")) == ["Rain"]
    assert titles(await get(ann, f"/activity?agent={ada.agent.id}&task={run.task_id}")) == []
    page = await get(ann, f"/activity?agent={bob.agent.id}&task=&kind=results")
    assert titles(page) == ["Read"]
    assert f'value="{bob.agent.id}" selected' in page
    assert f'href="/activity?agent={bob.agent.id}&amp;kind=problems"' in page


async def test_days_have_headings_in_the_persons_zone(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    await alert(nod, ada, "one")
    clock.advance(DAY // SECOND)
    await alert(nod, ada, "two")
    await alert(nod, ada, "three")
    page = await get(ann, "/activity")
    assert re.findall(r'activity-day">(.*?)<', page) == ["Today", "Yesterday"]


async def test_older_entries_come_page_by_page_and_none_twice(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    for count in range(90):
        await alert(nod, ada, f"alert {count}")
    page = await get(ann, "/activity")
    found = titles(page)
    while older := re.search(r'hx-get="([^"]*before=[^"]*)"', page):
        response = await ann.get(older[1].replace("&amp;", "&"), headers=OLDER)
        page = response.text
        assert "<html" not in page
        found += titles(page)
    assert found == [f"alert {count}" for count in reversed(range(90))]


async def test_what_a_live_update_shows_goes_down_to_where_the_page_ended(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    for count in range(50):
        await alert(nod, ada, f"alert {count}")
    page = await get(ann, "/activity")
    address = re.search(r'id="happened"[^>]*hx-get="([^"]*)"', page)
    assert address is not None
    await alert(nod, ada, "new")
    again = await get(ann, address[1].replace("&amp;", "&"))
    assert titles(again) == ["new", *titles(page)]
    assert re.search(r'hx-get="([^"]*before=[^"]*)"', again) is not None
    for count in range(200):
        await alert(nod, ada, f"flood {count}")
    flooded = await ann.get(address[1].replace("&amp;", "&"))
    assert flooded.headers["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    "query",
    ["kind=lunch", "before=x", "before=1.9", "before=1.3.x", "until=1", "before=" + "9" * 30],
)
async def test_what_cannot_be_asked_is_said_calmly(ann: httpx.AsyncClient, query: str) -> None:
    response = await ann.get(f"/activity?{query}")
    assert response.status_code == 400
    assert "must be" in response.text


async def test_somebody_elses_agent_and_task_are_as_if_they_did_not_exist(
    nod: InProcess, ada: Credentials
) -> None:
    run_id = await run_once(nod, ada, "Digest", "completed", "Secret")
    task_id = (await nod.run(run_id)).task_id
    async with await signed_in(nod, "eve@example.org") as eve:
        assert "Secret" not in await get(eve, "/activity")
        assert (await eve.get(f"/activity?agent={ada.agent.id}")).status_code == 404
        assert (await eve.get(f"/activity?task={task_id}")).status_code == 404


async def test_words_of_agents_are_text(
    ann: httpx.AsyncClient, nod: InProcess, ada: Credentials
) -> None:
    await alert(nod, ada, "<b>bold</b>", "<script>1</script>")
    page = await get(ann, "/activity")
    assert "&lt;script&gt;" in page
    assert "<b>bold" not in page
