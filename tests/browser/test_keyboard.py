"""The main job with the keyboard alone: find the agent, talk, open a result, answer a request."""

import httpx
import pytest
from playwright.async_api import Page, expect

from nod.actions import decisions
from nod.actions.agents import Credentials
from nod.actions.decisions import DecisionFields
from nod.engine.fire import run_now
from support.inprocess import InProcess
from support.page import DESK, Visit

MOST_STOPS = 60


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has the focus says `name`; each stop on the way can be seen."""
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        said: str = await page.evaluate(
            "(document.activeElement.ariaLabel ?? '') + ' ' + document.activeElement.textContent"
            " + ' ' + (document.activeElement.labels?.[0]?.textContent ?? '')"
        )
        if name in said:
            assert await page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    pytest.fail(f"no Tab leads to {name}")


async def test_from_home_to_an_answered_request_without_a_mouse(
    ann: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient
) -> None:
    task = await nod.add_task(ada, name="Daily standup")
    run = await nod.nod.store.write(lambda tx: run_now(tx, task))
    done = {"status": "completed", "summary": "All well."}
    (await agent.post(f"/api/agent/tasks/runs/{run.id}/complete", json=done)).raise_for_status()
    await nod.nod.store.write(
        lambda tx: decisions.open_decision(tx, ada.agent, DecisionFields(title="Merge it?"))
    )
    page = await ann.page("/")
    await page.set_viewport_size(DESK)
    await tab_to(page, "Skip to the page")
    await page.keyboard.press("Enter")
    await tab_to(page, "Ada")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Message Ada")).to_be_visible()

    await tab_to(page, "Open the result of Daily standup")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("link", name="Open the result of Daily standup")).to_be_focused()

    await tab_to(page, "Approve")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("has not heard of it yet")).to_be_visible()

    await tab_to(page, "Message Ada")
    await page.keyboard.type("Thank you")
    await page.keyboard.press("Enter")
    await expect(page.locator(".said.mine")).to_contain_text("Thank you")


async def test_an_open_sheet_keeps_the_focus_on_a_phone(
    ann: Visit, nod: InProcess, ada: Credentials
) -> None:
    task = await nod.add_task(ada, name="Daily standup")
    run = await nod.nod.store.write(lambda tx: run_now(tx, task))
    page = await ann.page(f"/runs/{run.id}")
    await expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('#sheet') !== null")


@pytest.mark.usefixtures("ada")
async def test_a_task_is_made_rested_changed_and_run_without_a_mouse(ann: Visit) -> None:
    page = await ann.page("/tasks")
    await tab_to(page, "New task")
    await page.keyboard.press("Enter")
    # The first field has the focus by itself.
    await expect(page.get_by_label("Name")).to_be_focused()
    await page.keyboard.type("Morning briefing")
    await tab_to(page, "What should Ada do?")
    await page.keyboard.type("Say what is new.")
    await tab_to(page, "When")
    await page.keyboard.type("every weekday at 9")
    await expect(page.locator("#understood")).to_contain_text("Every weekday at 09:00")
    await tab_to(page, "More")
    await page.keyboard.press("Enter")
    await tab_to(page, "Tell me about")
    await page.keyboard.type("only failures")
    await tab_to(page, "Stop a run after")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Morning briefing")).to_be_visible()
    await expect(page.locator("#now")).to_contain_text("tell me of failures")

    await tab_to(page, "Pause")
    await page.keyboard.press("Enter")
    await tab_to(page, "Why, for whoever looks later")
    await page.keyboard.type("On holiday")
    await page.keyboard.press("Enter")
    await expect(page.locator("#now")).to_contain_text("Paused: On holiday.")

    await tab_to(page, "Edit")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Edit task")).to_be_visible()
    await tab_to(page, "When")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("every sunday at 10")
    await page.keyboard.press("Enter")
    await expect(page.locator("#now")).to_contain_text("Every Sunday at 10:00")

    await tab_to(page, "Tasks")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Tasks")).to_be_visible()
    await tab_to(page, "Morning briefing")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Morning briefing")).to_be_visible()
    await tab_to(page, "Run now")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("Morning briefing")
