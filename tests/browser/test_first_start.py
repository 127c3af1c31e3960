"""From `nod serve` to the first result on a phone, as somebody new walks it."""

import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from support.cli import Shell
from support.page import Visit, axe_in_every_look, out_of_size, visiting
from support.server import RunningServer

PATIENCE_MS = 20_000
SCRIPT = "cat > /dev/null; printf '# Hello Ann\\n\\nI am **awake**.'"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path).start()
    yield running
    running.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def newcomer(browser: Browser, server: RunningServer) -> AsyncIterator[Visit]:
    async with visiting(browser, server.url, service_workers="allow") as visit:
        yield visit


@pytest.fixture
def workers() -> Iterator[list["subprocess.Popen[str]"]]:
    """What works for the agent; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for each in started:
        each.terminate()
        each.communicate(timeout=15)


async def set_up(page: Page, server: RunningServer) -> None:
    """The account, by the link that the server prints."""
    found = re.search(r"(/setup/\S+)", server.log)
    assert found is not None
    await page.goto(server.url + found[1])
    await expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    await page.get_by_label("Your name").fill("Ann")
    await page.get_by_label("E-mail address").fill("ann@example.org")
    await page.get_by_label("Password").fill("a long enough one")
    await page.get_by_role("button", name="Create the account").click()


async def add_agent(page: Page, server: RunningServer) -> Shell:
    """The first agent, and a shell with what the page shows once."""
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_role("button", name="Add the agent").click()
    agent_id = await page.locator("#agent-id").inner_text()
    return Shell(server.url, agent_id, await page.locator("#secret").inner_text())


async def test_from_the_link_to_the_first_result_without_a_reload(
    newcomer: Visit, server: RunningServer, workers: list["subprocess.Popen[str]"]
) -> None:
    page = await newcomer.page()
    await set_up(page, server)
    shell = await add_agent(page, server)
    assert await axe_in_every_look(page) == {}
    assert await out_of_size(page) == {}
    await expect(page.get_by_text("Waiting for your agent…")).to_be_visible()
    workers.append(shell.start("work", "--", "/bin/sh", "-c", SCRIPT))
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    await page.get_by_role("button", name="Send a test alarm").click()
    bubble = page.locator(".task-bubble")
    await expect(bubble).to_contain_text("Hello Ann", timeout=PATIENCE_MS)
    await bubble.get_by_role("link", name="Open the result").click()
    await expect(page.get_by_role("dialog").locator("strong")).to_have_text("awake")


async def test_the_page_for_the_first_account_is_right_in_every_look(
    newcomer: Visit, server: RunningServer
) -> None:
    found = re.search(r"(/setup/\S+)", server.log)
    assert found is not None
    page = await newcomer.page(found[1])
    assert await axe_in_every_look(page) == {}
    assert await out_of_size(page) == {}


async def test_the_link_works_once_and_the_password_signs_in(
    newcomer: Visit, server: RunningServer
) -> None:
    newcomer.watch.allow("status of 4")
    page = await newcomer.page()
    await set_up(page, server)
    found = re.search(r"(/setup/\S+)", server.log)
    assert found is not None
    answer = await page.goto(server.url + found[1])
    assert answer is not None
    assert answer.status == 409
    await newcomer.context.clear_cookies()
    await page.goto(f"{server.url}/requests")
    await page.get_by_label("E-mail address").fill("ann@example.org")
    await page.get_by_label("Password").fill("not the one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_label("E-mail address")).to_have_value("ann@example.org")
    await page.get_by_label("Password").fill("a long enough one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(f"{server.url}/requests")
