"""Two nodes on one PostgreSQL: what one of them does is seen on the other at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.types import EventDict

from nod.config import load
from nod.domain.limits import Limits
from nod.engine.outbox import make_event, put
from nod.opening import open_database
from nod.store.store import Store, Tx
from support.databases import execute, prepared, url_of
from support.inprocess import InProcess, running, until
from support.nats import KINDS, nats_server
from support.nodes import hear_each_other, two_nodes

AWAY = "the bus is away; what others change is seen later"
BACK = "the bus is back"
# Less than a node takes to look by itself.
AT_ONCE_S = 2
_LISTENERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND query LIKE '%pg_notify%'"
)


@pytest.fixture(params=KINDS)
async def nodes(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[InProcess, InProcess]]:
    async with two_nodes(tmp_path, request.param) as both:
        yield both


async def say(node: InProcess, agent_id: str) -> str:
    event = make_event(node.nod.clock.now(), agent_id, "user_message", {"text": "Hello"})
    await node.nod.store.write(lambda tx: put(tx, event))
    return event.id


async def test_a_socket_on_one_node_gets_what_the_other_makes(
    nodes: tuple[InProcess, InProcess],
) -> None:
    one, other = nodes
    ada = await one.add_agent()
    async with one.peer(ada) as peer:
        made = [await say(other, ada.agent.id) for _ in range(3)]
        got = [(await peer.receive(AT_ONCE_S))["event_id"] for _ in range(3)]
        assert got == made
        assert await peer.is_quiet()


async def test_whoever_waits_on_one_node_hears_of_what_the_other_makes(
    nodes: tuple[InProcess, InProcess],
) -> None:
    one, other = nodes
    ada = await one.add_agent()
    async with one.http(ada) as http:
        waiting = asyncio.create_task(http.get("/events", params={"wait_s": 60}))
        await until(lambda: ada.agent.id in one.nod.changes._waiting)
        made = await say(other, ada.agent.id)
        async with asyncio.timeout(AT_ONCE_S):
            assert [each["event_id"] for each in (await waiting).json()] == [made]


async def test_a_page_open_on_one_node_hears_what_the_other_changes(
    nodes: tuple[InProcess, InProcess],
) -> None:
    one, other = nodes
    ada = await one.add_agent()

    async def fire(tx: Tx) -> None:
        tx.effects.fact("fired", run_id="run_1", agent_id=ada.agent.id)

    since = one.nod.clock.now() + 1
    await until(lambda: one.nod.clock.now() > since)
    with one.nod.live.subscribe("usr_ann", [ada.agent.id], since) as stream:
        stream.take()
        await other.nod.store.write(fire)
        async with asyncio.timeout(AT_ONCE_S):
            await stream.wait()
        assert {"run_1", "runs"} <= stream.take()


async def test_a_bus_that_was_away_says_so_once_and_what_was_missed_arrives(
    tmp_path: Path,
) -> None:
    async with (
        prepared(tmp_path, "postgres"),
        running(tmp_path) as one,
        running(tmp_path) as other,
    ):
        await hear_each_other(one, other)
        ada = await one.add_agent()
        async with one.peer(ada) as peer:
            with capture_logs() as lines:
                await execute(tmp_path, f"SELECT pg_terminate_backend(pid) {_LISTENERS}")
                made = await say(other, ada.agent.id)
                assert (await peer.receive())["event_id"] == made
                await until(lambda: said(lines) == [*[AWAY] * 2, *[BACK] * 2])


async def test_without_nats_everything_arrives_and_the_log_says_so_once(tmp_path: Path) -> None:
    async with prepared(tmp_path, "postgres"):
        with nats_server() as server:
            (tmp_path / "nats.url").write_text(server.url)
            async with running(tmp_path) as one, running(tmp_path) as other:
                await hear_each_other(one, other)
                ada = await one.add_agent()
                async with one.peer(ada) as peer:
                    with capture_logs() as lines:
                        server.stop()
                        await until(lambda: said(lines) == [AWAY] * 2)
                        for _ in range(2):
                            made = await say(other, ada.agent.id)
                            assert (await peer.receive())["event_id"] == made
                        server.start()
                        await until(lambda: said(lines) == [*[AWAY] * 2, *[BACK] * 2])
                    await hear_each_other(one, other)


def said(lines: list[EventDict]) -> list[str]:
    """What the log says of the bus, of both nodes."""
    return sorted(line["event"] for line in lines if "bus" in line["event"])


async def test_a_command_beside_the_servers_is_heard_at_once(
    nodes: tuple[InProcess, InProcess], tmp_path: Path
) -> None:
    one, _ = nodes
    ada = await one.add_agent()
    async with one.peer(ada) as peer:
        settings = load({"NOD_DATABASE_URL": url_of(tmp_path), "NOD_DATA_DIR": str(tmp_path)}, {})
        database = open_database(settings, exclusive=False)
        beside = Store(database, one.nod.clock, Limits())
        await beside.start()
        event = make_event(one.nod.clock.now(), ada.agent.id, "user_message", {"text": "Hello"})
        await beside.write(lambda tx: put(tx, event))
        await beside.close()
        assert (await peer.receive(AT_ONCE_S))["event_id"] == event.id
