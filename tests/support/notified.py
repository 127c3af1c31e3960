"""A person who is notified: targets that lead to real receivers, and the stage that sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_network
from typing import Any

from nod.actions import notifications
from nod.actions.act import buttons
from nod.delivery.address_guard import AddressGuard
from nod.domain.model import Notice, NotifyTarget, Run, Task
from nod.engine import ending, settle
from nod.engine.fire import run_now
from nod.engine.notifier import Notifier
from nod.notify.apprise_sender import AppriseSender
from nod.notify.push import PushSender
from nod.store.chat import LAST_ID
from nod.store.store import Tx
from support.push_service import Browser
from support.world import World

LOCAL = AddressGuard([ip_network("127.0.0.0/8")])


@asynccontextmanager
async def notifying(world: World) -> AsyncIterator[Notifier]:
    """The stage, whose `look` the test calls."""
    notifier = Notifier(
        world.store,
        PushSender(LOCAL, world.limits, world.clock),
        AppriseSender(LOCAL, world.limits),
        world.vault,
        world.clock,
        world.limits,
        "https://nod.example.org",
        partial(buttons, world.vault, world.limits),
        lambda _facts: None,
    )
    try:
        yield notifier
    finally:
        await notifier.close()


async def look(notifier: Notifier) -> None:
    """Send everything that is due, and what comes due by that."""
    idle = 0
    while idle < 2:
        await notifier.look()
        idle = 0 if notifier._sending else idle + 1
        await asyncio.wait_for(asyncio.gather(*notifier._sending), 30)


def tick(world: World) -> None:
    """A millisecond passes, so that what is made now is newer than what was made before."""
    world.clock.advance(0.001)


async def subscribe(world: World, browser: Browser, label: str = "Pixel") -> NotifyTarget:
    """The person's browser subscribes."""
    tick(world)
    return await world.store.write(
        lambda tx: notifications.add_subscription(
            tx, world.vault, world.owner, browser.subscription, label
        )
    )


async def add_apprise(world: World, url: str) -> NotifyTarget:
    """The person adds an Apprise URL."""
    return await world.store.write(
        lambda tx: notifications.add_apprise(tx, world.vault, world.owner, url, "")
    )


async def run_once(
    world: World, task: Task, summary: str = "All good", outcome: Any = "completed"
) -> Run:
    """A run of the task that the agent brings to its end."""
    tick(world)

    async def go(tx: Tx) -> Run:
        run = await run_now(tx, task)
        return await settle.complete(tx, world.agent, run.id, outcome, summary)

    return await world.store.write(go)


async def time_out(world: World, task: Task) -> Run:
    """A run of the task that nothing is heard of."""
    tick(world)

    async def go(tx: Tx) -> Run:
        run = await settle.take_up(tx, await run_now(tx, task))
        return await ending.end(tx, run, "time_out", error="timeout: no sign of life for 1 h")

    return await world.store.write(go)


async def notices(world: World) -> list[Notice]:
    """What the person was told, the oldest first."""
    found = await world.store.read(
        lambda tx: notifications.list_notices(tx, world.owner, 100, LAST_ID)
    )
    return found[::-1]


async def targets(world: World) -> list[NotifyTarget]:
    """Where the person is notified."""
    return await world.store.read(lambda tx: notifications.list_targets(tx, world.owner))


async def settings(world: World, **given: Any) -> None:
    """The person sets quiet hours or the morning."""
    tick(world)
    fields = notifications.SettingsFields(**given)

    async def change(tx: Tx) -> None:
        user = await tx.people.user(world.owner.id)
        assert user is not None
        await notifications.change_settings(tx, user, fields)

    await world.store.write(change)
