"""Who is connected, and may be no more, is hung up on."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from nod.actions import agents
from nod.actions.agents import Credentials
from nod.domain.instant import DAY, SECOND
from nod.store.store import Tx, Work
from support.clock import FakeClock
from support.inprocess import InProcess, Peer, running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def nod(tmp_path: Path, clock: FakeClock) -> AsyncIterator[InProcess]:
    async with running(tmp_path, clock) as started:
        yield started


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent()


async def remove(nod: InProcess, who: Credentials) -> None:
    await nod.nod.store.write(lambda tx: agents.remove_agent(tx, who.agent))


async def rotate(nod: InProcess, who: Credentials) -> Credentials:
    async def change(tx: Tx) -> Credentials:
        agent = await tx.people.agent(who.agent.id)
        assert agent is not None
        return await agents.rotate_secret(tx, nod.nod.vault, agent)

    return await nod.nod.store.write(change)


async def end_of(peer: Peer) -> tuple[int, str | None]:
    return await peer.ended(), peer.connection.close_reason


async def test_all_connections_of_a_removed_agent_are_hung_up_and_nobody_elses(
    nod: InProcess, ada: Credentials
) -> None:
    bob = await nod.add_agent("Bob")
    async with nod.peer(ada) as first, nod.peer(ada) as second, nod.peer(bob) as other:
        await remove(nod, ada)
        for peer in (first, second):
            assert await end_of(peer) == (4004, "this agent was removed")
        assert await other.is_quiet()


async def test_a_former_secret_keeps_its_connection_for_a_day(
    nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    async with nod.peer(ada) as old:
        new = await rotate(nod, ada)
        async with nod.peer(new) as fresh:
            clock.advance((DAY - SECOND) / SECOND)
            assert await old.is_quiet()
            clock.advance(1)
            assert await end_of(old) == (4003, "this secret holds no more")
            assert await fresh.is_quiet()


async def test_a_connection_made_with_the_former_secret_ends_with_it_too(
    nod: InProcess, ada: Credentials, clock: FakeClock
) -> None:
    await rotate(nod, ada)
    async with nod.peer(ada) as old:
        clock.advance(DAY / SECOND)
        assert await old.ended() == 4003


async def test_a_secret_that_was_rotated_twice_ends_at_once(
    nod: InProcess, ada: Credentials
) -> None:
    async with nod.peer(ada) as oldest:
        second = await rotate(nod, ada)
        async with nod.peer(second) as old:
            await rotate(nod, ada)
            assert await oldest.ended() == 4003
            assert await old.is_quiet()


async def test_an_agent_that_is_removed_while_it_connects_is_not_let_in(
    nod: InProcess, ada: Credentials
) -> None:
    store = nod.nod.store
    read = store.read

    async def and_then_remove(work: Work[Any]) -> Any:
        found = await read(work)
        store.read = read  # type: ignore[method-assign]
        await remove(nod, replace(ada, agent=found))
        return found

    async with connect(f"ws://127.0.0.1:{nod.port}/ws/agent/{ada.agent.id}") as connection:
        peer = Peer(connection)
        store.read = and_then_remove  # type: ignore[method-assign]
        await peer.send(type="auth", secret=ada.secret)
        assert await end_of(peer) == (4004, "no such agent")
    assert not nod.nod.sockets.of(ada.agent.id)
