"""How a node tells the others that it is there and who is connected, and what it takes back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from nod.delivery.sockets import Socket, Sockets
from nod.engine.node import Node
from nod.engine.outbox import make_event
from nod.engine.presence import Presence
from nod.store.effects import Outgoing
from nod.store.store import Tx
from support.inprocess import until
from support.world import World


@pytest.fixture
async def presence(world: World) -> AsyncIterator[Presence]:
    made = Presence(world.store, Sockets(), Node(shared=True), world.clock)
    yield made
    await made.close()


async def nodes_of(world: World) -> dict[str, str]:
    """To which node each agent is connected."""
    return await world.store.read(lambda tx: tx.nodes.connections(0))


def connect(world: World, presence: Presence) -> None:
    agent = world.agent
    socket = Socket(
        agent.id, agent.secret_hash, strict=True, clock=world.clock, limits=world.limits
    )
    presence._sockets.add(socket)
    presence.moved(agent.id)


async def test_who_was_killed_is_gone_once_whoever_has_its_place_is_seen(
    world: World, presence: Presence
) -> None:
    async def before(tx: Tx) -> None:
        await tx.nodes.see("node_killed", tx.now)
        await tx.nodes.connect([world.agent.id], "node_killed")

    await world.store.write(before)
    assert await nodes_of(world) == {world.agent.id: "node_killed"}
    presence.former = "node_killed"
    await presence.look()
    assert presence._node.is_seen
    assert not presence.has_company
    assert await nodes_of(world) == {}


async def test_who_is_connected_is_told_once_the_database_is_back(
    world: World, presence: Presence
) -> None:
    await presence.look()
    await world.store.close()
    connect(world, presence)
    await until(lambda: presence._telling is None)
    await world.store.start()
    await until(lambda: nodes_of(world))
    assert await nodes_of(world) == {world.agent.id: presence._node.id}


async def test_what_is_on_its_way_is_left_to_the_node_of_the_newest_connection(
    world: World, presence: Presence
) -> None:
    await presence.look()
    connect(world, presence)
    await until(lambda: nodes_of(world))
    (socket,) = presence._sockets.of(world.agent.id)
    event = make_event(world.clock.now(), world.agent.id, "user_message", {"text": "Hello"})
    socket.push(Outgoing(event))
    assert socket.in_flight

    async def moved(tx: Tx) -> None:
        await tx.nodes.see("node_other", tx.now)
        await tx.nodes.connect([world.agent.id], "node_other")

    await world.store.write(moved)
    await presence.look()
    assert presence._sockets.elsewhere == {world.agent.id: "node_other"}
    assert not socket.in_flight


async def test_what_is_not_told_when_it_ends_nobody_needs_to_know(
    world: World, presence: Presence
) -> None:
    connect(world, presence)
    await presence.close()
    assert await nodes_of(world) == {}


async def test_a_node_that_cannot_say_that_it_ends_ends(world: World) -> None:
    made = Presence(world.store, Sockets(), Node(shared=True), world.clock)
    await made.look()
    await world.store.close()
    await made.close()
    await world.store.start()
    seen: Any = await world.store.read(lambda tx: tx.nodes.others(Node().asks(tx.now)))
    assert seen
