"""How a person is notified: in which browsers and by which services, and when not."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import notifications
from nod.actions.notifications import SettingsFields, TargetChanges, clock, get_target, minutes
from nod.delivery.address_guard import AddressGuard
from nod.domain.errors import InvalidInput, TooMany
from nod.domain.model import Notice, NotifyTarget, Task, User
from nod.domain.quiet import has_quiet_hours, is_quiet, morning_after, quiet_end
from nod.notify.apprise_sender import check_apprise
from nod.notify.outcome import Outcome
from nod.notify.push import Keys, Subscription, check_subscription
from nod.secrets import WrongSecretKey
from nod.store.chat import LAST_ID
from nod.store.store import Tx
from nod.web.notices import told
from nod.web.places import place
from nod.web.start import said, typed
from nod.web.view import Viewer

_LATELY = 5
_QUIET = ("22:00", "07:00")  # what is proposed to somebody who has no quiet hours
_MORNING = "07:30"
_NO_TIME = "This must be a time of the day such as 22:00."
_LOUDNESS = {
    "always": "every result",
    "failures": "only failures",
    "changes": "only when the result changed",
    "silent": "nothing",
}
EXAMPLES = (
    ("ntfy", "ntfys://ntfy.sh/your-topic", "Subscribe to the topic in the ntfy app."),
    (
        "Telegram",
        "tgram://123456789:AbCdEf0123456789/987654321",
        "The token that BotFather gives for a bot, and the id of your chat with it.",
    ),
    (
        "Slack",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alarms",
        "The three parts of an incoming webhook's address, and the channel.",
    ),
    (
        "E-mail",
        "mailtos://ann:app-password@example.org?smtp=mail.example.org&to=ann@example.org",
        "Account and password of your mail server, its address, and who gets it.",
    ),
)
_DONE = {
    "here": "Nod reaches you in this browser now. Send a test to see it.",
    "places": "Saved.",
    "added": "Added. Send a test to see whether it arrives.",
    "removed": "Removed. Nothing goes there any more.",
    "when": "Saved.",
}


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed, for each field that could not be taken why, and what a test has shown."""

    fields: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    trial: tuple[str, Outcome] | None = None  # of the target with that id


class Stored(NamedTuple):
    """What the page shows of the database."""

    targets: list[NotifyTarget]
    notices: list[Notice]
    tasks: list[Task]
    agents: dict[str, str]  # names by id


_NOTHING = Given()


@get("/settings/notifications")
async def page(viewer: NamedDependency[Viewer], done: FromQuery[str] = "") -> Response[bytes]:
    """Targets, quiet hours, what was told lately. `done` names what was just done."""
    return await _page(viewer, done=done)


async def _page(viewer: Viewer, given: Given = _NOTHING, done: str = "") -> Response[bytes]:
    nod, times = viewer.nod, viewer.times
    stored = await nod.store.read(lambda tx: _look(tx, viewer.user))
    made = await viewer.page(
        "settings/notifications.html",
        places=[place(nod.vault, each, times) for each in stored.targets],
        told=[told(each, times) for each in stored.notices],
        tasks=stored.tasks,
        agents=stored.agents,
        loudness=_LOUDNESS,
        examples=EXAMPLES,
        key=await _key(viewer),
        typed={**_own(viewer.user), **given.fields},
        errors=given.errors,
        trial=given.trial,
        done={each: words if each == done else "" for each, words in _DONE.items()},
        now_quiet=_now_quiet(viewer),
        next_card=morning_after(viewer.user, viewer.now),
    )
    made.status_code = 400 if given.errors else 200
    return made


async def _look(tx: Tx, user: User) -> Stored:
    agents = await tx.people.agents_of(user.id)
    return Stored(
        await notifications.list_targets(tx, user),
        await notifications.list_notices(tx, user, _LATELY, LAST_ID),
        await tx.tasks.of_user(user.id),
        {each.id: each.name for each in agents},
    )


async def _key(viewer: Viewer) -> str:
    """What a browser subscribes with; empty when it cannot be read."""
    try:
        return (await viewer.nod.notifier.vapid()).public_key
    except WrongSecretKey:
        return ""


def _own(user: User) -> dict[str, str]:
    """The fields as they are set, or as they are proposed."""
    is_on = has_quiet_hours(user)
    return {
        "url": "",
        "label": "",
        "quiet": "yes" if is_on else "",
        "quiet_from": (clock(user.quiet_from) if is_on else None) or _QUIET[0],
        "quiet_until": (clock(user.quiet_until) if is_on else None) or _QUIET[1],
        "requests": "" if user.quiet_requests else "yes",
        "morning": "" if user.morning_at is None else "yes",
        "morning_at": clock(user.morning_at) or _MORNING,
    }


def _now_quiet(viewer: Viewer) -> str:
    """Until when it is quiet just now; empty when it is not."""
    if not is_quiet(viewer.user, viewer.now):
        return ""
    return viewer.times.clock(quiet_end(viewer.user, viewer.now))


def _done(viewer: Viewer, what: str, part: str) -> Response[bytes]:
    return viewer.go(f"/settings/notifications?done={what}#{part}")


# where


@post("/settings/notifications/push", status_code=200)
async def subscribe(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Notify the person in this browser, which has subscribed."""
    nod = viewer.nod
    given = await typed(viewer.request, "endpoint", "p256dh", "auth")
    try:
        guard = AddressGuard(nod.settings.allow_webhook_nets)
        keys = Keys(given["p256dh"], given["auth"])
        found = check_subscription(Subscription(given["endpoint"], keys), guard, nod.limits)
        await nod.store.write(
            lambda tx: notifications.add_subscription(
                tx, nod.vault, viewer.user, found, "", viewer.session.browser
            )
        )
    except (InvalidInput, TooMany) as error:
        return await _page(viewer, Given(errors={"push": said(error)}))
    return _done(viewer, "here", "here")


@post("/settings/notifications/targets", status_code=200)
async def add(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Notify the person by an Apprise URL."""
    nod = viewer.nod
    given = await typed(viewer.request, "url", "label")
    try:
        url = await asyncio.to_thread(check_apprise, given["url"].strip(), nod.limits)
        await nod.store.write(
            lambda tx: notifications.add_apprise(tx, nod.vault, viewer.user, url, given["label"])
        )
    except (InvalidInput, TooMany) as error:
        at = "label" if error.detail.startswith("label") else "url"
        return await _page(viewer, Given(given, {at: said(error)}))
    return _done(viewer, "added", "places")


@post("/settings/notifications/targets/{target_id:str}", status_code=200)
async def rename(viewer: NamedDependency[Viewer], target_id: FromPath[str]) -> Response[bytes]:
    """Call the target something else."""
    label = (await typed(viewer.request, "label"))["label"]
    try:
        await _change(viewer, target_id, TargetChanges(label=label))
    except InvalidInput as error:
        at = f"label-{target_id}"
        return await _page(viewer, Given({at: label}, {at: said(error)}))
    return _done(viewer, "places", "places")


@post("/settings/notifications/targets/{target_id:str}/switch", status_code=200)
async def switch(viewer: NamedDependency[Viewer], target_id: FromPath[str]) -> Response[bytes]:
    """Use the target, or do not."""
    wanted = (await typed(viewer.request, "on"))["on"] == "1"
    await _change(viewer, target_id, TargetChanges(enabled=wanted))
    return await _page(viewer) if viewer.part is not None else _done(viewer, "places", "places")


async def _change(viewer: Viewer, target_id: str, given: TargetChanges) -> None:
    async def change(tx: Tx) -> None:
        target = await get_target(tx, viewer.user, target_id)
        await notifications.change_target(tx, target, given)

    await viewer.nod.store.write(change)


@post("/settings/notifications/targets/{target_id:str}/test", status_code=200)
async def test(viewer: NamedDependency[Viewer], target_id: FromPath[str]) -> Response[bytes]:
    """Send a test there now, and show what came of it."""
    nod = viewer.nod
    target = await nod.store.read(lambda tx: get_target(tx, viewer.user, target_id))
    outcome = await nod.notifier.test(target)
    await nod.store.write(lambda tx: notifications.record_test(tx, target.id, outcome))
    return await _page(viewer, Given(trial=(target.id, outcome)))


@post("/settings/notifications/targets/{target_id:str}/remove", status_code=200)
async def remove(viewer: NamedDependency[Viewer], target_id: FromPath[str]) -> Response[bytes]:
    """Notify the person there no more."""

    async def take_away(tx: Tx) -> None:
        await notifications.remove_target(tx, await get_target(tx, viewer.user, target_id))

    await viewer.nod.store.write(take_away)
    return _done(viewer, "removed", "places")


# when


@post("/settings/notifications/when", status_code=200)
async def set_times(viewer: NamedDependency[Viewer]) -> Response[bytes]:
    """Set the quiet hours, what passes them, and the morning card."""
    names = ("quiet", "quiet_from", "quiet_until", "requests", "morning", "morning_at")
    given = await typed(viewer.request, *names)
    errors = _wrong_times(given)
    if errors:
        return await _page(viewer, Given(given, errors))
    wanted = SettingsFields(
        quiet_from=given["quiet_from"] if given["quiet"] else None,
        quiet_until=given["quiet_until"] if given["quiet"] else None,
        quiet_requests=not given["requests"],
        morning_at=given["morning_at"] if given["morning"] else None,
    )
    await viewer.nod.store.write(lambda tx: notifications.change_settings(tx, viewer.user, wanted))
    return _done(viewer, "when", "when")


def _wrong_times(given: dict[str, str]) -> dict[str, str]:
    """Why the times that are wanted cannot be."""
    wanted = ["quiet_from", "quiet_until"] if given["quiet"] else []
    wanted += ["morning_at"] if given["morning"] else []
    errors = {name: _NO_TIME for name in wanted if not _is_time(given[name])}
    if given["quiet"] and not errors and given["quiet_from"] == given["quiet_until"]:
        errors["quiet_until"] = "From a time to the same time is no time at all."
    return errors


def _is_time(text: str) -> bool:
    try:
        minutes(text, "")
    except InvalidInput:
        return False
    return True


routes = [page, subscribe, add, rename, switch, test, remove, set_times]
