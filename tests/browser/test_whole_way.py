"""A whole evening with Nod on a phone, from the first start on: each step where the last one ended.

The parts have tests of their own; this one holds the way between them.
"""

import re
import subprocess

import httpx
from playwright.async_api import Browser, Page, expect

from support.cli import Shell, add_account
from support.first_start import PASSWORD, add_agent, set_up, setup_address
from support.page import Visit, visiting
from support.server import RunningServer

PATIENCE_MS = 30_000
# An agent that asks before it deploys, and says hello to everything else.
SCRIPT = """
case "$(cat)" in
*deploy*) nod ask "Deploy it?" --wait > /dev/null && printf '# Deployed\\n\\nAll **green**.' ;;
*) printf '# Hello Ann' ;;
esac
"""
PROPOSAL = {
    "type": "task_proposal",
    "title": "Shall I watch the certificates?",
    "task_name": "Certificates",
    "task_prompt": "Say which ones end soon.",
    "task_schedule": "0 8 * * 1",
}


async def test_from_the_first_start_to_the_settings(
    newcomer: Visit,
    browser: Browser,
    server: RunningServer,
    workers: list["subprocess.Popen[str]"],
) -> None:
    page = await newcomer.page()
    await set_up(page, setup_address(server))
    shell = await add_agent(page, server.url)
    workers.append(shell.start("work", "--", "/bin/sh", "-c", SCRIPT))
    await first_result(page)
    task = await make_a_task_in_words(page)
    chat = await run_it_and_answer_its_question(page, task)
    await accept_a_proposal(page, chat, shell)
    await see_it_in_the_agenda(page)
    await choose_the_dark(page)
    await nobody_else_sees_it(browser, server, [task, chat])


async def first_result(page: Page) -> None:
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    await page.get_by_role("button", name="Send a test alarm").click()
    await expect(page.locator(".task-bubble")).to_contain_text("Hello Ann", timeout=PATIENCE_MS)


async def make_a_task_in_words(page: Page) -> str:
    """The page of a task, made by saying when."""
    await page.get_by_role("link", name="Tasks", exact=True).click()
    await page.get_by_role("link", name="New task").first.click()
    await page.get_by_label("Name").fill("Release")
    await page.get_by_label("What should Ada do?").fill("deploy what is on main")
    await page.get_by_label("When", exact=True).fill("every weekday at 9")
    await expect(page.locator("#understood")).to_contain_text("Every weekday at 09:00")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Release")).to_be_visible()
    return page.url


async def run_it_and_answer_its_question(page: Page, task: str) -> str:
    """The page of the conversation in which it all shows, without a reload."""
    assert page.url == task
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Release")
    await page.keyboard.press("Escape")
    card = page.locator(".request", has_text="Deploy it?")
    await card.get_by_role("button", name="Approve").click(timeout=PATIENCE_MS)
    await card.get_by_role("button", name="Undo").click()
    await card.get_by_role("button", name="Approve").click()
    bubble = page.locator(".task-bubble", has_text="Deployed")
    await expect(bubble).to_be_visible(timeout=PATIENCE_MS)
    await expect(card).to_contain_text("By you")
    chat = page.url
    await bubble.get_by_role("link", name="Open the result").click()
    sheet = page.get_by_role("dialog")
    await expect(sheet.locator("strong")).to_have_text("green")
    await expect(sheet).to_contain_text(re.compile(r"you, \d+ s"))
    await page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)
    assert page.url == chat
    return chat


async def accept_a_proposal(page: Page, chat: str, shell: Shell) -> None:
    """The agent proposes a task; the person makes it one."""
    assert page.url == chat
    keys = {"X-Nod-Agent-Id": shell.agent_id, "X-Nod-Secret": shell.secret}
    async with httpx.AsyncClient(base_url=shell.url, headers=keys) as agent:
        (await agent.post("/api/agent/events", json=PROPOSAL)).raise_for_status()
    card = page.locator(".request", has_text="Shall I watch the certificates?")
    await expect(card).to_contain_text("Every Monday at 08:00")
    await card.get_by_role("button", name="Create the task").click()
    await expect(card).to_contain_text("Task created")
    await page.get_by_role("link", name="Tasks", exact=True).click()
    await expect(page.get_by_role("link", name="Certificates")).to_be_visible(timeout=PATIENCE_MS)


async def see_it_in_the_agenda(page: Page) -> None:
    await page.get_by_role("link", name="Agenda", exact=True).click()
    await page.get_by_role("link", name="Week", exact=True).click()
    await expect(page.get_by_role("main")).to_contain_text("Release")
    await expect(page.get_by_role("main")).to_contain_text("done")


async def choose_the_dark(page: Page) -> None:
    await page.get_by_role("link", name="More", exact=True).click()
    await page.get_by_role("link", name="Settings Ann").click()
    await page.get_by_label("Dark").check()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def nobody_else_sees_it(browser: Browser, server: RunningServer, pages: list[str]) -> None:
    """A second person on the same server finds nothing, not even by its address."""
    add_account(server, "eve@example.org", PASSWORD)
    async with visiting(browser, server.url) as eve:
        eve.watch.allow("status of 404")
        page = await eve.page("/")
        await page.get_by_label("E-mail address").fill("eve@example.org")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("Add your first agent")).to_be_visible()
        for address in pages:
            answer = await page.goto(address)
            assert answer is not None
            assert answer.status == 404
