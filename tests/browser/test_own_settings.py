"""Settings in a real browser: the theme at once, the example of dates, the password, browsers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio
from playwright.async_api import Browser, expect

from nod.actions import accounts
from nod.actions.agents import Credentials
from nod.store.store import Tx
from support.inprocess import InProcess
from support.page import Visit, holds, sign_in, visiting

PASSWORD = "correct horse battery"
ANOTHER = "a horse of another colour"
INK = "rgb(21, 20, 18)"
PAPER = "rgb(250, 249, 247)"


@pytest_asyncio.fixture(loop_scope="session")
async def known(nod: InProcess, ada: Credentials) -> None:
    """The owner has a password that can be typed."""
    hashed = await asyncio.to_thread(accounts.hash_password, PASSWORD, nod.nod.limits)

    async def give(tx: Tx) -> None:
        user = await tx.people.user(ada.agent.owner_id)
        assert user is not None
        await tx.people.update_user(replace(user, password_hash=hashed))

    await nod.nod.store.write(give)


@pytest_asyncio.fixture(loop_scope="session")
async def owner(known: None, ann: Visit) -> Visit:
    """Her browser, signed in after she got her password."""
    assert known is None
    return ann


@pytest_asyncio.fixture(loop_scope="session")
async def tablet(browser: Browser, nod: InProcess, known: None) -> AsyncIterator[Visit]:
    """Another browser of hers."""
    assert known is None
    async with visiting(browser, nod.url) as visit:
        await sign_in(visit, nod)
        yield visit


def has_paper(colour: str) -> str:
    return f"getComputedStyle(document.body).backgroundColor === '{colour}'"


async def test_a_theme_shows_at_once_and_stays(owner: Visit) -> None:
    page = await owner.page("/settings")
    await page.emulate_media(color_scheme="light")
    await holds(page, has_paper(PAPER))
    async with page.expect_response("**/settings/theme"):
        await page.get_by_label("Dark").check()
    await holds(page, has_paper(INK))
    bars = page.locator('meta[name="theme-color"]')
    assert [await each.get_attribute("content") for each in await bars.all()] == ["#151412"] * 2
    await page.reload()
    await holds(page, has_paper(INK))
    async with page.expect_response("**/settings/theme"):
        await page.get_by_label("System").check()
    await holds(page, has_paper(PAPER))
    await page.emulate_media(color_scheme="dark")
    await holds(page, has_paper(INK))


async def test_how_times_read_changes_with_what_is_chosen(owner: Visit) -> None:
    page = await owner.page("/settings")
    await page.get_by_label("Time zone").select_option("Asia/Tokyo")
    await expect(page.locator("#example")).to_contain_text("Japan Standard Time")
    await page.get_by_label("Dates are written as in").select_option("de_DE")
    await expect(page.locator("#example")).to_contain_text("Japanische Normalzeit")
    await page.get_by_role("button", name="Save").first.click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    await expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")


async def test_another_password_keeps_this_browser_and_signs_the_other_out(
    owner: Visit, tablet: Visit
) -> None:
    tablet.watch.allow("status of 401")
    page, other = await owner.page("/settings"), await tablet.page("/settings")
    await expect(page.get_by_text("this browser", exact=True)).to_have_count(1)
    await page.get_by_label("Present password").fill(PASSWORD)
    await page.get_by_label("New password").fill(ANOTHER)
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_text("All other browsers are signed out")).to_be_visible()
    await expect(page.locator("#browsers li")).to_have_count(1)
    # The page that was open there finds out by itself.
    await expect(other).to_have_url(f"{tablet.url}/login")
    await other.get_by_label("E-mail address").fill("ann@example.org")
    await other.get_by_label("Password").fill(ANOTHER)
    await other.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#browsers li")).to_have_count(2)


async def test_a_wrong_password_is_said_at_its_field_which_has_the_focus(owner: Visit) -> None:
    owner.watch.allow("status of 400")
    page = await owner.page("/settings")
    await page.get_by_label("Present password").fill("a guess")
    await page.get_by_label("New password").fill(ANOTHER)
    await page.get_by_role("button", name="Change the password").click()
    field = page.get_by_label("Present password")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_accessible_description(
        "This is not your present password; nothing was changed."
    )
