"""A page in a real browser, watched: what it must never do fails the test."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    async_playwright,
)

from support.browser import OWNER, signed_in
from support.chromium import chromium
from support.inprocess import InProcess, until
from support.server import RunningServer

PHONE: ViewportSize = {"width": 390, "height": 844}
SMALL_PHONE: ViewportSize = {"width": 320, "height": 640}
DESK: ViewportSize = {"width": 1280, "height": 900}

_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
_RUN_AXE = """async (rules) => {
  const told = ({ target, any }) => `${target} ${any[0]?.message ?? ""}`;
  const runOnly = rules && { type: "rule", values: rules };
  const options = { preload: false, resultTypes: ["violations"], ...(runOnly && { runOnly }) };
  const { violations } = await axe.run(document, options);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(told).join("; ")}`);
}"""


@asynccontextmanager
async def opened_browser() -> AsyncIterator[Browser]:
    """One Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=_ARGS)
        yield browser
        await browser.close()


@dataclass
class Watch:
    """What went wrong in a browser: errors it noted, requests that left our origin."""

    origins: set[str]
    found: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        """A console error that the test itself brings about."""
        self.allowed.append(pattern)

    def console(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self.found.append(f"console: {message.text} ({message.location.get('url')})")

    def request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc not in self.origins:
            self.found.append(f"left our origin: {url}")

    @property
    def problems(self) -> list[str]:
        return [each for each in self.found if not any(re.search(p, each) for p in self.allowed)]


@dataclass
class Visit:
    """A person's browser: pages share its cookies."""

    context: BrowserContext
    watch: Watch
    url: str

    async def page(self, path: str = "") -> Page:
        """A new page, at the path where one is given."""
        page = await self.context.new_page()
        page.on("console", self.watch.console)
        page.on("pageerror", lambda error: self.watch.found.append(f"page: {error}"))
        if path:
            await page.goto(self.url + path)
        return page


@asynccontextmanager
async def visiting(browser: Browser, url: str, **options: Any) -> AsyncIterator[Visit]:
    """A fresh browser context on the server at `url`; at its end nothing may have gone wrong."""
    wanted = {"viewport": PHONE, "service_workers": "block", "timezone_id": "Europe/Berlin"}
    context = await browser.new_context(**{**wanted, **options})
    watch = Watch({urlsplit(url).netloc})
    context.on("request", lambda request: watch.request(request.url))
    try:
        yield Visit(context, watch, url)
    finally:
        await context.close()
    assert not watch.problems, watch.problems


async def sign_in(visit: Visit, server: InProcess | RunningServer, email: str = OWNER) -> None:
    """Give the browser the cookie of a new session of that person."""
    async with await signed_in(server, email) as client:
        token = client.cookies["nod"]
    await visit.context.add_cookies([{"name": "nod", "value": token, "url": visit.url}])


async def holds(page: Page, condition: str) -> None:
    """Wait until the expression is true there.

    Playwright's own `wait_for_function` evaluates text within the page, which the policy forbids.
    """
    await until(lambda: page.evaluate(condition))


async def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe-core finds wrong on the page as it stands; by these rules alone where some are
    named."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_AXE.read_text(encoding="utf-8"))
    found: list[str] = await page.evaluate(_RUN_AXE, rules)
    return found


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wide: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide


async def too_wide(page: Page) -> list[str]:
    """What reaches beyond the window's right edge."""
    found: list[str] = await page.evaluate(
        "[...document.body.querySelectorAll('*')]"
        ".filter((each) => each.getBoundingClientRect().right > innerWidth + 1)"
        ".map((each) => each.cloneNode().outerHTML.slice(0, 90))"
    )
    return found


async def axe_in_every_look(page: Page) -> dict[str, list[str]]:
    """What axe-core finds on phone and desk, in light and dark; empty where it finds nothing."""
    found: dict[str, list[str]] = {}
    for size, name in ((PHONE, "phone"), (DESK, "desk")):
        await page.set_viewport_size(size)
        await page.emulate_media(color_scheme="light")
        found[f"{name} light"] = await violations(page)
        await page.emulate_media(color_scheme="dark")
        # In the dark nothing but the colours is different.
        found[f"{name} dark"] = await violations(page, ["color-contrast"])
    return {name: each for name, each in found.items() if each}


async def out_of_size(page: Page) -> dict[str, object]:
    """By how much it is wider than a window, and targets too small to touch; empty for none."""
    found: dict[str, object] = {}
    for size in (DESK, PHONE, SMALL_PHONE):
        await page.set_viewport_size(size)
        found[f"wider than {size['width']}"] = await overflow(page)
    await page.set_viewport_size(PHONE)
    found["too small"] = await small_targets(page)
    return {name: each for name, each in found.items() if each}


_SMALL = """() => {
  const stops =
    "button, summary, select, textarea, input:not([type=hidden]), a";
  const reached = (each, x, y) => {
    const found = document.elementFromPoint(x, y);
    const around = found?.contains(each) && found.matches("label, a, summary");
    return !found || each.contains(found) || around;
  };
  const small = (each) => {
    const target = (each.matches("[type=checkbox], [type=radio]") && each.closest("label")) || each;
    const isShown = target.checkVisibility({ checkVisibilityCSS: true });
    const isInText = getComputedStyle(target).display === "inline";
    if (!isShown || isInText || target.closest(".dim, .skip-link")) return false;
    target.scrollIntoView({ block: "center", behavior: "instant" });
    const box = target.getBoundingClientRect();
    if (box.width >= 43.5 && box.height >= 43.5) return false;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    if (!reached(target, x, y)) return false;
    const around = [[x - 21, y], [x + 21, y], [x, y - 21], [x, y + 21]];
    return !around.every(([a, b]) => reached(target, a, b));
  };
  return [...document.querySelectorAll(stops)].filter(small).map((each) => {
    const { width, height } = each.getBoundingClientRect();
    return `${each.outerHTML.slice(0, 90)} is ${Math.round(width)} x ${Math.round(height)}`;
  });
}"""


async def small_targets(page: Page) -> list[str]:
    """What is to be touched, and takes touches on less than 44 by 44 pixels."""
    found: list[str] = await page.evaluate(_SMALL)
    return found
