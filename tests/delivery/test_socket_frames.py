"""What an agent may say on its socket, from the first frame on, and what it is answered."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from nod.actions import agents
from nod.actions.agents import Credentials
from nod.engine.ending import cancel
from support.inprocess import InProcess, Peer, running


@pytest.fixture
async def nod(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with running(tmp_path, socket_auth_s=1) as started:
        yield started


@pytest.fixture
async def ada(nod: InProcess) -> Credentials:
    return await nod.add_agent()


@pytest.fixture
async def peer(nod: InProcess, ada: Credentials) -> AsyncIterator[Peer]:
    async with nod.peer(ada) as connected:
        yield connected


def unauthenticated(nod: InProcess, agent_id: str) -> connect:
    return connect(f"ws://127.0.0.1:{nod.port}/ws/agent/{agent_id}", close_timeout=0.2)


async def closed(connection: ClientConnection) -> tuple[int, str]:
    peer = Peer(connection)
    return await peer.ended(), connection.close_reason or ""


# the first frame


@pytest.mark.parametrize(
    "first",
    [
        "",
        "hello",
        "[]",
        '{"type":"auth"}',
        '{"type":"ping","secret":"nod_0"}',
        '{"type":"auth","secret":7}',
        '{"type":"auth","secret":"nod_0"',
        "[" * 200_000,
        b"\xff\xfe",
    ],
)
async def test_a_first_frame_that_is_no_auth_message_closes_with_4001(
    nod: InProcess, ada: Credentials, first: str | bytes
) -> None:
    async with unauthenticated(nod, ada.agent.id) as connection:
        await connection.send(first)
        assert await closed(connection) == (4001, "the first frame must be an auth message")


async def test_no_first_frame_in_time_closes_with_4001(nod: InProcess, ada: Credentials) -> None:
    async with unauthenticated(nod, ada.agent.id) as connection:
        assert await closed(connection) == (4001, "no auth frame within 1 s")


@pytest.mark.parametrize("secret", ["nod_" + "0" * 40, "", "\u00fc\U0001f600", "x" * 100_000])
async def test_a_wrong_secret_closes_with_4003(
    nod: InProcess, ada: Credentials, secret: str
) -> None:
    async with unauthenticated(nod, ada.agent.id) as connection:
        await connection.send(json.dumps({"type": "auth", "secret": secret}))
        assert await closed(connection) == (4003, "wrong secret")


@pytest.mark.parametrize("agent_id", ["agt_0000000000000000", "", "agt_/x", "%00", "%ff"])
async def test_an_unknown_agent_closes_with_4004(
    nod: InProcess, ada: Credentials, agent_id: str
) -> None:
    async with unauthenticated(nod, agent_id) as connection:
        await connection.send(json.dumps({"type": "auth", "secret": ada.secret}))
        assert await closed(connection) == (4004, "no such agent")


async def test_a_peer_that_leaves_before_it_says_anything_harms_nobody(
    nod: InProcess, ada: Credentials
) -> None:
    async with unauthenticated(nod, ada.agent.id) as connection:
        connection.transport.abort()
    async with nod.peer(ada) as peer:
        assert await peer.is_quiet()


async def test_the_auth_frame_may_come_as_bytes_and_carry_fields_unknown_to_us(
    nod: InProcess, ada: Credentials
) -> None:
    async with unauthenticated(nod, ada.agent.id) as connection:
        first = {"type": "auth", "secret": ada.secret, "version": 9, "acks": False}
        await connection.send(json.dumps(first).encode())
        assert await Peer(connection).receive() == {"type": "auth_ok", "agent_id": ada.agent.id}


async def test_both_secrets_open_the_socket_for_a_while_after_a_rotation(
    nod: InProcess, ada: Credentials
) -> None:

    new = await nod.nod.store.write(lambda tx: agents.rotate_secret(tx, nod.nod.vault, ada.agent))
    for known in (ada, new):
        async with nod.peer(known) as peer:
            assert await peer.is_quiet()
    agent = await nod.nod.store.read(lambda tx: tx.people.agent(ada.agent.id))
    assert agent is not None
    assert not agent.old_secret_in_use


async def test_nobody_is_let_in_while_the_server_stops(nod: InProcess, ada: Credentials) -> None:
    nod.nod.draining.set()
    async with unauthenticated(nod, ada.agent.id) as connection:
        await connection.send(json.dumps({"type": "auth", "secret": ada.secret}))
        assert await closed(connection) == (1001, "the server is shutting down")


# after it


async def test_a_ping_is_answered_by_a_pong(peer: Peer) -> None:
    await peer.send(type="ping")
    assert await peer.receive() == {"type": "pong"}


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ("", "JSON"),
        ("hello", "JSON"),
        ("null", "object"),
        ('{"text":"no type"}', "type"),
        ('{"type":"message","text":NaN}', "JSON"),
        ('{"type":"alert","title":NaN}', "JSON"),
        ('{"type":"warble"}', "warble"),
        ('{"type":"auth","secret":"nod_0"}', "auth"),
        ('{"type":"message"}', "text"),
        ('{"type":"message","text":7}', "text"),
        ('{"type":"ack"}', "event_id"),
        ('{"type":"message","text":"x","task_run_id":"run_nowhere"}', "run_nowhere"),
        ('{"type":"status","action":"x","details":' + "[" * 100_000 + "]" * 100_000 + "}", "deep"),
        (b"\xff", "JSON"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_connection_stays(
    peer: Peer, frame: str | bytes, told: str
) -> None:
    await peer.connection.send(frame)
    answer = await peer.receive()
    assert answer["type"] == "error"
    assert told.lower() in answer["detail"].lower()
    assert await peer.is_quiet()


async def test_a_frame_of_ten_megabytes_is_refused_and_the_connection_stays(peer: Peer) -> None:
    frame = {"type": "message", "text": "x" * 10_000_000}
    await peer.send(**frame)
    answer = await peer.receive()
    assert answer["type"] == "error"
    assert "at most 8388608 bytes" in answer["detail"]
    assert await peer.is_quiet()


async def test_a_raised_limit_of_frames_holds_for_the_connection_too(tmp_path: Path) -> None:
    async with (
        running(tmp_path, frame_bytes=20_000_000) as nod,
        nod.peer(await nod.add_agent()) as peer,
    ):
        await peer.send(type="ping", filling="x" * 18_000_000)
        assert await peer.receive() == {"type": "pong"}


async def test_an_ack_of_an_event_nobody_sent_is_taken_quietly(peer: Peer) -> None:
    await peer.send(type="ack", event_id="evt_nowhere")
    assert await peer.is_quiet()


async def test_an_approval_only_agent_is_told_that_it_cannot_write(nod: InProcess) -> None:
    bob = await nod.add_agent("Bob", kind="approval_only")
    async with nod.peer(bob) as peer:
        await peer.send(type="message", text="hello")
        answer = await peer.receive()
        assert answer["type"] == "error"
        assert "approval_only" in answer["detail"]
        await peer.send(type="decision", title="Go?", description="", kind="approval")
        assert await peer.is_quiet()


async def test_an_error_about_a_run_says_which_and_how_it_stands(
    nod: InProcess, ada: Credentials, peer: Peer
) -> None:

    task = await nod.add_task(ada)
    (run_id,) = await nod.fire(task)
    await peer.event()
    beat: dict[str, Any] = {"type": "agent_heartbeat", "task_run_id": run_id}
    await peer.send(**beat)
    await peer.send(**beat)
    assert await peer.is_quiet()
    run = await nod.run(run_id)
    assert run.status == "running"
    await nod.nod.store.write(lambda tx: cancel(tx, run, "not wanted any more"))
    await peer.send(**beat)
    answer = await peer.receive()
    assert (answer["run_id"], answer["status"]) == (run_id, "cancelled")
    assert "not wanted any more" in answer["detail"]


async def test_another_agents_run_is_not_told_about(nod: InProcess, peer: Peer) -> None:
    task = await nod.add_task(await nod.add_agent("Bob"))
    (run_id,) = await nod.fire(task)
    await peer.send(type="agent_heartbeat", task_run_id=run_id)
    answer = await peer.receive()
    assert "status" not in answer
    assert f"no run {run_id}" in answer["detail"]
    assert (await nod.run(run_id)).status == "pending"


async def test_the_oldest_connection_ends_when_an_agent_opens_too_many(tmp_path: Path) -> None:
    async with running(tmp_path, connections_per_agent=2) as nod:
        ada = await nod.add_agent()
        async with nod.peer(ada) as first, nod.peer(ada) as second, nod.peer(ada) as third:
            assert await first.ended() == 1008
            assert await second.is_quiet()
            assert await third.is_quiet()
