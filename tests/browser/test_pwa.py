"""What a phone needs to install Nod, and what it shows without a connection."""

import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Page, expect

from support.inprocess import InProcess
from support.page import Visit, holds, sign_in, visiting
from support.proxy import Proxy, proxying


@pytest_asyncio.fixture(loop_scope="session")
async def line(nod: InProcess) -> AsyncIterator[Proxy]:
    """The line between the phone and Nod, which can be cut."""
    async with proxying(nod.port) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser, nod: InProcess, line: Proxy) -> AsyncIterator[Visit]:
    """A browser in which the service worker works."""
    await nod.add_agent()
    url = f"http://127.0.0.1:{line.port}"
    async with visiting(browser, url, service_workers="allow") as visit:
        visit.watch.allow("net::ERR_")
        await sign_in(visit, nod)
        yield visit


async def at_work(page: Page) -> None:
    """Wait until the service worker answers for this page."""
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await holds(page, "navigator.serviceWorker.controller !== null")


async def test_the_manifest_is_what_chromium_asks_for_before_it_installs(phone: Visit) -> None:
    page = await phone.page("/")
    session = await phone.context.new_cdp_session(page)
    told: dict[str, Any] = await session.send("Page.getAppManifest")
    assert told["errors"] == []
    manifest = await (await phone.context.request.get(told["url"])).json()
    assert manifest["display"] == "standalone"
    assert {"name", "short_name", "start_url", "scope", "id", "theme_color"} <= set(manifest)
    async with httpx.AsyncClient(base_url=phone.url) as client:
        for icon in manifest["icons"]:
            data = (await client.get(icon["src"])).content
            size = "{}x{}".format(*Image.open(io.BytesIO(data)).size)
            assert size == icon["sizes"]
    purposes = {(each["sizes"], each["purpose"]) for each in manifest["icons"]}
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= purposes
    for each in manifest["shortcuts"]:
        assert each["url"].startswith("/")


async def test_chromium_finds_nothing_that_keeps_it_from_installing(phone: Visit) -> None:
    page = await phone.page("/")
    await at_work(page)
    session = await phone.context.new_cdp_session(page)
    told = await session.send("Page.getInstallabilityErrors")
    # A browser without a profile of its own never installs anything.
    errors = {each["errorId"] for each in told["installabilityErrors"]} - {"in-incognito"}
    assert errors == set()


async def test_without_a_connection_a_page_seen_before_is_shown_and_says_so(
    phone: Visit, line: Proxy
) -> None:
    page = await phone.page("/")
    await at_work(page)
    await page.reload()
    await expect(page.get_by_text("Ada").first).to_be_visible()
    await holds(page, "caches.match(location.href).then(Boolean)")
    line.cut()
    await page.reload()
    await expect(page.get_by_text("Ada").first).to_be_visible()
    await expect(page.locator("#offline")).to_be_visible(timeout=15_000)
    line.mend()
    await expect(page.locator("#offline")).to_be_hidden(timeout=15_000)


async def test_without_a_connection_a_page_never_seen_says_that_it_is_offline(
    phone: Visit, line: Proxy
) -> None:
    page = await phone.page("/")
    await at_work(page)
    line.cut()
    await page.goto(f"{phone.url}/requests")
    await expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    line.mend()
    await page.get_by_role("link", name="Try again").click()
    await expect(page.get_by_text("Ada").first).to_be_visible()


async def test_what_the_worker_keeps_goes_when_one_signs_out(phone: Visit) -> None:
    page = await phone.page("/")
    await at_work(page)
    await page.reload()
    await holds(page, "caches.match(location.href).then(Boolean)")
    await page.evaluate("fetch('/logout', { method: 'POST' }).then((answer) => answer.status)")
    await holds(page, "caches.match(location.href).then((found) => !found)")
