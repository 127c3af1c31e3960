"""A Chromium that is notified: its subscription, its service worker, what it shows.

No push service of a browser's maker is reached from a test. The subscription is a stand-in with
real keys, whose messages arrive at a real receiver; they are opened, and handed to the service
worker as the browser itself hands them on.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import CDPSession, Page, Worker

from support.inprocess import PATIENCE_S, until
from support.page import Visit, Watch, holds
from support.push_service import Browser
from support.receiver import Receiver

_AGAIN_S = 3.0
_STAND_IN = """(() => {
  const found = () => {
    const kept = sessionStorage.getItem("subscription");
    if (!kept) return null;
    const json = JSON.parse(kept);
    const unsubscribe = async () => sessionStorage.removeItem("subscription") ?? true;
    return { endpoint: json.endpoint, toJSON: () => json, unsubscribe };
  };
  PushManager.prototype.getSubscription = async () => found();
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (!userVisibleOnly || applicationServerKey.length !== 87) throw new Error("no key");
    sessionStorage.setItem("subscription", JSON.stringify(SUBSCRIPTION));
    return found();
  };
})()"""
_SHOWN = """navigator.serviceWorker.ready.then((ready) => ready.getNotifications()).then((all) =>
  all.map(({ title, body, tag, data, actions }) =>
    ({ title, body, tag, path: data.path, actions: actions.map((each) => each.title) })))"""
_CLICK = """async ([tag, action]) => {
  const [notification] = await self.registration.getNotifications({ tag });
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification, action }));
}"""


@dataclass
class Notified:
    """A page in a browser that Nod may notify, and what arrives for it."""

    page: Page
    watch: Watch
    browser: Browser
    service: Receiver
    cdp: CDPSession
    origin: str
    _read: int = field(default=0)

    async def delivered(self) -> dict[str, Any]:
        """The next message that was sent, after the browser's service worker had it."""
        await until(lambda: len(self.service.calls) > self._read)
        message = self.browser.read(self.service.calls[self._read])
        self._read += 1
        await self.deliver(message)
        return message

    async def deliver(self, message: dict[str, Any]) -> None:
        """Hand a message to the service worker, and wait until it is shown."""
        sent = {
            "origin": self.origin,
            "registrationId": await self._registration(),
            "data": json.dumps(message),
        }
        # Chromium loses one now and then that is handed in by this door.
        async with asyncio.timeout(PATIENCE_S):
            while not await self._is_shown(message["tag"], sent):
                pass

    async def _is_shown(self, tag: str, sent: dict[str, Any]) -> bool:
        """Whether it shows within a while after it was handed in."""
        await self.cdp.send("ServiceWorker.deliverPushMessage", sent)
        with suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_S):
                while True:
                    if any(each["tag"] == tag for each in await self.shown()):
                        return True
                    await asyncio.sleep(0.02)
        return False

    async def _registration(self) -> str:
        seen: list[str] = []

        def note(event: Any) -> None:
            seen.extend(each["registrationId"] for each in event["registrations"])

        self.cdp.on("ServiceWorker.workerRegistrationUpdated", note)
        await self.cdp.send("ServiceWorker.disable")
        await self.cdp.send("ServiceWorker.enable")
        await until(lambda: seen)
        return seen[-1]

    async def shown(self) -> list[dict[str, Any]]:
        """The notifications on the device."""
        found: list[dict[str, Any]] = await self.page.evaluate(_SHOWN)
        return found

    @property
    def worker(self) -> Worker:
        (found,) = self.page.context.service_workers
        return found

    async def click(self, tag: str, action: str = "") -> None:
        """Touch the notification, or the button on it that is called `action`."""
        await self.worker.evaluate(_CLICK, [tag, action])


async def notified(visit: Visit, browser: Browser, service: Receiver) -> Notified:
    """A page in the visit's browser, which may be notified and has not subscribed."""
    await visit.context.grant_permissions(["notifications"], origin=visit.url)
    script = _STAND_IN.replace("SUBSCRIPTION", json.dumps(browser.as_json))
    await visit.context.add_init_script(script)
    page = await visit.page("/settings/notifications")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await holds(page, "navigator.serviceWorker.controller !== null")
    cdp = await visit.context.new_cdp_session(page)
    return Notified(page, visit.watch, browser, service, cdp, visit.url)
