"""Two nodes on one PostgreSQL: wherever an agent is connected, each event goes out once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nod.actions.agents import Credentials
from nod.domain.limits import Limits
from support.databases import execute
from support.inprocess import InProcess, until
from support.nats import KINDS
from support.nodes import two_nodes
from support.receiver import Receiver, receiving
from support.world import open_store

Nodes = tuple[InProcess, InProcess]
# Less than a node takes to look by itself.
AT_ONCE_S = 3


@pytest.fixture(params=KINDS)
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Nodes]:
    async with two_nodes(tmp_path, request.param) as both:
        yield both


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Nodes]:
    """Two nodes for what no bus has a part in."""
    async with two_nodes(tmp_path, "notify") as both:
        yield both


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def is_there(node: InProcess, who: Credentials) -> None:
    """Until the node knows that the agent's newest connection is on another one."""
    await until(lambda: who.agent.id in node.nod.sockets.elsewhere)


# sockets


async def test_a_run_made_on_one_node_goes_to_the_socket_on_the_other_once(nodes: Nodes) -> None:
    one, other = nodes
    ada = await one.add_agent()
    task = await one.add_task(ada)
    async with one.peer(ada, acks=True) as peer:
        made = await other.fire(task, 3)
        for run_id in made:
            event = await peer.receive(AT_ONCE_S)
            assert event["run_id"] == run_id
            await peer.ack(event)
            settled = await other.until_settled(run_id)
            assert (settled.state, settled.channel) == ("acknowledged", "websocket")
        assert await peer.is_quiet()


async def test_the_newest_connection_gets_the_events_on_whichever_node(nodes: Nodes) -> None:
    one, other = nodes
    ada = await one.add_agent()
    task = await one.add_task(ada)
    async with one.peer(ada, acks=True) as first:
        async with other.peer(ada, acks=True) as second:
            await is_there(one, ada)
            made = [(await node.fire(task))[0] for node in (one, other, one)]
            for _ in made:
                await second.ack(await second.event())
            assert [each["run_id"] for each in second.events] == made
            for run_id in made:
                await one.until_settled(run_id)
            assert await first.is_quiet()
        await until(lambda: ada.agent.id not in one.nod.sockets.elsewhere)
        made = [(await node.fire(task))[0] for node in (one, other)]
        assert sorted(await first.runs(2)) == sorted(made)


async def test_a_connection_that_moves_gets_again_what_it_may_not_have(nodes: Nodes) -> None:
    one, other = nodes
    ada = await one.add_agent()
    task = await one.add_task(ada)
    async with one.peer(ada, acks=True) as first:
        made = await one.fire(task, 4)
        before = [await first.event() for _ in made]
        for event in before[:2]:
            await first.ack(event)
            await one.until_settled(event["run_id"])
        async with other.peer(ada, acks=True) as second:
            again = [await second.event() for _ in range(2)]
            assert again == before[2:]
            for event in again:
                await second.ack(event)
                await one.until_settled(event["run_id"])
            assert await second.is_quiet()
        assert await first.is_quiet()


async def test_what_the_agent_says_to_another_node_counts(nodes: Nodes) -> None:
    one, other = nodes
    ada = await one.add_agent()
    task = await one.add_task(ada)
    async with one.peer(ada, acks=True) as peer, other.http(ada) as http:
        await is_there(other, ada)
        first, second = await one.fire(task, 2)
        await peer.runs(2)
        (await http.post(f"/events/{peer.events[0]['event_id']}/ack")).raise_for_status()
        (await http.post(f"/tasks/{task.id}/run/start")).raise_for_status()
        (socket,) = one.nod.sockets.of(ada.agent.id)
        await until(lambda: len(socket.in_flight) < 2)
    assert (await one.event(first)).state == "acknowledged"
    run = await one.run(first)
    assert (run.status, run.delivery) == ("running", "delivered")
    assert not [each for each in await one.deliveries(first) if each.outcome != "ok"]
    assert (await one.run(second)).status == "pending"


async def test_every_node_knows_who_is_connected(nodes: Nodes) -> None:
    one, other = nodes
    ada = await one.add_agent()
    assert not other.nod.sockets.connected(ada.agent.id)
    async with one.peer(ada):
        await until(lambda: other.nod.sockets.connected(ada.agent.id))
    await until(lambda: not other.nod.sockets.connected(ada.agent.id))


async def test_what_nobody_has_told_of_is_seen_all_the_same(pair: Nodes, tmp_path: Path) -> None:
    one, _ = pair
    ada = await one.add_agent()
    task = await one.add_task(ada)
    silent = open_store(tmp_path, one.nod.clock, Limits(), lambda _: None)
    await silent.start()
    store, one.nod.store = one.nod.store, silent
    try:
        async with one.peer(ada) as peer:
            (run_id,) = await one.fire(task)
            assert await peer.runs(1) == [run_id]
    finally:
        one.nod.store = store
        await silent.close()


# webhooks


async def test_an_agent_that_is_connected_anywhere_gets_no_webhook(
    nodes: Nodes, hook: Receiver
) -> None:
    one, other = nodes
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    async with one.peer(ada) as peer:
        await is_there(other, ada)
        made = await other.fire(task, 3)
        assert await peer.runs(3) == made
        await other.nod.deliverer.look()
        for run_id in made:
            await peer.send(type="agent_heartbeat", task_run_id=run_id)
            await other.until_settled(run_id)
    assert hook.calls == []


async def test_two_nodes_do_not_send_the_same_webhook(pair: Nodes, hook: Receiver) -> None:
    one, other = pair
    who = [await one.add_agent(f"Agent {number}", webhook_url=hook.url) for number in range(4)]
    tasks = [await one.add_task(each) for each in who]
    hook.release.clear()
    runs = [run_id for task in tasks for run_id in await one.fire(task, 3)]
    for _ in range(3):
        await asyncio.gather(*(node.nod.deliverer.look() for node in pair))
        await until(lambda: len(hook.calls) >= len(runs))
    hook.release.set()
    for run_id in runs:
        await other.until_settled(run_id)
    assert len(hook.ids()) == len(set(hook.ids())) == len(runs)


async def test_what_a_node_gives_up_when_it_ends_the_other_sends_at_once(
    pair: Nodes, hook: Receiver
) -> None:
    one, other = pair
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    hook.release.clear()
    (run_id,) = await one.fire(task)
    await until(lambda: hook.calls)
    await one.stop()
    hook.release.set()
    assert (await other.until_settled(run_id)).channel == "webhook"
    assert len(set(hook.ids())) == 1


async def test_the_agents_of_a_node_that_is_gone_get_their_webhooks(
    pair: Nodes, hook: Receiver, tmp_path: Path
) -> None:
    one, other = pair
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    seen = other.nod.clock.now()
    await execute(
        tmp_path,
        f"INSERT INTO nodes VALUES ('node_killed', {seen})",  # noqa: S608 - our own words
        f"INSERT INTO connections VALUES ('{ada.agent.id}', 'node_killed')",  # noqa: S608
    )
    (run_id,) = await one.fire(task)
    await other.nod.deliverer.look()
    assert await one.deliveries(run_id) == []
    await execute(tmp_path, "UPDATE nodes SET seen_at = 0 WHERE id = 'node_killed'")
    assert (await one.until_settled(run_id)).channel == "webhook"


async def test_a_socket_waits_for_a_webhook_that_is_on_its_way(pair: Nodes, hook: Receiver) -> None:
    one, other = pair
    ada = await one.add_agent(webhook_url=hook.url)
    task = await one.add_task(ada)
    hook.release.clear()
    (run_id,) = await one.fire(task)
    await until(lambda: hook.calls)
    async with other.peer(ada) as peer:
        assert await peer.is_quiet()
        hook.release.set()
        assert (await other.until_settled(run_id)).channel == "webhook"
        assert await peer.is_quiet()
