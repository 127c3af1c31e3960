"""The use of a task in the browser: it follows what happens, and the person lets it go on."""

from playwright.async_api import expect

from nod.actions.agents import Credentials
from nod.engine import settle
from nod.engine.settle import Usage
from nod.store.store import Tx
from support.inprocess import InProcess
from support.page import Visit


async def test_use_is_live_and_the_request_about_the_budget_is_answered(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "event", name="Review a push", budget={"cost_usd": 0.5})
    page = await ann.page(f"/tasks/{task.id}")
    usage = page.locator("#usage")
    await expect(usage).to_contain_text("Nothing was used in the last 30 days.")
    [run_id] = await nod.fire(task)

    async def complete(tx: Tx) -> None:
        used = Usage(900, 100, 0.5)
        await settle.complete(tx, ada.agent, run_id, "completed", "Sound.", used)

    await nod.nod.store.write(complete)
    await expect(usage).to_contain_text("$0.50 of $0.50")
    await expect(usage).to_contain_text("used up")
    await usage.get_by_role("link", name="Tokens").click()
    await expect(usage).to_contain_text("1,000 tokens in 30 days")
    await usage.get_by_text("As a table").click()
    await expect(usage.get_by_role("row", name="Today")).to_contain_text("1,000")
    await usage.get_by_role("link", name="The request about it").click()
    await page.get_by_role("button", name="Go on today").click()
    await expect(page.get_by_text("Goes on today")).to_be_visible()
