"""What unfolds on a result sheet: what a call brought, the scratchpad, each delivery, the cost."""

import asyncio

import httpx
import pytest

from nod.actions.agents import Credentials
from nod.domain.model import Run
from nod.engine.fire import run_now
from support.browser import signed_in
from support.clock import FakeClock
from support.inprocess import InProcess
from support.receiver import answer, receiving

pytestmark = pytest.mark.usefixtures("ada")

SHEET = {"HX-Request": "true", "HX-Target": "sheet"}


async def start(nod: InProcess, ada: Credentials) -> Run:
    task = await nod.add_task(ada)
    return await nod.nod.store.write(lambda tx: run_now(tx, task))


async def complete(agent: httpx.AsyncClient, run: Run, text: str, **usage: float) -> None:
    path = f"/tasks/runs/{run.id}"
    (await agent.put(f"{path}/output", json={"text": text})).raise_for_status()
    done = {"status": "completed", "summary": "Done.", "usage": usage}
    (await agent.post(f"{path}/complete", json=done)).raise_for_status()


async def sheet(ann: httpx.AsyncClient, run_id: str) -> str:
    return (await ann.get(f"/runs/{run_id}", headers=SHEET)).text


async def test_what_a_call_brought_is_laid_out_and_can_be_had_whole(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, schedule="event")
    body = {"ref": "refs/heads/<main>", "log": "x" * 12_000}
    called = await httpx_post(f"{nod.url}/api/webhooks/{task.trigger_id}", body)
    shown = await sheet(ann, called["run_id"])
    assert "&#34;ref&#34;: &#34;refs/heads/&lt;main&gt;&#34;" in shown
    assert "more characters" in shown
    whole = await ann.get(f"/runs/{called['run_id']}/payload")
    assert whole.headers["content-disposition"].startswith("attachment")
    assert whole.json() == body
    async with await signed_in(nod, "eve@example.org") as eve:
        assert (await eve.get(f"/runs/{called['run_id']}/payload")).status_code == 404


async def httpx_post(url: str, body: object) -> dict[str, str]:
    async with httpx.AsyncClient() as client:
        found: dict[str, str] = (await client.post(url, json=body)).json()
    return found


async def test_a_run_without_a_call_has_no_payload(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    run = await start(nod, ada)
    assert "What the call brought" not in await sheet(ann, run.id)
    assert (await ann.get(f"/runs/{run.id}/payload")).status_code == 404


async def test_the_scratchpad_shows_while_it_lives_and_pages_hear_of_it(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, agent: httpx.AsyncClient
) -> None:
    run = await start(nod, ada)
    path = f"/tasks/runs/{run.id}/context"
    await agent.post(path, json={"run_id": run.id, "text": "Looked at 3 logs"})
    with nod.nod.live.subscribe(ada.agent.owner_id, [ada.agent.id], nod.nod.clock.now()) as page:
        page.take()
        await agent.post(path, json={"run_id": run.id, "text": "One <b>left</b>"})
        await page.wait()
        assert run.id in page.take()
    shown = await sheet(ann, run.id)
    assert shown.index("Looked at 3 logs") < shown.index("One &lt;b&gt;left&lt;/b&gt;")
    for each in range(60):
        await agent.post(path, json={"run_id": run.id, "text": f"Note {each}."})
    shown = await sheet(ann, run.id)
    assert ("The newest 50." in shown, "Looked at 3 logs" in shown) == (True, False)
    await complete(agent, run, "All well.")
    assert "Scratchpad" not in await sheet(ann, run.id)


async def test_each_delivery_says_its_channel_its_answer_and_how_long_it_took(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient
) -> None:
    async with receiving(last=answer(503)) as endpoint:
        await ann.post(
            f"/agents/{ada.agent.id}/settings/webhook", data={"webhook_url": endpoint.url}
        )
        (run_id,) = await nod.fire(await nod.add_task(ada))
        await nod.until_noted(run_id)
        shown = await sheet(ann, run_id)
    assert "HTTP 503" in shown
    assert "ms" in shown
    assert "webhook</span>" in shown


async def test_usage_and_cost_are_shown(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, agent: httpx.AsyncClient
) -> None:
    run = await start(nod, ada)
    await complete(agent, run, "All well.", input_tokens=18_400, output_tokens=310, cost_usd=0.0042)
    shown = await sheet(ann, run.id)
    assert "18,400 in, 310 out" in shown
    assert "$0.0042" in shown


async def test_of_very_many_changes_the_first_are_drawn_and_the_rest_counted(
    nod: InProcess,
    ada: Credentials,
    ann: httpx.AsyncClient,
    agent: httpx.AsyncClient,
    clock: FakeClock,
) -> None:
    task = await nod.add_task(ada)
    for text in ("# Old\n", "".join(f"# {each}\n\nx\n\n" for each in range(9_000))):
        run = await nod.nod.store.write(lambda tx: run_now(tx, task))
        await complete(agent, run, text)
        clock.advance(60)
    shown = await sheet(ann, run.id)
    assert "and 8,961 more" in shown
    assert shown.count("· added</h3>") == 40
    lines = "# One\n\n" + "".join(f"- line {each}\n" for each in range(500))
    run = await nod.nod.store.write(lambda tx: run_now(tx, task))
    await complete(agent, run, lines)
    assert "and 421 more lines" in await sheet(ann, run.id)


async def test_a_text_that_is_slow_to_draw_holds_up_nobody(
    nod: InProcess, ada: Credentials, ann: httpx.AsyncClient, agent: httpx.AsyncClient
) -> None:
    run = await start(nod, ada)
    await complete(agent, run, "![" * 20_000)
    drawing = asyncio.create_task(sheet(ann, run.id))
    answered = 0
    while not drawing.done():
        await ann.get("/healthz")
        answered += 1
    assert answered > 10  # few come in before the drawing begins; the others came during it
    assert "![" in await drawing
