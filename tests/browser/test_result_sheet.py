"""The result sheet over the chat: it has an address, Back closes it, and it grows by itself."""

import httpx
import pytest_asyncio
from playwright.async_api import Page, expect

from nod.actions.agents import Credentials
from nod.domain.model import Run
from nod.engine.fire import run_now
from support.inprocess import InProcess
from support.page import DESK, Visit


@pytest_asyncio.fixture(loop_scope="session")
async def run(nod: InProcess, ada: Credentials) -> Run:
    task = await nod.add_task(ada, name="Daily standup")
    return await nod.nod.store.write(lambda tx: run_now(tx, task))


async def complete(agent: httpx.AsyncClient, run: Run, text: str) -> None:
    """The agent's result."""
    address = f"/api/agent/tasks/runs/{run.id}"
    (await agent.put(f"{address}/output", json={"text": text})).raise_for_status()
    done = {"status": "completed", "summary": "All well."}
    (await agent.post(f"{address}/complete", json=done)).raise_for_status()


async def chat_of(nod: InProcess, ada: Credentials, ann: Visit) -> Page:
    where = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    return await ann.page(f"/chats/{where.id}")


async def test_it_opens_over_the_chat_back_closes_it_and_a_reload_keeps_it(
    ann: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient, run: Run
) -> None:
    await complete(agent, run, "# Three things\n\nThe **first** one.")
    page = await chat_of(nod, ada, ann)
    chat = page.url
    sheet = page.get_by_role("dialog", name="Three things")
    await page.get_by_role("link", name="Open the result of Daily standup").click()
    await expect(sheet.locator("strong")).to_have_text("first")
    await expect(page).to_have_url(f"{ann.url}/runs/{run.id}")
    await page.reload()
    await expect(sheet).to_be_visible()
    await page.go_back()
    await expect(sheet).to_have_count(0)
    await expect(page).to_have_url(chat)
    await page.go_forward()
    await expect(sheet).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)
    await expect(page).to_have_url(chat)


async def test_opened_by_its_address_it_closes_onto_the_chat(
    ann: Visit, agent: httpx.AsyncClient, run: Run
) -> None:
    await complete(agent, run, "# Three things")
    page = await ann.page(f"/runs/{run.id}")
    await page.get_by_role("dialog").get_by_role("link", name="Close").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.reload()
    await expect(page.get_by_label("Message Ada")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_result_that_comes_while_it_is_open_shows_there_and_in_the_chat(
    ann: Visit, agent: httpx.AsyncClient, run: Run
) -> None:
    page = await ann.page(f"/runs/{run.id}")
    await page.set_viewport_size(DESK)
    await expect(page.get_by_role("dialog")).to_contain_text("The result comes here")
    await complete(agent, run, "# Three things\n\nThe first one.")
    await expect(page.get_by_role("dialog")).to_contain_text("The first one.")
    await expect(page.locator("#log .task-bubble h3")).to_have_text("All well.")
    shown = await page.get_by_role("dialog").inner_text()
    await page.reload()
    assert await page.get_by_role("dialog").inner_text() == shown


async def test_run_again_makes_another_run_and_shows_it(
    ann: Visit, agent: httpx.AsyncClient, run: Run
) -> None:
    await complete(agent, run, "# Three things")
    page = await ann.page(f"/runs/{run.id}")
    await page.get_by_role("button", name="Run again").click()
    await expect(page.get_by_role("dialog")).to_contain_text("The result comes here")
    assert not page.url.endswith(run.id)


async def test_its_download_is_the_text_that_the_agent_wrote(
    ann: Visit, agent: httpx.AsyncClient, run: Run
) -> None:
    await complete(agent, run, "# Three things")
    page = await ann.page(f"/runs/{run.id}")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Download").click()
    path = await (await started.value).path()
    assert path.read_text(encoding="utf-8") == "# Three things"
