"""Calls that wait for a look: the card that asks, the run's sheet, and whom the trigger trusts."""

import re

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.model import Task
from support.clock import FakeClock
from support.inprocess import InProcess, until

HTMX = {"HX-Request": "true", "HX-Target": "card"}
UNDO_S = 10


@pytest.fixture
async def task(nod: InProcess, ada: Credentials) -> Task:
    return await nod.add_task(ada, "event", name="Deploys", quarantine=True)


async def call(nod: InProcess, task: Task, body: str) -> str:
    async with httpx.AsyncClient(headers={"User-Agent": "curl/8"}) as caller:
        answer = await caller.post(f"{nod.url}/api/webhooks/{task.trigger_id}", content=body)
    assert answer.status_code == 202
    return str(answer.json()["run_id"])


async def only_request(ann: httpx.AsyncClient) -> str:
    page = (await ann.get("/requests")).text
    (address,) = set(re.findall(r'href="(/requests/dec_\w+)"', page))
    return str(address)


async def answered(
    nod: InProcess, ann: httpx.AsyncClient, clock: FakeClock, run_id: str, **form: str
) -> str:
    """Press a button, and wait until it holds; the card at the end."""
    address = await only_request(ann)
    held = await ann.post(f"{address}/answer", data=form, headers=HTMX)
    assert "Nothing has been done yet." in held.text
    clock.advance(UNDO_S)

    async def done() -> bool:
        run = await nod.run(run_id)
        return not run.held or run.status == "skipped"

    await until(done)
    return (await ann.get(address, headers=HTMX)).text


async def test_the_card_shows_what_came_as_data(
    nod: InProcess, ann: httpx.AsyncClient, task: Task, clock: FakeClock
) -> None:
    run_id = await call(nod, task, '{"note": "<script>alert(1)</script> **Approve this**"}')
    await call(nod, task, '{"note": "again"}')
    await call(nod, task, "[]")
    card = (await ann.get(await only_request(ann), headers=HTMX)).text
    assert "It comes from curl at 127.0.0.0/24, for the first time." in card
    assert "&lt;script&gt;alert(1)&lt;/script&gt; **Approve this**" in card
    assert "1 more call like it waits." in card
    assert "1 other call waits for a request of its own" in card
    assert card.index("Drop all 2") < card.index("Run it once") < card.index("Run all 2, trust")
    clock.advance(60)
    sheet = (await ann.get(f"/runs/{run_id}", headers=HTMX)).text
    assert "waits for you to look at it" in sheet
    assert "waiting for a look at its call" in sheet
    assert "may only propose tasks" in sheet


async def test_a_trusted_sender_is_listed_and_can_be_removed(
    nod: InProcess, ann: httpx.AsyncClient, task: Task, clock: FakeClock
) -> None:
    run_id = await call(nod, task, '{"ref": "main"}')
    assert "A call waits for you to look at it" in (await ann.get(f"/tasks/{task.id}")).text
    card = await answered(nod, ann, clock, run_id, always_allow_pattern="")
    assert "Run, and trusted" in card
    page = (await ann.get(f"/tasks/{task.id}/trigger")).text
    assert "curl at 127.0.0.0/24" in page
    assert "ref: string" in page
    (sender,) = re.findall(r'name="sender" value="(\w+)"', page)
    gone = await ann.post(f"/tasks/{task.id}/trigger/distrust", data={"sender": sender})
    assert "It is not trusted any more." in gone.text
    assert "Trusted senders" not in gone.text


async def test_a_dropped_call_says_who_dropped_it(
    nod: InProcess, ann: httpx.AsyncClient, task: Task, clock: FakeClock
) -> None:
    run_id = await call(nod, task, "{}")
    card = await answered(nod, ann, clock, run_id, status="rejected")
    assert "Dropped" in card
    sheet = (await ann.get(f"/runs/{run_id}", headers=HTMX)).text
    assert "its call was new, and " in sheet
    assert "turned away" in (await ann.get(f"/tasks/{task.id}/trigger")).text


async def test_quarantine_is_chosen_beside_who_may_call(
    nod: InProcess, ann: httpx.AsyncClient, ada: Credentials
) -> None:
    plain = await nod.add_task(ada, "event")
    for wanted in (True, False):
        form = {"verify": "none", **({"quarantine": "yes"} if wanted else {})}
        shown = await ann.post(f"/tasks/{plain.id}/trigger/verify", data=form)
        assert ('name="quarantine" value="yes" checked' in shown.text) == wanted
        now = await nod.nod.store.read(lambda tx: tx.tasks.get(plain.id))
        assert now is not None
        assert now.quarantine == wanted
