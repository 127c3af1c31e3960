"""The line is cut under an open page: it says so, and afterwards nothing is lost or doubled."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from nod.actions.agents import Credentials
from support.inprocess import InProcess
from support.page import Visit, sign_in, visiting
from support.proxy import Proxy, proxying

PATIENCE_MS = 20_000


@pytest_asyncio.fixture(loop_scope="session")
async def line(nod: InProcess) -> AsyncIterator[Proxy]:
    async with proxying(nod.port) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def far(browser: Browser, nod: InProcess, line: Proxy) -> AsyncIterator[Visit]:
    """A browser that reaches Nod by the line."""
    async with visiting(browser, f"http://127.0.0.1:{line.port}") as visit:
        visit.watch.allow("net::ERR_")
        visit.watch.allow("htmx:")
        await sign_in(visit, nod)
        yield visit


async def chat_of(nod: InProcess, ada: Credentials, far: Visit) -> Page:
    where = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    return await far.page(f"/chats/{where.id}")


async def tell(agent: httpx.AsyncClient, text: str) -> None:
    sent = await agent.post("/api/agent/events", json={"type": "message", "text": text})
    sent.raise_for_status()


async def test_what_came_meanwhile_is_there_once_and_in_order_after_the_line_is_back(
    far: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient, line: Proxy
) -> None:
    page = await chat_of(nod, ada, far)
    await tell(agent, "Before.")
    await expect(page.locator("#log .said")).to_have_count(1)
    line.cut()
    await expect(page.locator("#offline")).to_be_visible(timeout=PATIENCE_MS)
    for number in range(3):
        await tell(agent, f"While away, {number}.")
    line.mend()
    await expect(page.locator("#offline")).to_be_hidden(timeout=PATIENCE_MS)
    await expect(page.locator("#log .said .md")).to_have_text(
        ["Before.", "While away, 0.", "While away, 1.", "While away, 2."]
    )
    shown = await page.locator("#newest").inner_text()
    await page.reload()
    assert await page.locator("#newest").inner_text() == shown
    await tell(agent, "After.")
    await expect(page.locator("#log .said")).to_have_count(5)


async def test_words_that_could_not_be_sent_stay_to_be_sent_again(
    far: Visit, nod: InProcess, ada: Credentials, line: Proxy
) -> None:
    page = await chat_of(nod, ada, far)
    line.cut()
    await page.get_by_label("Message Ada").fill("Are you there?")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".toast")).to_contain_text("cannot be reached")
    await expect(page.get_by_label("Message Ada")).to_have_value("Are you there?")
    line.mend()
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".said.mine")).to_have_count(1)
    await expect(page.get_by_label("Message Ada")).to_have_value("")


async def test_a_server_that_starts_again_is_found_again(
    far: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient, line: Proxy
) -> None:
    page = await chat_of(nod, ada, far)
    for number in range(2):
        line.cut()
        await tell(agent, f"Number {number}.")
        line.mend()
        await expect(page.locator("#log .said")).to_have_count(number + 1, timeout=PATIENCE_MS)


async def test_a_line_that_has_gone_silent_without_closing_is_found_out_and_made_anew(
    far: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient, line: Proxy
) -> None:
    where = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    page = await far.page()
    await page.clock.install()
    await page.goto(f"{far.url}/chats/{where.id}")
    await tell(agent, "Before.")
    await expect(page.locator("#log .said")).to_have_count(1)
    line.freeze()
    await tell(agent, "While it was dead.")
    await page.clock.fast_forward(50_000)
    await page.clock.fast_forward(5_000)
    await expect(page.locator("#offline")).to_be_visible()
    line.open.set()
    await page.clock.fast_forward(50_000)
    await expect(page.locator("#log .said .md")).to_have_text(["Before.", "While it was dead."])
    await expect(page.locator("#offline")).to_be_hidden()
