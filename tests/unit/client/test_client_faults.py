"""Both clients over real sockets, with a server or a proxy that fails."""

import asyncio
import socket

import httpx
import pytest

from nod import AsyncClient, AuthError, Client, ConnectError, RateLimited, ServerError
from nod.client import conversation
from support.scripted import Call, Reply, Scripted


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "FIRST_DELAY_S", 0.001)


def agent_client(scripted: Scripted, retries: int = 3) -> AsyncClient:
    return AsyncClient(scripted.url, "agt_1", "nod_secret", retries=retries)


def replies(*given: Reply) -> object:
    """Answers one after the other; the last one from then on."""
    left = list(given)

    async def answer(_call: Call) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


OK: Reply = (200, {}, b"[]")
DOWN: Reply = (503, {}, b'{"detail": "starting"}')


async def test_every_request_carries_the_credentials(scripted: Scripted) -> None:
    scripted.http = replies(OK)  # type: ignore[assignment]
    async with agent_client(scripted) as client:
        assert await client.tasks() == []
    call = scripted.calls[0]
    assert (call.method, call.path) == ("GET", "/api/agent/tasks")
    assert call.headers["x-nod-agent-id"] == "agt_1"
    assert call.headers["x-nod-secret"] == "nod_secret"


async def test_a_read_outlasts_a_short_restart(scripted: Scripted) -> None:
    scripted.http = replies(DOWN, DOWN, OK)  # type: ignore[assignment]
    async with agent_client(scripted) as client:
        assert await client.tasks() == []
    assert len(scripted.calls) == 3


async def test_a_message_is_not_sent_twice(scripted: Scripted) -> None:
    scripted.http = replies(DOWN, OK)  # type: ignore[assignment]
    async with agent_client(scripted) as client:
        with pytest.raises(ServerError, match="starting"):
            await client.message("hello")
    assert len(scripted.calls) == 1


async def test_the_blocking_client_does_the_same(scripted: Scripted) -> None:
    scripted.http = replies(DOWN, OK, (429, {"retry-after": "9"}, b""), (401, {}, b""))  # type: ignore[assignment]

    def calls() -> None:
        with Client(scripted.url, "agt_1", "nod_secret") as client:
            assert client.tasks() == []
            with pytest.raises(RateLimited) as limited:
                client.tasks()
            assert limited.value.retry_after == 9
            with pytest.raises(AuthError):
                client.tasks()

    await asyncio.to_thread(calls)
    assert len(scripted.calls) == 4


async def test_runs_come_page_after_page(scripted: Scripted) -> None:
    first = {"link": '</api/agent/tasks/tsk_1/runs?cursor=c2>; rel="next"'}
    pages: tuple[Reply, Reply] = (
        (200, first, b'[{"id": "run_2"}]'),
        (200, {}, b'[{"id": "run_1"}]'),
    )
    scripted.http = replies(*pages)  # type: ignore[assignment]
    async with agent_client(scripted) as client:
        assert [run["id"] async for run in client.runs("tsk_1")] == ["run_2", "run_1"]
    assert scripted.calls[1].query == "cursor=c2"
    scripted.http = replies(*pages)  # type: ignore[assignment]

    def blocking() -> list[str]:
        with Client(scripted.url, "agt_1", "nod_secret") as client:
            return [run["id"] for run in client.runs("tsk_1")]

    assert await asyncio.to_thread(blocking) == ["run_2", "run_1"]


async def test_an_answer_is_waited_for_through_a_restart(scripted: Scripted) -> None:
    asked: Reply = (200, {}, b'{"status": "ok", "decision_id": "dec_1"}')
    pending: Reply = (200, {}, b'{"id": "dec_1", "status": "pending"}')
    approved: Reply = (200, {}, b'{"id": "dec_1", "status": "approved"}')
    restart = (pending, DOWN, DOWN, DOWN, DOWN, DOWN, approved)
    scripted.http = replies(asked, *restart)  # type: ignore[assignment]
    async with agent_client(scripted) as client:
        assert (await client.ask_and_wait("Deploy?"))["status"] == "approved"
    scripted.http = replies(asked, *restart)  # type: ignore[assignment]

    def blocking() -> str:
        with Client(scripted.url, "agt_1", "nod_secret") as client:
            return client.ask_and_wait("Deploy?")["status"]

    assert await asyncio.to_thread(blocking) == "approved"


async def test_an_answer_is_not_waited_for_longer_than_asked(scripted: Scripted) -> None:
    scripted.http = replies((200, {}, b'{"id": "dec_1", "status": "pending"}'))  # type: ignore[assignment]
    async with agent_client(scripted) as client:
        assert (await client.wait_for("dec_1", timeout_s=0.05))["status"] == "pending"

    def blocking() -> str:
        with Client(scripted.url, "agt_1", "nod_secret") as client:
            return client.wait_for("dec_1", timeout_s=0.05)["status"]

    assert await asyncio.to_thread(blocking) == "pending"


async def test_a_redirect_is_not_followed_with_the_secret(scripted: Scripted) -> None:
    scripted.http = replies((307, {"location": "http://127.0.0.1:1/steal"}, b""))  # type: ignore[assignment]
    async with agent_client(scripted) as client:
        with pytest.raises(ServerError, match="points to"):
            await client.tasks()
    assert len(scripted.calls) == 1


async def test_a_server_that_is_not_there_is_named(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with AsyncClient(url, "agt_1", "nod_secret", retries=1) as client:
        with pytest.raises(ConnectError, match=f"cannot reach Nod at {url}"):
            await client.tasks()


async def test_a_connection_that_breaks_before_the_answer_is_a_connect_error() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncClient(f"http://127.0.0.1:{port}", "agt_1", "nod_s", retries=0) as one:
        with pytest.raises(ConnectError):
            await one.tasks()


async def test_your_own_http_client_stays_yours(scripted: Scripted) -> None:
    scripted.http = replies(OK)  # type: ignore[assignment]
    async with httpx.AsyncClient() as own:
        await AsyncClient(scripted.url, "agt_1", "nod_secret", http=own).close()
        assert not own.is_closed
    with httpx.Client() as mine:
        Client(scripted.url, "agt_1", "nod_secret", http=mine).close()
        assert not mine.is_closed


@pytest.fixture
def unused_tcp_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
