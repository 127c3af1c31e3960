"""The agent's loop over real sockets, with a server or a proxy that misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.server import ServerProtocol

from nod import Agent, AuthError, ConnectError
from nod.client import agent as agent_module
from nod.client import link
from support.scripted import Call, Reply, Scripted, Socket

DUE = {
    "type": "task_due",
    "event_id": "evt_1",
    "run_id": "run_1",
    "task_id": "tsk_1",
    "task_name": "Standup",
    "task_prompt": "Do it",
    "schedule": "@daily",
}
SECOND = {**DUE, "event_id": "evt_2", "run_id": "run_2"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr(agent_module, "LONGEST_BACKOFF_S", 0.01)


@pytest.fixture
async def agent(scripted: Scripted) -> AsyncIterator[Agent]:
    async with Agent(scripted.url, "agt_1", "nod_secret") as agent:
        yield agent


async def take(agent: Agent, count: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        async for event in agent.events():
            events.append(event)
            if len(events) == count:
                break
    return events


async def until_closed(socket: Socket) -> None:
    while True:
        await socket.receive()


async def test_it_says_who_it_is_and_asks_for_strict_acks(scripted: Scripted, agent: Agent) -> None:
    said: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def serve(socket: Socket) -> None:
        said.set_result(await socket.welcome())
        await until_closed(socket)

    scripted.socket = serve
    assert await said == {"type": "auth", "secret": "nod_secret", "acks": True}
    await agent.wait_connected()
    assert agent.connected


async def test_an_event_that_comes_twice_is_acknowledged_twice_and_handed_out_once(
    scripted: Scripted, agent: Agent
) -> None:
    acks: list[dict[str, Any]] = []

    async def serve(socket: Socket) -> None:
        await socket.welcome()
        for event in (DUE, DUE, {**DUE, "event_id": "evt_3"}, {"type": "pong"}, SECOND):
            await socket.send(event)
        while True:
            acks.append(await socket.receive())

    scripted.socket = serve
    assert await take(agent, 2) == [DUE, SECOND]
    await agent.send({"type": "ping"})
    await agent.hang_up()
    assert [ack.get("event_id") for ack in acks[:4]] == ["evt_1", "evt_1", "evt_3", "evt_2"]


async def test_it_comes_back_after_the_connection_broke(scripted: Scripted, agent: Agent) -> None:
    events = iter([DUE, SECOND])

    async def serve(socket: Socket) -> None:
        await socket.welcome()
        await socket.send(next(events))
        await socket.receive()
        await socket.close(1012)

    scripted.socket = serve
    assert await take(agent, 2) == [DUE, SECOND]
    assert scripted.upgrades >= 2


async def test_nonsense_and_unknown_frames_do_no_harm(scripted: Scripted, agent: Agent) -> None:
    async def serve(socket: Socket) -> None:
        await socket.welcome()
        for frame in ("not json", "[1]", "[" * 50_000, {"type": "from_the_future"}, DUE):
            await socket.send(frame)
        await until_closed(socket)

    scripted.socket = serve
    assert await take(agent, 2) == [{"type": "from_the_future"}, DUE]


@pytest.mark.parametrize(
    ("code", "words"), [(4001, "first frame"), (4003, "NOD_SECRET"), (4004, "NOD_AGENT_ID")]
)
async def test_a_refusal_for_good_ends_it_with_the_reason(
    scripted: Scripted, code: int, words: str
) -> None:
    async def refuse(socket: Socket) -> None:
        await socket.receive()
        await socket.close(code)

    scripted.socket = refuse
    async with Agent(scripted.url, "agt_1", "nod_secret") as agent:
        with pytest.raises(AuthError, match=words):
            await agent.wait_connected()
        with pytest.raises(AuthError, match=words):
            await take(agent, 1)
    assert scripted.upgrades == 1


async def test_behind_a_proxy_that_blocks_upgrades_events_come_by_long_poll(
    scripted: Scripted, agent: Agent
) -> None:
    acked = asyncio.Event()

    async def answer(call: Call) -> Reply:
        if call.method == "POST":
            acked.set()
            return 200, {}, b"{}"
        new = "evt_1" not in call.query and not acked.is_set()
        return 200, {}, json.dumps([DUE] if new else []).encode()

    scripted.http = answer
    assert await take(agent, 1) == [DUE]
    await acked.wait()
    polls = [call for call in scripted.calls if call.method == "GET"]
    assert (polls[0].path, polls[0].query) == ("/api/agent/events", "wait_s=50")
    acks = [call for call in scripted.calls if call.method == "POST"]
    assert acks[0].path == "/api/agent/events/evt_1/ack"


async def test_when_the_socket_opens_later_events_come_over_it(
    scripted: Scripted, agent: Agent
) -> None:
    polled = asyncio.Event()

    async def fail(_call: Call) -> Reply:
        polled.set()
        return 502, {}, b"<html>"

    async def serve(socket: Socket) -> None:
        await socket.welcome()
        await socket.send(DUE)
        await until_closed(socket)

    scripted.http = fail
    await polled.wait()
    scripted.socket = serve
    assert await take(agent, 1) == [DUE]


async def test_wrong_credentials_found_by_the_long_poll_end_it_too(scripted: Scripted) -> None:
    async def refuse(_call: Call) -> Reply:
        return 401, {}, b'{"detail": "the secret is wrong"}'

    scripted.http = refuse
    async with Agent(scripted.url, "agt_1", "nod_secret") as agent:
        with pytest.raises(AuthError, match="the secret is wrong"):
            await take(agent, 1)


async def test_frames_go_by_rest_while_there_is_no_socket(scripted: Scripted, agent: Agent) -> None:
    async def answer(call: Call) -> Reply:
        return (200, {}, b'{"status": "ok"}') if call.method == "POST" else (503, {}, b"")

    scripted.http = answer
    await agent.send({"type": "alert", "title": "Disk full"})
    await agent.heartbeat("run_1", status_text="Reading")
    sent = [call.json for call in scripted.calls if call.method == "POST"]
    assert sent == [
        {"type": "alert", "title": "Disk full"},
        {"type": "processing_start", "task_run_id": "run_1", "status_text": "Reading"},
    ]
    with pytest.raises(ConnectError, match="only the WebSocket carries status"):
        await agent.send({"type": "status", "action": "ready"})


async def test_messages_and_questions_wait_for_the_servers_word(
    scripted: Scripted, agent: Agent
) -> None:
    async def answer(call: Call) -> Reply:
        if call.path.startswith("/api/agent/decisions/"):
            return 200, {}, b'{"id": "dec_1", "status": "approved"}'
        return 200, {}, b'{"status": "ok", "message_id": "msg_1", "decision_id": "dec_1"}'

    scripted.http = answer
    assert (await agent.message("hello"))["message_id"] == "msg_1"
    assert (await agent.ask("Deploy?"))["status"] == "approved"


async def test_heartbeats_go_over_the_socket(scripted: Scripted, agent: Agent) -> None:
    frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def serve(socket: Socket) -> None:
        await socket.welcome()
        while True:
            frames.put_nowait(await socket.receive())

    scripted.socket = serve
    await agent.wait_connected()
    await agent.heartbeat("run_1", usage={"output_tokens": 7})
    assert await frames.get() == {
        "type": "agent_heartbeat",
        "task_run_id": "run_1",
        "usage": {"output_tokens": 7},
    }


async def test_a_server_that_never_answers_the_first_frame_is_given_up(
    scripted: Scripted, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "OPEN_S", 0.05)

    async def serve(socket: Socket) -> None:
        if scripted.upgrades == 1:
            await until_closed(socket)
        if scripted.upgrades == 2:
            await socket.receive()
            await socket.send({"type": "hello"})
        await socket.welcome()
        await socket.send(DUE)
        await until_closed(socket)

    scripted.socket = serve
    assert await take(agent, 1) == [DUE]
    assert scripted.upgrades == 3


async def test_a_half_open_connection_is_found_and_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "PING_S", 0.05)
    monkeypatch.setattr(link, "PONG_S", 0.05)
    connections = 0
    again = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Does the handshake and the welcome, and never answers a ping."""
        nonlocal connections
        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = protocol.events_received()
        if b"websocket" not in b"".join(str(request.headers).lower().encode().splitlines()):  # type: ignore[union-attr]
            writer.close()
            return
        protocol.send_response(protocol.accept(request))  # type: ignore[arg-type]
        protocol.send_text(b'{"type": "auth_ok"}')
        writer.writelines(protocol.data_to_send())
        connections += 1
        if connections == 2:
            again.set()
        while await reader.read(1024):
            continue
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Agent(f"http://127.0.0.1:{port}", "agt_1", "nod_secret"):
        async with asyncio.timeout(10):
            await again.wait()


async def test_a_redirect_of_the_socket_is_not_followed_with_the_secret(scripted: Scripted) -> None:
    seen: list[bytes] = []
    enough = asyncio.Event()

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        target = scripted.url.encode() + b"/ws/agent/agt_1"
        writer.write(b"HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\nLocation: " + target)
        writer.write(b"\r\n\r\n")
        if len(seen) > 4:
            enough.set()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Agent(f"http://127.0.0.1:{port}", "agt_1", "nod_secret"):
        await enough.wait()
    assert scripted.upgrades == 0
    assert scripted.calls == []


async def test_closing_says_goodbye_and_ends_the_events(scripted: Scripted) -> None:
    codes: list[object] = []
    gone = asyncio.Event()

    async def serve(socket: Socket) -> None:
        await socket.welcome()
        await socket.send(DUE)
        try:
            await until_closed(socket)
        except ConnectionError as error:
            codes.extend(error.args)
            gone.set()

    scripted.socket = serve
    agent = Agent(scripted.url, "agt_1", "nod_secret")
    await agent.wait_connected()
    assert await take(agent, 1) == [DUE]
    await agent.close()
    assert [event async for event in agent.events()] == []
    await gone.wait()
    assert codes == [1000]


async def test_a_full_inbox_holds_back_the_ack(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "_INBOX_EVENTS", 1)
    acks: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def serve(socket: Socket) -> None:
        await socket.welcome()
        await socket.send(DUE)
        await socket.send(SECOND)
        while True:
            acks.put_nowait(await socket.receive())

    scripted.socket = serve
    async with Agent(scripted.url, "agt_1", "nod_secret") as agent:
        assert (await acks.get())["event_id"] == "evt_1"
        assert acks.empty()
        assert await take(agent, 2) == [DUE, SECOND]
        assert (await acks.get())["event_id"] == "evt_2"
