"""The agenda in a real browser: by keyboard, from the picture to a result, and live."""

from dataclasses import replace

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from nod.actions.agents import Credentials
from nod.domain.instant import DAY, MINUTE
from nod.domain.model import Run, Task, new_id
from nod.domain.runs import make_run
from nod.engine.fire import run_now
from support.inprocess import InProcess
from support.page import DESK, Visit

pytestmark = pytest.mark.usefixtures("ada")


@pytest_asyncio.fixture(loop_scope="session")
async def task(nod: InProcess, ada: Credentials) -> Task:
    return await nod.add_task(ada, "0 0 1 1 *", name="Digest")


async def ran(nod: InProcess, task: Task) -> Run:
    """A run of a minute ago that has completed."""
    now = nod.nod.clock.now()
    at = max(now - MINUTE, now // DAY * DAY)
    run = replace(make_run(task, at, at, "manual"), id=new_id("run", at), started_at=at)
    over = replace(run, status="completed", finished_at=at, summary="All is well.")
    await nod.nod.store.write(lambda tx: tx.runs.insert([over]))
    return over


def mark_of(page: Page, run_id: str) -> Locator:
    """The run in the picture of its day."""
    return page.locator(f'.agenda-track a[href="/runs/{run_id}"]')


@pytest.mark.usefixtures("task")
async def test_the_views_are_switched_and_days_passed_by_keyboard(ann: Visit) -> None:
    page = await ann.page("/agenda")
    views = page.get_by_role("navigation", name="View")
    await expect(views.get_by_role("link", name="Day")).to_have_attribute("aria-current", "page")
    for view in ("Week", "Month", "Day"):
        await views.get_by_role("link", name=view).focus()
        await page.keyboard.press("Enter")
        await expect(views.get_by_role("link", name=view)).to_have_attribute("aria-current", "page")
    await page.get_by_role("link", name="The day after").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="Today")).to_be_visible()
    await page.get_by_role("link", name="Today").press("Enter")
    await expect(page.get_by_role("link", name="Today")).to_have_count(0)


async def test_a_runs_sheet_opens_from_the_picture_and_back_closes_it(
    ann: Visit, nod: InProcess, task: Task
) -> None:
    run = await ran(nod, task)
    page = await ann.page("/agenda")
    address = page.url
    await mark_of(page, run.id).click()
    sheet = page.get_by_role("dialog")
    await expect(sheet).to_contain_text("All is well.")
    assert page.url.endswith(f"/runs/{run.id}")
    await page.go_back()
    await expect(sheet).to_have_count(0)
    assert page.url == address


async def test_a_runs_sheet_opens_from_the_list_by_keyboard_and_escape_closes_it(
    ann: Visit, nod: InProcess, task: Task
) -> None:
    run = await ran(nod, task)
    page = await ann.page("/agenda")
    line = page.locator(f'.agenda-list a[href="/runs/{run.id}"]')
    await line.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("All is well.")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(line).to_be_focused()


async def test_a_run_appears_and_changes_its_mark_by_itself(
    ann: Visit, nod: InProcess, task: Task, agent: httpx.AsyncClient
) -> None:
    page = await ann.page("/agenda")
    await expect(page.locator(".agenda-lists")).to_have_count(0)
    run = await nod.nod.store.write(lambda tx: run_now(tx, task))
    mark = mark_of(page, run.id)
    await expect(mark.locator("use")).to_have_attribute("href", "#mark-pending")
    address = f"/api/agent/tasks/runs/{run.id}"
    started = await agent.put(f"{address}/output", json={"text": "# All well"})
    started.raise_for_status()
    await expect(mark.locator("use")).to_have_attribute("href", "#mark-running")
    done = await agent.post(f"{address}/complete", json={"status": "completed"})
    done.raise_for_status()
    await expect(mark.locator("use")).to_have_attribute("href", "#mark-done")
    await expect(page.get_by_role("region", name="Earlier today")).to_contain_text("Digest")


async def test_a_day_of_the_month_leads_to_the_day_and_its_grid_to_the_run(
    ann: Visit, nod: InProcess, task: Task
) -> None:
    run = await ran(nod, task)
    page = await ann.page("/agenda?view=month")
    await page.locator('.agenda-month a[aria-current="date"]').click()
    await expect(mark_of(page, run.id)).to_be_visible()
    await page.set_viewport_size(DESK)
    await page.goto(f"{ann.url}/agenda?view=week")
    await page.locator(f'.agenda-column a[href="/runs/{run.id}"]').click()
    await expect(page.get_by_role("dialog")).to_contain_text("All is well.")


@pytest.mark.usefixtures("task")
async def test_the_calendar_gets_a_new_address_in_place(ann: Visit) -> None:
    page = await ann.page("/agenda")
    await page.get_by_text("Subscribe in your calendar").click()
    before = await page.locator("#feed-url").inner_text()
    await page.get_by_role("button", name="Give it a new address").click()
    await expect(page.locator("#subscribe").get_by_role("status")).to_be_visible()
    after = await page.locator("#feed-url").inner_text()
    assert after != before
    assert page.url.endswith("/agenda")
