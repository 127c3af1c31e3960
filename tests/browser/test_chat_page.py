"""A conversation in a real browser: what is said, what comes in, and where one reads."""

import base64
import io

import httpx
from PIL import Image
from playwright.async_api import FilePayload, expect

from nod.actions import chat
from nod.actions.agents import Credentials
from nod.actions.chat import ProcessingFields
from support.inprocess import InProcess, until
from support.page import Visit, holds


def drawn() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (300, 500), "navy").save(held, "PNG")
    return held.getvalue()


async def tell(agent: httpx.AsyncClient, text: str) -> str:
    """The agent says something; the message's id."""
    sent = await agent.post("/api/agent/events", json={"type": "message", "text": text})
    sent.raise_for_status()
    return str(sent.json()["message_id"])


async def test_words_sent_stand_there_at_once_and_the_answer_comes_by_itself(
    ann: Visit, agent: httpx.AsyncClient, path: str
) -> None:
    page = await ann.page(path)
    await page.get_by_label("Message Ada").fill("How is the **disk**?")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".said.mine strong")).to_have_text("disk")
    await expect(page.get_by_label("Message Ada")).to_have_value("")
    await tell(agent, "Half full.")
    await expect(page.locator("#log").get_by_text("Half full.")).to_be_in_viewport()
    assert await page.locator(".said").count() == 2


async def test_thinking_is_shown_until_the_words_come(
    ann: Visit, nod: InProcess, ada: Credentials, agent: httpx.AsyncClient, path: str
) -> None:
    page = await ann.page(path)
    sign = ProcessingFields(
        conversation_id=path.rsplit("/", 1)[1], status_text="looking at the disk"
    )
    await nod.nod.store.write(lambda tx: chat.start_thinking(tx, ada.agent, sign))
    await expect(page.locator("#thinking")).to_contain_text("looking at the disk")
    await tell(agent, "Half full.")
    await expect(page.locator("#log").get_by_text("Half full.")).to_be_visible()
    await expect(page.locator("#thinking")).to_be_hidden()


async def test_older_words_come_as_one_scrolls_back_and_the_place_stays(
    ann: Visit, agent: httpx.AsyncClient, path: str
) -> None:
    for number in range(60):
        await tell(agent, f"Message {number}.")
    page = await ann.page(path)
    await expect(page.locator("#log").get_by_text("Message 59.", exact=True)).to_be_in_viewport()
    await expect(page.locator("#log").get_by_text("Message 0.", exact=True)).to_have_count(0)
    await expect(page.locator(".day").first).to_be_visible()
    await page.evaluate("scrollTo(0, 0)")
    await expect(page.locator("#log").get_by_text("Message 0.", exact=True)).to_have_count(1)
    shown = await page.locator(".day:visible").all_inner_texts()
    assert sorted(shown) == sorted(set(shown))  # no day is named twice where two blocks meet
    await expect(page.locator("#log").get_by_text("Message 20.", exact=True)).to_be_in_viewport()
    before = await page.evaluate("scrollY")
    await tell(agent, "Something new.")
    await expect(page.locator("#log").get_by_text("Something new.")).to_have_count(1)
    assert abs(await page.evaluate("scrollY") - before) <= 1
    assert await page.locator(".said").count() == 61


async def test_an_answer_quotes_what_it_answers(
    ann: Visit, agent: httpx.AsyncClient, path: str
) -> None:
    await tell(agent, "Which branch?")
    page = await ann.page(path)
    await page.get_by_role("button", name="Reply").click()
    await expect(page.locator("#replying")).to_contain_text("Which branch?")
    await page.keyboard.type("main")
    await page.keyboard.press("Enter")
    await expect(page.locator(".said.mine blockquote")).to_have_text("Which branch?")
    await expect(page.locator("#replying")).to_be_hidden()


async def test_what_one_tab_says_the_other_shows_and_a_reload_shows_the_same(
    ann: Visit, agent: httpx.AsyncClient, path: str
) -> None:
    one, two = await ann.page(path), await ann.page(path)
    await one.get_by_label("Message Ada").fill("From the first tab")
    await one.get_by_role("button", name="Send", exact=True).click()
    await expect(two.locator("#log").get_by_text("From the first tab")).to_be_visible()
    await tell(agent, "Seen.")
    for each in (one, two):
        await expect(each.locator("#log").get_by_text("Seen.")).to_be_visible()
    shown = await two.locator("#newest").inner_text()
    await two.reload()
    assert await two.locator("#newest").inner_text() == shown


async def test_half_written_words_survive_what_comes_in(
    ann: Visit, agent: httpx.AsyncClient, path: str
) -> None:
    page = await ann.page(path)
    field = page.get_by_label("Message Ada")
    await field.fill("I am not do")
    await tell(agent, "By the way.")
    await expect(page.locator("#log").get_by_text("By the way.")).to_be_visible()
    await expect(field).to_have_value("I am not do")
    assert await until(lambda: page.evaluate("document.activeElement.id === 'say'"))


async def test_a_conversation_with_a_picture_opens_at_its_end_also_when_loaded_anew(
    ann: Visit, agent: httpx.AsyncClient, path: str
) -> None:
    for number in range(12):
        await tell(agent, f"Message {number}.")
    picture = base64.b64encode(drawn()).decode()
    body = {"type": "message", "text": "The last one.", "image_base64": picture}
    (await agent.post("/api/agent/events", json=body)).raise_for_status()
    page = await ann.page(path)
    for _ in range(2):
        await holds(page, "document.querySelector('.said img').naturalHeight > 0")
        await expect(page.locator("#log").get_by_text("The last one.")).to_be_in_viewport()
        await page.evaluate("scrollTo(0, 0)")
        await page.reload()


async def test_a_picture_that_is_chosen_goes_with_the_words(ann: Visit, path: str) -> None:
    page = await ann.page(path)
    picture = FilePayload(name="plan.png", mimeType="image/png", buffer=drawn())
    await page.locator("input[type=file]").set_input_files(picture)
    await expect(page.locator("#attached img")).to_have_count(1)
    await page.get_by_label("Message Ada").fill("The plan")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".said.mine")).to_contain_text("The plan")
    await holds(page, "document.querySelector('.said.mine img')?.naturalHeight > 0")
