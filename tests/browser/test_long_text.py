"""Whatever an agent writes, the page keeps its width and its policy."""

import httpx
import pytest
from playwright.async_api import Page

from nod.actions import decisions
from nod.actions.agents import Credentials
from nod.actions.decisions import DecisionFields
from nod.engine.fire import run_now
from support.inprocess import InProcess
from support.page import DESK, SMALL_PHONE, Visit, overflow, too_wide

LONG = "Donaudampfschifffahrt" * 30
WIDE = "|" + " a column |" * 30 + "\n|" + "---|" * 30 + "\n|" + f" {LONG} |" * 30
HOSTILE = (
    "<script>document.title = 'taken'</script><img src=x onerror=\"document.title='taken'\">"
    "\n\n[a link](javascript:document.title='taken') ![far](https://example.org/a.png)"
)
TEXTS = {
    "a long word": LONG,
    "a long code": f"`{LONG}`",
    "a long line of code": f"```\n{LONG}\n```",
    "a wide table": WIDE,
    "a long link": f"https://example.org/{LONG}",
    "deep lists": "\n".join(f"{'  ' * depth}- {LONG}" for depth in range(12)),
    "deep quotes": "> " * 20 + LONG,
    "right to left": "שלום " * 60,
    "marks and scripts": HOSTILE,
}


async def as_wide_as_its_window(page: Page) -> None:
    for size in (DESK, SMALL_PHONE):
        await page.set_viewport_size(size)
        assert await overflow(page) == 0, await too_wide(page)
    assert await page.title() != "taken"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_a_message_and_a_result_stay_within_the_page(
    ann: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient, text: str
) -> None:
    task = await nod.add_task(ada, name=LONG[:60])
    run = await nod.nod.store.write(lambda tx: run_now(tx, task))
    address = f"/api/agent/tasks/runs/{run.id}"
    (await agent.put(f"{address}/output", json={"text": text})).raise_for_status()
    done = {"status": "completed", "summary": text[:400]}
    (await agent.post(f"{address}/complete", json=done)).raise_for_status()
    said = {"type": "message", "text": text}
    (await agent.post("/api/agent/events", json=said)).raise_for_status()
    page = await ann.page(f"/runs/{run.id}")
    await as_wide_as_its_window(page)
    await page.get_by_role("dialog").get_by_role("link", name="Close").click()
    await as_wide_as_its_window(page)
    await page.goto(f"{ann.url}/")
    await as_wide_as_its_window(page)


async def test_a_request_with_long_words_stays_within_the_page(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    asked = DecisionFields(
        title=LONG[:200], description=WIDE[:9_000], kind="choice", options=[LONG[:150], "Thursday"]
    )
    await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, asked))
    await as_wide_as_its_window(await ann.page("/requests"))
