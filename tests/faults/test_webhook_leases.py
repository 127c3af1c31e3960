"""What a node has in hand for a webhook is its own as long as it is there, and then the others'."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from faults.test_cluster import cluster
from faults.test_kill import plan
from nod.domain.errors import Unavailable
from nod.engine import webhooks
from nod.engine.attempts import record_attempt
from support.databases import execute, url_of
from support.inprocess import InProcess, until
from support.nodes import two_nodes
from support.postgres import connected
from support.receiver import HANG, OK, Receiver, receiving

Nodes = tuple[InProcess, InProcess]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with two_nodes(tmp_path, "notify") as both:
        yield both


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def test_what_a_node_had_in_hand_another_sends_once_that_is_gone(
    pair: Nodes, hook: Receiver, tmp_path: Path
) -> None:
    one, other = pair
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    far = one.nod.clock.now() * 2
    await execute(tmp_path, f"INSERT INTO nodes VALUES ('node_killed', {far})")  # noqa: S608
    for node in pair:
        node.nod._node.is_seen = False  # so that neither takes it before it is the other's
    (run_id,) = await one.fire(task)
    await execute(tmp_path, "UPDATE events SET leased_by = 'node_killed'")
    for node in pair:
        await node.nod._presence.look()
        await node.nod.deliverer.look()
    async with other.peer(ada) as peer:
        assert await peer.is_quiet()
    assert hook.calls == []
    await execute(tmp_path, "UPDATE nodes SET seen_at = 0 WHERE id = 'node_killed'")
    assert (await other.until_settled(run_id)).channel == "webhook"
    assert hook.most_at_once == 1


async def test_a_node_that_cannot_be_seen_breaks_off_before_another_begins(
    pair: Nodes, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    hook.answers = [HANG]
    (run_id,) = await one.fire(task)
    await until(lambda: hook.calls)

    async def away(_: Any) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(one.nod._presence, "_store", _Away(away))
    assert (await other.until_settled(run_id)).channel == "webhook"
    assert not one.nod._node.is_seen
    assert len(hook.calls) == 2
    assert hook.most_at_once == 1
    assert [each.outcome for each in await other.deliveries(run_id)] == ["ok"]


class _Away:
    def __init__(self, write: Any) -> None:
        self.write = write


async def test_a_node_that_is_seen_again_goes_on_with_what_it_broke_off(
    pair: Nodes, hook: Receiver
) -> None:
    one, other = pair
    await other.stop()
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    hook.answers = [HANG]
    (run_id,) = await one.fire(task)
    await until(lambda: hook.calls)
    one.nod._presence._is_lost()
    await until(lambda: hook.at_once == 0)
    assert len(hook.calls) == 1
    assert (await one.until_settled(run_id)).channel == "webhook"
    assert hook.ids() == [hook.ids()[0]] * 2


async def test_an_attempt_that_cannot_be_written_down_is_given_back(
    pair: Nodes, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    broken = asyncio.Event()

    async def record_later(*given: Any) -> None:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("a mistake of ours")
        await record_attempt(*given)

    monkeypatch.setattr(webhooks, "record_attempt", record_later)
    (run_id,) = await one.fire(task)
    assert (await other.until_settled(run_id)).channel == "webhook"
    assert broken.is_set()
    assert hook.most_at_once == 1


async def test_an_attempt_that_failed_late_leaves_the_event_to_whoever_has_it_by_now(
    pair: Nodes, hook: Receiver, tmp_path: Path
) -> None:
    one, other = pair
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    hook.last = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
    hook.release.clear()
    (run_id,) = await one.fire(task)
    await until(lambda: hook.calls)
    far = one.nod.clock.now() * 2
    await execute(
        tmp_path,
        f"INSERT INTO nodes VALUES ('node_third', {far})",  # noqa: S608 - our own words
        "UPDATE events SET leased_by = 'node_third'",
    )
    hook.release.set()
    await one.until_noted(run_id)
    assert (await one.event(run_id)).attempts == 0
    await other.nod.deliverer.look()
    assert len(hook.calls) == 1


@pytest.mark.parametrize("anew", [True, False])
async def test_what_a_killed_server_was_sending_goes_out_within_seconds(
    tmp_path: Path, hook: Receiver, anew: bool
) -> None:
    async with cluster(tmp_path, "notify", 2) as nodes:
        first, second = nodes.servers
        who = await first.add_agent("Hook", webhook_url=hook.url)
        await plan(first, [who], 1, 2, 1)
        hook.answers = [HANG, OK]
        await asyncio.to_thread(first.start)
        await until(lambda: hook.calls)
        if not anew:
            await asyncio.to_thread(second.start)
        await asyncio.to_thread(first.kill)
        if anew:
            await asyncio.to_thread(first.start)
            async with connected(url_of(tmp_path)) as database:
                # It has told of the one before itself, without waiting until that is not seen.
                await until(lambda: database.fetchval("SELECT count(*) = 1 FROM nodes"))
        await until(lambda: len(hook.calls) == 2)
    assert len(set(hook.ids())) == 1
    assert hook.most_at_once == 1
