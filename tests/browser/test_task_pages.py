"""A task in plain words, in a real browser: understood as one types, made, run, paused."""

import httpx
import pytest
from playwright.async_api import expect

from nod.actions.agents import Credentials
from support.inprocess import InProcess, until
from support.page import Visit

pytestmark = pytest.mark.usefixtures("ada")


async def test_the_plan_is_said_back_while_one_types_and_becomes_a_task(ann: Visit) -> None:
    page = await ann.page("/tasks/new")
    await page.get_by_label("Name").fill("Morning briefing")
    await page.get_by_label("What the agent is told").fill("Say what is new.")
    await page.get_by_label("When", exact=True).press_sequentially("every weekday at 9")
    understood = page.locator("#understood")
    await expect(understood).to_contain_text("09:00")
    await expect(understood.locator("li")).to_have_count(5)
    await page.get_by_label("When", exact=True).fill("every blue moon")
    await expect(understood.locator("li")).to_have_count(0)
    await page.get_by_label("When", exact=True).fill("every weekday at 9")
    await expect(understood.locator("li")).to_have_count(5)
    await page.get_by_role("button", name="Make the task").click()
    await expect(page.get_by_role("heading", name="Morning briefing")).to_be_visible()
    await page.goto(f"{ann.url}/tasks")
    await expect(page.get_by_role("link", name="Morning briefing", exact=True)).to_be_visible()


async def test_run_now_brings_the_result_to_the_task_and_its_chat_by_themselves(
    ann: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, name="Daily standup")
    page = await ann.page(f"/tasks/{task.id}")
    where = await nod.nod.store.read(lambda tx: tx.chat.default_conversation(ada.agent.id))
    chat = await ann.page(f"/chats/{where.id}")
    await page.get_by_role("button", name="Run now").click()
    runs = await until(lambda: nod.nod.store.read(lambda tx: tx.runs.of_task(task.id, 10)))
    done = {"status": "completed", "summary": "All well."}
    address = f"/api/agent/tasks/runs/{runs[0].id}/complete"
    (await agent.post(address, json=done)).raise_for_status()
    await expect(chat.locator(".task-bubble")).to_contain_text("All well.")
    await page.goto(f"{ann.url}/tasks/{task.id}")
    await expect(page.locator("#task")).to_contain_text("done")


async def test_the_switch_in_the_list_rests_a_task_and_wakes_it(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    await nod.add_task(ada, name="Daily standup")
    page = await ann.page("/tasks")
    switch = page.get_by_role("switch", name="Daily standup")
    await expect(switch).to_have_attribute("aria-checked", "true")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "false")
    await page.reload()
    await expect(switch).to_have_attribute("aria-checked", "false")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "true")


async def test_a_task_that_is_called_shows_its_address_and_keeps_it_when_something_changes(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, "event", name="Review a push")
    page = await ann.page(f"/tasks/{task.id}")
    await expect(page.locator("#trigger-url")).to_contain_text("/api/webhooks/")
    await page.get_by_role("button", name="Send a test event").click()
    await expect(page.locator("#trigger").get_by_role("status")).to_be_visible()
    await nod.fire(task)
    await expect(page.locator("#trigger-url")).to_be_visible()
    await expect(page.get_by_role("button", name="Run now")).to_be_visible()
