"""The first start of a server, as somebody new walks it in a browser."""

import re

from playwright.async_api import Page, expect

from support.browser import OWNER
from support.cli import Shell
from support.server import RunningServer

PASSWORD = "a long enough one"


def setup_address(server: RunningServer) -> str:
    """Where the link leads that the server has printed."""
    found = re.search(r"(/setup/\S+)", server.log)
    assert found is not None
    return server.url + found[1]


async def set_up(page: Page, address: str) -> None:
    """The account, by the link."""
    await page.goto(address)
    await expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    await page.get_by_label("Your name").fill("Ann")
    await page.get_by_label("E-mail address").fill(OWNER)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create the account").click()


async def add_agent(page: Page, url: str, name: str = "Ada") -> Shell:
    """The first agent, and a shell with what the page shows once."""
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Add the agent").click()
    agent_id = await page.locator("#agent-id").inner_text()
    return Shell(url, agent_id, await page.locator("#secret").inner_text())
