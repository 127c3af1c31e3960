"""From `nod serve` to the first result on a phone, as somebody new walks it."""

import subprocess

from playwright.async_api import expect

from support.browser import OWNER
from support.first_start import PASSWORD, add_agent, set_up, setup_address
from support.page import Visit, axe_in_every_look, out_of_size
from support.server import RunningServer

PATIENCE_MS = 20_000
SCRIPT = "cat > /dev/null; printf '# Hello Ann\\n\\nI am **awake**.'"


async def test_from_the_link_to_the_first_result_without_a_reload(
    newcomer: Visit, server: RunningServer, workers: list["subprocess.Popen[str]"]
) -> None:
    page = await newcomer.page()
    await set_up(page, setup_address(server))
    shell = await add_agent(page, server.url)
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
    page = await newcomer.page()
    await page.goto(setup_address(server))
    assert await axe_in_every_look(page) == {}
    assert await out_of_size(page) == {}


async def test_the_link_works_once_and_the_password_signs_in(
    newcomer: Visit, server: RunningServer
) -> None:
    newcomer.watch.allow("status of 4")
    page = await newcomer.page()
    await set_up(page, setup_address(server))
    answer = await page.goto(setup_address(server))
    assert answer is not None
    assert answer.status == 409
    await newcomer.context.clear_cookies()
    await page.goto(f"{server.url}/requests")
    await page.get_by_label("E-mail address").fill(OWNER)
    await page.get_by_label("Password").fill("not the one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_label("E-mail address")).to_have_value(OWNER)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(f"{server.url}/requests")
