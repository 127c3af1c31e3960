"""Deliveries in a real browser: what failed is opened, read, sent again; it follows by itself."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from nod.actions.agents import Credentials
from nod.engine.ending import cancel
from support.inprocess import InProcess
from support.page import DESK, Visit
from support.receiver import Receiver, answer, receiving


@pytest_asyncio.fixture(loop_scope="session")
async def hook() -> AsyncIterator[Receiver]:
    """An endpoint that says no once, for good, and then takes everything."""
    async with receiving(answer(410, body="moved away")) as endpoint:
        yield endpoint


@pytest_asyncio.fixture(loop_scope="session")
async def bob(nod: InProcess, hook: Receiver) -> Credentials:
    return await nod.add_agent("Bob", webhook_url=hook.url)


async def bury(nod: InProcess, who: Credentials) -> str:
    """A run that was sent once, answered by 410, and then was not wanted any more; its id."""
    [run_id] = await nod.fire(await nod.add_task(who, name="Daily standup"))
    await nod.until_noted(run_id)
    run = await nod.run(run_id)
    await nod.nod.store.write(lambda tx: cancel(tx, run, "not wanted"))
    return run_id


def sheet(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Daily standup")


async def test_a_failed_webhook_is_read_and_sent_again_to_a_real_endpoint(
    ann: Visit, nod: InProcess, bob: Credentials, hook: Receiver
) -> None:
    await bury(nod, bob)
    page = await ann.page("/deliveries?outcome=failed")
    failed = page.locator("#sent a.row").filter(has_text="not accepted")
    await failed.focus()
    await page.keyboard.press("Enter")
    await expect(sheet(page)).to_contain_text("moved away")
    await expect(sheet(page)).to_contain_text("HTTP 410")
    await nod.nod.store.write(
        lambda tx: tx.people.set_webhook_health(bob.agent.id, None, None, None)
    )
    again = sheet(page).get_by_role("button", name="Send it again")
    await again.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("It is on its way again.")).to_be_visible()
    await expect(sheet(page)).to_contain_text("Delivered today")
    assert len(hook.calls) == 2
    assert len(set(hook.ids())) == 1
    shown = await sheet(page).inner_text()
    await page.reload()
    assert await sheet(page).inner_text() == shown


async def test_back_closes_it_and_leads_to_the_narrowed_page_also_after_a_reload(
    ann: Visit, nod: InProcess, bob: Credentials
) -> None:
    await bury(nod, bob)
    page = await ann.page("/deliveries?outcome=failed")
    await page.locator("#sent a.row").filter(has_text="not accepted").click()
    await expect(sheet(page)).to_be_visible()
    await page.reload()
    await expect(sheet(page)).to_be_visible()
    await page.go_back()
    await expect(sheet(page)).to_have_count(0)
    await expect(page).to_have_url(f"{ann.url}/deliveries?outcome=failed")
    await expect(page.get_by_role("link", name="Failed")).to_have_attribute("aria-current", "true")


async def test_from_a_runs_own_address_to_an_attempt_and_closed_onto_the_chat(
    ann: Visit, nod: InProcess, bob: Credentials
) -> None:
    run_id = await bury(nod, bob)
    page = await ann.page(f"/runs/{run_id}")
    await page.get_by_text("Deliveries", exact=False).first.click()
    await page.locator(".run-attempt").first.click()
    await expect(page.locator("#delivery-sheet")).to_contain_text("moved away")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_label("Message Bob")).to_be_visible()
    assert "/chats/" in page.url


async def test_what_waits_shows_and_goes_by_itself(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    page = await ann.page("/deliveries")
    await page.set_viewport_size(DESK)
    await expect(page.get_by_text("Nothing was sent yet")).to_be_visible()
    [run_id] = await nod.fire(await nod.add_task(ada, name="Weather"))
    async with nod.http(ada) as agent:
        await expect(page.locator("#sent")).to_contain_text("waits for the agent")
        await agent.post(f"/tasks/runs/{run_id}/context", json={"run_id": run_id, "text": "x"})
    await expect(page.locator("#sent")).to_contain_text("fetched")
    await expect(page.locator("#sent")).not_to_contain_text("On their way")
    shown = await page.locator("#sent").inner_text()
    await page.reload()
    assert await page.locator("#sent").inner_text() == shown
