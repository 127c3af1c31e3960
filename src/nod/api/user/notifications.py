"""Where a person is notified, when not, and what they were told."""

import asyncio

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from nod.actions import notifications
from nod.actions.notifications import SettingsFields, TargetChanges, address_shown, clock
from nod.api.auth import require_user
from nod.api.paging import next_link, page_size
from nod.api.views import at
from nod.app import Nod
from nod.delivery.address_guard import AddressGuard
from nod.domain.instant import rfc3339
from nod.domain.model import Notice, NotifyTarget, User
from nod.notify.apprise_sender import check_apprise
from nod.notify.push import Keys, Subscription, check_subscription
from nod.store.chat import LAST_ID
from nod.store.store import Tx


class TargetFields(msgspec.Struct):
    """An Apprise URL, and how the person calls it."""

    url: str
    label: str = ""


class SubscriptionFields(msgspec.Struct):
    """A browser's PushSubscription as `toJSON()` gives it, and how the person calls it."""

    endpoint: str
    keys: Keys
    label: str = ""


class TargetView(msgspec.Struct, kw_only=True):
    """Where a person is notified. `address` shows the service, and nothing secret."""

    id: str
    kind: str
    label: str
    address: str
    enabled: bool
    failing_since: str | None
    error: str | None
    created_at: str
    used_at: str | None


class TestView(msgspec.Struct):
    """What came of a test."""

    ok: bool
    error: str | None


class VapidKeyView(msgspec.Struct):
    """The server's public key, as `applicationServerKey` takes it."""

    public_key: str


class SettingsView(msgspec.Struct):
    """Quiet hours and morning as `HH:MM` in the person's zone."""

    timezone: str
    quiet_from: str | None
    quiet_until: str | None
    quiet_requests: bool
    morning_at: str | None


class NoticeView(msgspec.Struct, kw_only=True):
    """One thing the person was told, or is to be told at `not_before`."""

    id: str
    kind: str
    title: str
    text: str
    path: str
    state: str
    agent_id: str | None
    task_id: str | None
    task_run_id: str | None
    decision_id: str | None
    created_at: str
    not_before: str
    settled_at: str | None
    attempts: int
    error: str | None


def _target_view(nod: Nod, each: NotifyTarget) -> TargetView:
    return TargetView(
        id=each.id,
        kind=each.kind,
        label=each.label,
        address=address_shown(nod.vault, each),
        enabled=each.enabled,
        failing_since=at(each.failing_since),
        error=each.error,
        created_at=rfc3339(each.created_at),
        used_at=at(each.used_at),
    )


def _settings_view(user: User) -> SettingsView:
    return SettingsView(
        user.timezone,
        clock(user.quiet_from),
        clock(user.quiet_until),
        user.quiet_requests,
        clock(user.morning_at),
    )


def _notice_view(each: Notice) -> NoticeView:
    return NoticeView(
        id=each.id,
        kind=each.kind,
        title=each.title,
        text=each.text,
        path=each.path,
        state=each.state,
        agent_id=each.agent_id,
        task_id=each.task_id,
        task_run_id=each.run_id,
        decision_id=each.decision_id,
        created_at=rfc3339(each.created_at),
        not_before=rfc3339(each.not_before),
        settled_at=at(each.settled_at),
        attempts=each.attempts,
        error=each.error,
    )


class Notifications(Controller):
    """Notifications: where, when, and which there were."""

    path = "/api/notifications"
    tags = ("Notifications",)
    guards = (require_user,)

    @get()
    async def list_notices(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[NoticeView]]:
        """What the person was told, newest first."""
        size = page_size(limit, nod.limits)
        found = await nod.store.read(
            lambda tx: notifications.list_notices(tx, user, size, cursor or LAST_ID)
        )
        headers = {}
        if len(found) == size:
            headers = next_link(self.path, {"limit": limit, "cursor": found[-1].id})
        return Response([_notice_view(each) for each in found], headers=headers)

    @get("/targets")
    async def list_targets(
        self, nod: NamedDependency[Nod], user: NamedDependency[User]
    ) -> list[TargetView]:
        """Where the person is notified, the oldest first."""
        found = await nod.store.read(lambda tx: notifications.list_targets(tx, user))
        return [_target_view(nod, each) for each in found]

    @post("/targets")
    async def add_target(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], data: JSONBody[TargetFields]
    ) -> TargetView:
        """Add an Apprise URL (ntfy, Telegram, Slack, e-mail and many more). It is stored sealed."""
        url = await asyncio.to_thread(check_apprise, data.url.strip(), nod.limits)
        made = await nod.store.write(
            lambda tx: notifications.add_apprise(tx, nod.vault, user, url, data.label)
        )
        return _target_view(nod, made)

    @patch("/targets/{target_id:str}")
    async def change_target(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        target_id: FromPath[str],
        data: JSONBody[TargetChanges],
    ) -> TargetView:
        """Give it another name, or switch it on or off."""

        async def change(tx: Tx) -> NotifyTarget:
            target = await notifications.get_target(tx, user, target_id)
            return await notifications.change_target(tx, target, data)

        return _target_view(nod, await nod.store.write(change))

    @delete("/targets/{target_id:str}", status_code=204)
    async def remove_target(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], target_id: FromPath[str]
    ) -> None:
        """Notify the person there no more."""
        target = await nod.store.read(lambda tx: notifications.get_target(tx, user, target_id))
        await nod.store.write(lambda tx: notifications.remove_target(tx, target))

    @post("/targets/{target_id:str}/test", status_code=200)
    async def test_target(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], target_id: FromPath[str]
    ) -> TestView:
        """Send a test now. One that works switches a disabled target on again."""
        target = await nod.store.read(lambda tx: notifications.get_target(tx, user, target_id))
        outcome = await nod.notifier.test(target)
        await nod.store.write(lambda tx: notifications.record_test(tx, target.id, outcome))
        return TestView(outcome.error is None, outcome.error)

    @post("/push-subscriptions")
    async def subscribe(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        data: JSONBody[SubscriptionFields],
    ) -> TargetView:
        """Notify the person in this browser: its PushSubscription, as `toJSON()` gives it."""
        guard = AddressGuard(nod.settings.allow_webhook_nets)
        given = check_subscription(Subscription(data.endpoint, data.keys), guard, nod.limits)
        made = await nod.store.write(
            lambda tx: notifications.add_subscription(tx, nod.vault, user, given, data.label)
        )
        return _target_view(nod, made)

    @get("/vapid-key")
    async def vapid_key(self, nod: NamedDependency[Nod]) -> VapidKeyView:
        """The public key that a browser subscribes with."""
        return VapidKeyView((await nod.notifier.vapid()).public_key)

    @get("/settings")
    async def get_settings(self, user: NamedDependency[User]) -> SettingsView:
        """Quiet hours and morning."""
        return _settings_view(user)

    @patch("/settings")
    async def change_settings(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], data: JSONBody[SettingsFields]
    ) -> SettingsView:
        """Change quiet hours and morning; what is not there stays, null clears it."""
        changed = await nod.store.write(lambda tx: notifications.change_settings(tx, user, data))
        return _settings_view(changed)
