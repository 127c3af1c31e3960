"""Notifications in a real Chromium: turned on, arriving, opening what they are about, answering."""

import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from nod.actions import decisions
from nod.actions.agents import Credentials
from nod.actions.chat import MessageFields, agent_message
from nod.actions.decisions import DecisionFields
from nod.domain.model import Decision
from nod.store.store import Tx
from support.inprocess import InProcess, running, until
from support.page import sign_in, visiting
from support.push_browser import Notified, notified
from support.push_service import Browser
from support.receiver import Receiver, answer, receiving

PAGE = "/settings/notifications"


@pytest_asyncio.fixture(loop_scope="session")
async def nod(tmp_path: Path) -> AsyncIterator[InProcess]:
    """A server that does not wait whether a message is read."""
    async with running(tmp_path, notify_unread_s=0) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def service() -> AsyncIterator[Receiver]:
    """The push service."""
    async with receiving(last=answer(201)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def device(
    browser: Chromium, nod: InProcess, ada: Credentials, service: Receiver
) -> AsyncIterator[Notified]:
    """Her phone, on which Nod has been turned on."""
    assert ada.secret
    async with visiting(browser, nod.url, service_workers="allow") as visit:
        await sign_in(visit, nod)
        made = await notified(visit, Browser(service.url), service)
        await made.page.get_by_role("button", name="Turn on in this browser").click()
        await expect(made.page.get_by_text("Nod reaches you in this browser now.")).to_be_visible()
        yield made


async def ask(nod: InProcess, ada: Credentials) -> Decision:
    given = DecisionFields(title="Merge it?", description="All is green.")
    return await nod.nod.store.write(lambda tx: decisions.open_decision(tx, ada.agent, given))


async def status(nod: InProcess, asked: Decision) -> str:
    found = await nod.nod.store.read(lambda tx: tx.chat.decision(asked.id))
    assert found is not None
    return found.status


async def test_a_browser_is_turned_on_tested_and_turned_off(device: Notified) -> None:
    page = device.page
    await expect(page.locator("[data-state=on]")).to_be_visible()
    row = page.locator(".place")
    await expect(row.get_by_text("this browser")).to_be_visible()
    await row.get_by_role("button", name="Send a test").click()
    await expect(row).to_contain_text("The push service has taken the test.")
    await expect(row.get_by_text("this browser")).to_be_visible()
    await device.delivered()
    (shown,) = await device.shown()
    assert (shown["title"], shown["body"]) == (
        "Nod reaches you here",
        "This is the test you asked for.",
    )
    await row.get_by_role("switch").click()
    await expect(page.locator("[data-state=resting]")).to_be_visible()
    await row.get_by_role("switch").click()
    await expect(page.locator("[data-state=on]")).to_be_visible()
    await page.get_by_role("button", name="Turn off in this browser").click()
    await expect(page.locator(".place")).to_have_count(0)
    await expect(page.locator("[data-state=allowed]")).to_be_visible()
    assert await page.evaluate("sessionStorage.getItem('subscription')") is None


async def test_what_an_agent_writes_arrives_and_opens_its_bubble(
    device: Notified, nod: InProcess, ada: Credentials
) -> None:
    async def say(number: int, tx: Tx) -> None:
        words = f"Line {number}\n\n" + "and more\n\n" * 6
        await agent_message(tx, ada.agent, MessageFields(text=words))

    await nod.nod.store.write(partial(say, 0))
    first = await device.delivered()
    for number in range(1, 12):
        await nod.nod.store.write(partial(say, number))
    (shown,) = await device.shown()
    assert (shown["title"], shown["path"]) == ("Ada", first["path"])
    assert shown["body"].startswith("Line 0 and more")
    await device.click(first["tag"])
    await expect(device.page).to_have_url(re.compile(re.escape(first["path"]) + "$"))
    await expect(device.page.locator(f"#{first['path'].rpartition('#')[2]}")).to_be_in_viewport()
    assert await device.shown() == []


async def test_a_window_that_shows_it_already_is_not_loaded_again(
    device: Notified, nod: InProcess, ada: Credentials
) -> None:
    asked = await ask(nod, ada)
    message = await device.delivered()
    await device.page.goto(f"{device.origin}/requests/{asked.id}")
    await device.page.get_by_label("Note for Ada").evaluate("(note) => (note.value = 'Not yet')")
    await device.click(message["tag"])
    await until(lambda: _is_empty(device))
    await expect(device.page.locator("textarea")).to_have_value("Not yet")


async def _is_empty(device: Notified) -> bool:
    return not await device.shown()


async def test_a_button_answers_the_request_once_and_then_opens_it(
    device: Notified, nod: InProcess, ada: Credentials
) -> None:
    asked = await ask(nod, ada)
    message = await device.delivered()
    (shown,) = await device.shown()
    assert (shown["title"], shown["actions"]) == ("Merge it?", ["Approve", "Reject"])
    await device.click(message["tag"], "approved")
    await until(lambda: _is(nod, asked, "approved"))
    assert device.page.url.endswith(f"{PAGE}?done=here#here")
    # A second one of the same request does nothing but show what it has become.
    device.watch.allow("status of 409")
    await device.deliver(message)
    await device.click(message["tag"], "rejected")
    await expect(device.page).to_have_url(f"{device.origin}/requests/{asked.id}")
    assert await status(nod, asked) == "approved"


async def _is(nod: InProcess, asked: Decision, wanted: str) -> bool:
    return await status(nod, asked) == wanted


async def test_an_address_that_the_push_service_changes_is_told_to_the_server(
    device: Notified, nod: InProcess, service: Receiver
) -> None:
    moved = Browser(service.url + "moved")
    await device.worker.evaluate(
        "(json) => subscribedAnew({ newSubscription: { toJSON: () => json } })", moved.as_json
    )
    owner = await nod.nod.store.read(lambda tx: tx.people.first_user())
    assert owner is not None
    found = await nod.nod.store.read(lambda tx: tx.notify.targets_of(owner.id))
    # The former address answers that it is gone, and is removed by that.
    assert [each.kind for each in found] == ["push", "push"]


@pytest.mark.parametrize(
    ("state", "script", "agent"),
    [
        (
            "blocked",
            "Object.defineProperty(Notification, 'permission', { get: () => 'denied' })",
            None,
        ),
        (
            "insecure",
            "Object.defineProperty(window, 'isSecureContext', { get: () => false })",
            None,
        ),
        ("unsupported", "delete window.PushManager", None),
        (
            "ios",
            "delete window.PushManager",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)",
        ),
        (
            "off",
            "Object.defineProperty(Notification, 'permission', { get: () => 'default' })",
            None,
        ),
    ],
)
async def test_why_a_browser_is_not_notified_is_said(
    browser: Chromium,
    nod: InProcess,
    ada: Credentials,
    state: str,
    script: str,
    agent: str | None,
) -> None:
    assert ada.secret
    options = {} if agent is None else {"user_agent": agent}
    async with visiting(browser, nod.url, service_workers="allow", **options) as visit:
        await sign_in(visit, nod)
        await visit.context.add_init_script(script)
        page = await visit.page(PAGE)
        await expect(page.locator(f"[data-state={state}]")).to_be_visible()
        await expect(page.locator("[data-state]:visible")).to_have_count(1)


async def test_a_refusal_of_the_push_service_is_said(
    browser: Chromium, nod: InProcess, ada: Credentials
) -> None:
    assert ada.secret
    async with visiting(browser, nod.url, service_workers="allow") as visit:
        await sign_in(visit, nod)
        await visit.context.grant_permissions(["notifications"], origin=nod.url)
        refuse = "PushManager.prototype.subscribe = () => Promise.reject(new Error('no service'))"
        await visit.context.add_init_script(refuse)
        page = await visit.page(PAGE)
        await page.get_by_role("button", name="Turn on in this browser").click()
        await expect(page.get_by_role("alert")).to_have_text("That did not work: no service")
        await expect(page.locator("[data-state=allowed]")).to_be_visible()
