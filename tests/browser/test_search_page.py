"""Searching in a real browser: as one types, by keyboard, to the very message however old."""

import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from nod.actions import chat
from nod.actions.agents import Credentials
from nod.actions.chat import MessageFields
from nod.store.store import Tx
from support.inprocess import InProcess
from support.page import DESK, Visit, holds

MANY = 1_000
OLD = 300


@pytest_asyncio.fixture(loop_scope="session")
async def ids(nod: InProcess, ada: Credentials) -> list[str]:
    """A conversation of many messages; one of the older ones speaks of a heron."""

    async def talk(tx: Tx) -> list[str]:
        found = []
        for number in range(MANY):
            text = "There is a heron." if number == OLD else f"Message {number}."
            found.append((await chat.agent_message(tx, ada.agent, MessageFields(text=text))).id)
        return found

    return await nod.nod.store.write(talk)


def message(page: Page, number: int) -> Locator:
    return page.locator("#log").get_by_text(f"Message {number}.", exact=True)


async def test_by_keyboard_from_a_conversation_to_a_message_of_long_ago(
    ann: Visit, ids: list[str], path: str
) -> None:
    page = await ann.page(path)
    await page.get_by_role("link", name="Search what Ada and you said").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("HÉRO")
    hit = page.locator("#found a.row")
    await expect(hit.locator("mark")).to_have_text("heron")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(hit).to_be_focused()
    await page.keyboard.press("Enter")
    bubble = page.locator(f"#{ids[OLD]}")
    await expect(bubble).to_be_in_viewport()
    await expect(page).to_have_url(f"{ann.url}{path}?at={ids[OLD]}#{ids[OLD]}")
    await holds(page, "document.querySelector('.said:target') !== null")
    await page.go_back()
    await expect(page.get_by_role("searchbox")).to_have_value("HÉRO")
    await expect(hit).to_have_count(1)


async def test_from_an_old_message_one_scrolls_both_ways_and_stays_where_one_reads(
    ann: Visit, ids: list[str], path: str
) -> None:
    page = await ann.page(f"{path}?at={ids[OLD]}#{ids[OLD]}")
    bubble = page.locator(f"#{ids[OLD]}")
    await expect(bubble).to_be_in_viewport()
    top = f"document.getElementById('{ids[OLD - 15]}').getBoundingClientRect().top"
    before = await page.evaluate(f"(scrollTo(0, 40), {top})")
    await expect(message(page, OLD - 30)).to_have_count(1)
    assert abs(await page.evaluate(top) - before) <= 1
    await bubble.scroll_into_view_if_needed()
    await page.evaluate("scrollTo(0, document.scrollingElement.scrollHeight)")
    await expect(message(page, OLD + 40)).to_have_count(1)
    await expect(message(page, OLD + 61)).to_have_count(0)  # no more than one looks at


async def test_the_newest_are_one_step_away_and_come_by_scrolling_too(
    ann: Visit, ids: list[str], path: str
) -> None:
    page = await ann.page(f"{path}?at={ids[MANY - 70]}")
    await expect(message(page, MANY - 70)).to_be_in_viewport()
    newest = page.get_by_role("link", name="Newest messages")
    await expect(newest).to_be_in_viewport()
    to_end = "scrollTo(0, document.scrollingElement.scrollHeight)"
    await holds(page, f"({to_end}, document.getElementById('newest') !== null)")
    await expect(message(page, MANY - 1)).to_have_count(1)
    await expect(newest).to_be_hidden()
    numbers = await page.locator(".said .md").all_inner_texts()
    assert numbers == [f"Message {number}." for number in range(MANY - 89, MANY)]
    await page.goto(f"{ann.url}{path}?at={ids[OLD]}")
    await newest.click()
    await expect(message(page, MANY - 1)).to_be_in_viewport()


async def test_what_is_said_beside_an_old_message_is_shown_at_the_end(
    ann: Visit, ids: list[str], path: str
) -> None:
    page = await ann.page(f"{path}?at={ids[OLD]}#{ids[OLD]}")
    await page.get_by_label("Message Ada").fill("A heron, really?")
    await page.get_by_role("button", name="Send", exact=True).click()
    said = page.locator(".said.mine").get_by_text("A heron, really?")
    await expect(said).to_be_in_viewport()
    await expect(page).to_have_url(f"{ann.url}{path}")


async def test_a_bare_address_of_an_old_message_opens_there_too(
    ann: Visit, ids: list[str], path: str
) -> None:
    page = await ann.page(f"{path}#{ids[OLD]}")
    await expect(page.locator(f"#{ids[OLD]}")).to_be_in_viewport()
    await page.evaluate(f"location.hash = '{ids[OLD + 3]}'")
    await expect(page.locator(f"#{ids[OLD + 3]}")).to_be_in_viewport()


async def test_the_address_keeps_what_was_typed_and_a_reload_shows_the_same(
    ann: Visit, ids: list[str]
) -> None:
    assert ids
    page = await ann.page("/search")
    await page.set_viewport_size(DESK)
    await page.get_by_role("searchbox").press_sequentially("message 99", delay=20)
    await expect(page.locator("#found a.row")).to_have_count(11)
    await expect(page).to_have_url(f"{ann.url}/search?q=message+99")
    shown = await page.locator("#found").inner_text()
    await page.reload()
    assert await page.locator("#found").inner_text() == shown
    await page.get_by_role("searchbox").fill("message 99 zebra")
    await expect(page.locator("#found")).to_contain_text("Nothing was found")


async def test_more_comes_as_one_scrolls_down(ann: Visit, ids: list[str]) -> None:
    assert ids
    page = await ann.page("/search?q=message")
    hits = page.locator("#found a.row")
    await expect(hits).to_have_count(20)
    await page.evaluate("scrollTo(0, document.scrollingElement.scrollHeight)")
    await expect(hits).to_have_count(40)
