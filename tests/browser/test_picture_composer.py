"""Pictures get into a message as people bring them: chosen, pasted, dropped, and without script."""

import base64
import io

import pytest
from PIL import Image
from playwright.async_api import Browser, FilePayload, Page, expect

from support.inprocess import InProcess
from support.page import Visit, sign_in, visiting

# Lets the page have a picture by an event, as a browser does it.
_BRING = """([selector, kind, picture]) => {
  const bytes = Uint8Array.from(atob(picture), (each) => each.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "a.png", { type: "image/png" }));
  const given = { bubbles: true, cancelable: true };
  const event = kind === "paste"
    ? new ClipboardEvent(kind, { ...given, clipboardData: data })
    : new DragEvent(kind, { ...given, dataTransfer: data });
  document.querySelector(selector).dispatchEvent(event);
}"""


def drawn() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(held, "PNG")
    return held.getvalue()


def chosen(name: str = "a.png", data: bytes | None = None) -> FilePayload:
    return FilePayload(name=name, mimeType="image/png", buffer=drawn() if data is None else data)


async def send(page: Page) -> None:
    await page.get_by_role("button", name="Send", exact=True).click()


@pytest.mark.parametrize(
    ("selector", "kind"), [("#say", "paste"), (".log", "drop")], ids=["pasted", "dropped"]
)
async def test_a_picture_that_is_brought_waits_in_the_composer_and_is_sent(
    ann: Visit, path: str, selector: str, kind: str
) -> None:
    page = await ann.page(path)
    picture = base64.b64encode(drawn()).decode()
    await page.evaluate(_BRING, [selector, kind, picture])
    await expect(page.locator("#attached img")).to_have_count(1)
    await send(page)
    shown = page.locator(".said.mine .shots img")
    await expect(shown).to_be_in_viewport()
    await expect(shown).to_have_attribute("width", "300")
    await expect(page.locator("#attached li")).to_have_count(0)


async def test_a_picture_can_be_taken_out_again_and_nothing_empty_is_sent(
    ann: Visit, path: str
) -> None:
    page = await ann.page(path)
    await page.set_input_files("input[name=pictures]", [chosen(), chosen("b.png")])
    await expect(page.locator("#attached img")).to_have_count(2)
    taken_out = page.get_by_role("button", name="Do not send this picture")
    await taken_out.first.click()
    await expect(page.locator("#attached img")).to_have_count(1)
    await taken_out.first.click()
    await send(page)
    await page.get_by_label("Message Ada").fill("Words")
    await send(page)
    await expect(page.locator(".said.mine")).to_have_count(1)
    await expect(page.locator(".said.mine img")).to_have_count(0)


async def test_what_is_no_picture_is_said_and_the_words_stay(ann: Visit, path: str) -> None:
    page = await ann.page(path)
    ann.watch.allow("status of 400")
    await page.get_by_label("Message Ada").fill("Look")
    await page.set_input_files("input[name=pictures]", [chosen(data=b"none")])
    await expect(page.locator(".toast")).to_contain_text("send a PNG, JPEG, WebP or GIF")
    await expect(page.get_by_label("Message Ada")).to_have_value("Look")
    await expect(page.locator("#attached li")).to_have_count(0)


async def test_without_script_a_picture_goes_with_the_form(
    browser: Browser, nod: InProcess, path: str
) -> None:
    async with visiting(browser, nod.url, java_script_enabled=False) as visit:
        await sign_in(visit, nod)
        page = await visit.page(path)
        await page.set_input_files("input[name=pictures]", [chosen()])
        await send(page)
        await expect(page.locator(".said.mine .shots img")).to_have_count(1)
