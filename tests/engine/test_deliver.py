"""Delivery when the store or one event is in trouble: the rest goes on, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from nod.delivery.address_guard import AddressGuard
from nod.delivery.sockets import Framed, Push, Socket, Sockets
from nod.delivery.webhook import Answer, WebhookSender
from nod.domain.model import Event, Task
from nod.engine import deliver as delivering
from nod.engine import webhooks as sending
from nod.engine.aside import Aside
from nod.engine.attempts import Attempt, acknowledge, record_attempt, replay
from nod.engine.deliver import Deliverer
from nod.engine.fire import run_now
from nod.engine.node import Node
from nod.engine.rush import Rush
from nod.engine.webhooks import Webhooks
from nod.store.effects import Effects, Outgoing
from nod.store.store import Work
from support.databases import accept, execute, refuse
from support.inprocess import until
from support.world import World


@dataclass
class Delivery:
    """The delivery stage on a world, without a server in front."""

    world: World
    deliverer: Deliverer
    webhooks: Webhooks

    async def event(self, task: Task) -> Event:
        """A run's event, committed."""
        run = await self.world.store.write(lambda tx: run_now(tx, task))
        (found,) = await self.world.store.read(lambda tx: tx.events.of_run(run.id))
        return found

    async def state(self, event: Event) -> str:
        found = await self.world.store.read(lambda tx: tx.events.get(event.id))
        return "gone" if found is None else found.state

    def open(self, *, strict: bool = True) -> Socket:
        """A connection whose writer is the test."""
        world = self.world
        socket = Socket(
            world.agent.id,
            world.agent.secret_hash,
            strict=strict,
            clock=world.clock,
            limits=world.limits,
        )
        self.deliverer.opened(socket)
        return socket


async def sent(socket: Socket) -> Push:
    """The next push, sent as the connection's writer does."""
    frame = await asyncio.wait_for(socket.frames.get(), 20)
    assert isinstance(frame, Framed)
    socket.sent(frame.push)
    return frame.push


@pytest.fixture
async def delivery(world: World) -> AsyncIterator[Delivery]:
    sender = WebhookSender(AddressGuard(()), world.limits, world.clock)
    aside = Aside("event", world.clock, lambda _: None)
    webhooks = Webhooks(world.store, sender, world.vault, world.clock, world.limits, aside, Node())
    deliverer = Deliverer(
        world.store, Sockets(), webhooks, world.clock, world.limits, Rush(), aside, Node()
    )
    before = world.store.on_commit

    def committed(effects: Effects) -> None:
        before(effects)
        deliverer.take(effects.outbox)

    world.store.on_commit = committed
    yield Delivery(world, deliverer, webhooks)
    await deliverer.close()
    await sender.close()


@pytest.fixture
async def task(world: World) -> Task:
    return await world.task(overlap="allow")


async def test_an_acknowledgement_waits_for_a_store_that_is_away(
    delivery: Delivery, task: Task
) -> None:
    event = await delivery.event(task)
    socket = delivery.open()
    push = await sent(socket)
    await delivery.world.store.close()
    delivery.deliverer.acknowledged(socket, push.event.id)
    await asyncio.sleep(0)
    await delivery.world.store.start()
    await until(lambda: is_in(delivery, event, "acknowledged"))


async def is_in(delivery: Delivery, event: Event, state: str) -> bool:
    return await delivery.state(event) == state


async def test_a_socket_gets_its_events_when_the_store_is_back(
    delivery: Delivery, task: Task
) -> None:
    event = await delivery.event(task)
    await delivery.world.store.close()
    socket = delivery.open()
    await asyncio.sleep(0)
    await delivery.world.store.start()
    assert (await sent(socket)).event.id == event.id


async def test_one_acknowledgement_that_cannot_be_stored_holds_up_no_other(
    delivery: Delivery, task: Task, tmp_path: Path
) -> None:
    gone = await delivery.event(task)
    socket = delivery.open()
    await sent(socket)
    await execute(tmp_path, f"DELETE FROM events WHERE id = '{gone.id}'")  # noqa: S608 - our own id
    delivery.deliverer.acknowledged(socket, gone.id)
    event = await delivery.event(task)
    await sent(socket)
    await until(lambda: not delivery.deliverer._unwritten)
    delivery.deliverer.acknowledged(socket, event.id)
    await until(lambda: is_in(delivery, event, "acknowledged"))


async def test_one_acknowledgement_that_cannot_be_stored_is_not_asked_for_again_at_once(
    delivery: Delivery, task: Task, tmp_path: Path
) -> None:
    world, deliverer = delivery.world, delivery.deliverer
    bad, good = await delivery.event(task), await delivery.event(task)
    await refuse(tmp_path, "events", bad.id)
    socket = delivery.open()
    for push in [await sent(socket), await sent(socket)]:
        deliverer.acknowledged(socket, push.event.id)
    await until(lambda: is_in(delivery, good, "acknowledged"))
    assert await delivery.state(bad) == "pending"
    deliverer.closed(socket)
    socket = delivery.open()
    await until(lambda: not socket.syncing)
    assert await deliverer.look() == world.clock.now() + 60_000
    assert socket.frames.empty()
    await accept(tmp_path, "events")
    world.clock.advance(60)
    assert await deliverer.look() is None
    deliverer.acknowledged(socket, (await sent(socket)).event.id)
    await until(lambda: is_in(delivery, bad, "acknowledged"))


async def test_a_socket_whose_events_cannot_be_read_is_tried_again(
    delivery: Delivery, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "_AFTER_ERROR_S", 0.05)
    event = await delivery.event(task)
    await execute(tmp_path, "ALTER TABLE run_payloads RENAME TO elsewhere")
    with capture_logs() as lines:
        socket = delivery.open()
        await until(lambda: lines)
    assert lines[0]["event"] == "a socket's events cannot be read"
    await execute(tmp_path, "ALTER TABLE elsewhere RENAME TO run_payloads")
    assert (await sent(socket)).event.id == event.id


async def test_an_attempt_that_was_made_is_stored_when_the_store_is_back(
    delivery: Delivery, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_AGAIN_S", 0.01)
    store = delivery.world.store
    event = await delivery.event(task)
    await store.close()
    with capture_logs() as lines:
        storing = asyncio.create_task(delivery.webhooks._store_attempt(failed(event, 0)))
        await until(lambda: len(lines) > 1)
    assert {line["event"] for line in lines} == {"an attempt waits to be stored"}
    await store.start()
    await storing
    (attempt,) = await store.read(lambda tx: tx.events.deliveries_of_event(event.id))
    assert (attempt.outcome, attempt.error) == ("http_error", "HTTP status 500")


async def test_an_acknowledgement_that_comes_while_a_failed_push_is_stored_is_stored_too(
    delivery: Delivery, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliverer, store = delivery.deliverer, delivery.world.store
    event = await delivery.event(task)
    older = delivery.open()
    await sent(older)
    write = store.write

    async def and_meanwhile(work: Work[Any]) -> Any:
        monkeypatch.setattr(store, "write", write)
        newer = delivery.open()
        deliverer.acknowledged(newer, (await sent(newer)).event.id)
        return await write(work)

    monkeypatch.setattr(store, "write", and_meanwhile)
    deliverer.closed(older)
    await until(lambda: is_in(delivery, event, "acknowledged"))
    found = await store.read(lambda tx: tx.events.deliveries_of_event(event.id))
    assert sorted(each.outcome for each in found) == ["dropped", "ok"]


async def test_webhooks_wait_for_a_store_that_is_away(delivery: Delivery) -> None:
    await delivery.world.store.close()
    with capture_logs() as lines:
        delivery.webhooks.wake(delivery.world.agent.id)
        await until(lambda: lines)
    assert lines[0]["event"] == "webhooks wait"
    await delivery.world.store.start()


async def test_webhooks_of_which_the_events_cannot_be_read_end_nobody_elses(
    delivery: Delivery, tmp_path: Path
) -> None:
    world = delivery.world
    hooked = replace(world.agent, webhook_url="https://ada.example/hook")
    await world.store.write(lambda tx: tx.people.update_agent(hooked))
    await execute(tmp_path, "ALTER TABLE run_payloads RENAME TO elsewhere")
    with capture_logs() as lines:
        delivery.webhooks.wake(world.agent.id)
        await until(lambda: lines)
    assert lines[0]["event"] == "webhooks failed and are tried again"
    await execute(tmp_path, "ALTER TABLE elsewhere RENAME TO run_payloads")


async def test_the_news_of_a_commit_that_comes_after_its_event_was_read_pushes_nothing_twice(
    delivery: Delivery, task: Task
) -> None:
    event = await delivery.event(task)
    socket = delivery.open()
    await sent(socket)
    await until(lambda: not socket.syncing)
    delivery.deliverer.take([Outgoing(event)])
    delivery.deliverer.acknowledged(socket, event.id)
    delivery.deliverer.take([Outgoing(event)])
    assert socket.frames.empty()


async def test_closing_stops_what_is_being_read(delivery: Delivery, task: Task) -> None:
    await delivery.event(task)
    socket = delivery.open()
    await delivery.deliverer.close()
    await asyncio.sleep(0)
    assert socket.frames.empty()


# other nodes


async def test_what_has_ended_on_another_node_makes_room_here(
    delivery: Delivery, task: Task
) -> None:
    first = await delivery.event(task)
    socket = delivery.open()
    assert (await sent(socket)).event.id == first.id
    await until(lambda: not socket.behind and not socket.syncing)
    delivery.world.store.on_commit = lambda _: None  # nobody tells of the second
    second = await delivery.event(task)
    socket.behind = True
    delivery.deliverer.ended_elsewhere(delivery.world.agent.id, event_id="evt_other")
    assert socket.frames.empty()
    world = delivery.world
    await world.store.write(lambda tx: acknowledge(tx, world.agent, first.id))
    delivery.deliverer.ended_elsewhere(world.agent.id, event_id=first.id)
    assert (await sent(socket)).event.id == second.id


async def test_an_api_sends_no_webhook_for_an_agent_that_has_just_left(
    delivery: Delivery, task: Task
) -> None:
    event = await delivery.event(task)
    assert delivery.webhooks.may_send(event)
    delivery.deliverer._node.role = "api"
    assert not delivery.webhooks.may_send(event)


# attempts of events that changed meanwhile


def failed(event: Event, attempts: int) -> Attempt:
    answer = Answer(500, "http_error", error="HTTP status 500")
    return Attempt(replace(event, attempts=attempts), "dlv_1", "http://127.0.0.1:1/", answer, 0.0)


async def test_after_the_last_attempt_the_event_waits_for_another_channel(
    delivery: Delivery, task: Task
) -> None:
    world = delivery.world
    event = await delivery.event(task)
    url = "http://127.0.0.1:1/"
    await world.store.write(
        lambda tx: tx.people.update_agent(replace(world.agent, webhook_url=url))
    )
    await world.store.write(lambda tx: record_attempt(tx, failed(event, 30)))
    found = await world.store.read(lambda tx: tx.events.get(event.id))
    assert found is not None
    assert (found.state, found.attempts, found.attempt_at) == ("pending", 31, None)
    assert world.facts[-1].fields["next_s"] is None


async def test_an_attempt_for_an_agent_removed_meanwhile_is_the_last(
    delivery: Delivery, task: Task
) -> None:
    world = delivery.world
    event = await delivery.event(task)
    await world.store.write(lambda tx: tx.people.remove_agent(world.agent.id, tx.now))
    await world.store.write(lambda tx: record_attempt(tx, failed(event, 0)))
    found = await world.store.read(lambda tx: tx.events.get(event.id))
    assert found is not None
    assert found.attempt_at is None


async def test_an_event_removed_while_it_is_replayed_is_said(
    delivery: Delivery, task: Task
) -> None:
    # The guarded change fails for what is not there; see test_polling for one that has changed.
    event = replace(await delivery.event(task), state="dead")
    with pytest.raises(Exception, match="look at it again"):
        await delivery.world.store.write(lambda tx: replay(tx, event))
