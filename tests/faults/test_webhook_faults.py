"""Endpoints that misbehave, on real sockets: nothing they do holds a sender or goes unexplained."""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from nod.clock import SystemClock
from nod.delivery.address_guard import AddressGuard, Refused
from nod.delivery.connect import GuardedBackend
from nod.delivery.webhook import Answer, WebhookSender
from nod.domain.limits import Limits
from support.certificates import certificate

LIMITS = replace(Limits(), webhook_timeout_s=1)
# For what must not be a matter of time: the test fails long before this.
PATIENT = replace(Limits(), webhook_timeout_s=20)
LOOPBACK = AddressGuard([ip_network("127.0.0.0/8"), ip_network("::1")])
BODY = b'{"type":"task_due"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Endpoint:
    """A server whose answers are written by hand."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    connected: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    closed: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}/hook?a=b"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(len(BODY))


@asynccontextmanager
async def serving(peer: Peer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    """Run `peer` for every connection; what it leaves open is read until the sender closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        endpoint.connections += 1
        endpoint.connected.put_nowait(None)
        try:
            await peer(reader, writer)
            await writer.drain()
            while await reader.read(65_536):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            endpoint.closed.put_nowait(None)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    endpoint = Endpoint(server.sockets[0].getsockname()[1])
    async with server:
        yield endpoint


@asynccontextmanager
async def answering(*answers: bytes, close: bool = False) -> AsyncIterator[Endpoint]:
    """Give each request of a connection the next of the answers; the last one again and again."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers if close else (*answers, *answers[-1:] * 9):
            endpoint.requests.append(await read_request(reader))
            writer.write(answer)
        if close:
            writer.close()

    async with serving(peer) as endpoint:
        yield endpoint


@asynccontextmanager
async def sender(
    limits: Limits = PATIENT, guard: AddressGuard = LOOPBACK, tls: ssl.SSLContext | None = None
) -> AsyncIterator[WebhookSender]:
    made = WebhookSender(guard, limits, SystemClock(), tls)
    try:
        yield made
    finally:
        await made.close()


async def send(endpoint: Endpoint, limits: Limits = PATIENT) -> Answer:
    async with sender(limits) as webhooks:
        return await webhooks.send(endpoint.url(), {"X-Nod-Event-Id": "evt_1"}, BODY)


# What an ordinary endpoint gets and gives


async def test_the_body_arrives_byte_for_byte_with_its_headers() -> None:
    async with answering(OK) as endpoint:
        answer = await send(endpoint)

    assert (answer.status, answer.reason, answer.head, answer.error) == (200, "ok", "ok", None)
    assert 0 <= answer.latency_ms < 20_000
    head, _, body = endpoint.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /hook?a=b HTTP/1.1"
    assert b"X-Nod-Event-Id: evt_1" in lines
    assert f"Host: 127.0.0.1:{endpoint.port}".encode() in lines
    assert f"Content-Length: {len(BODY)}".encode() in lines


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_success(status: int) -> None:
    async with answering(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status) as endpoint:
        answer = await send(endpoint)

    assert (answer.status, answer.reason, answer.error) == (status, "ok", None)


async def test_bytes_that_are_no_text_do_not_get_into_what_is_kept_of_the_answer() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na\x00b\xff") as endpoint:
        answer = await send(endpoint)

    assert (answer.reason, answer.head) == ("ok", "a\ufffdb\ufffd")


@pytest.mark.parametrize("status", [304, 400, 404, 410, 429, 500, 503])
async def test_another_status_is_an_http_error_with_what_the_endpoint_said(status: int) -> None:
    raw = b"HTTP/1.1 %d X\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nn\xc3\xb6!" % status
    async with answering(raw) as endpoint:
        answer = await send(endpoint)

    assert (answer.status, answer.reason) == (status, "http_error")
    assert answer.error == f"HTTP status {status}"
    assert answer.retry_after == "120"
    if status != 304:  # has no body, whatever its headers say
        assert answer.head == "nö!"


async def test_an_early_hint_is_not_taken_for_the_answer() -> None:
    async with answering(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK) as endpoint:
        assert (await send(endpoint)).status == 200


async def test_one_connection_serves_many_attempts() -> None:
    async with answering(OK) as endpoint, sender() as webhooks:
        for _ in range(5):
            assert (await webhooks.send(endpoint.url(), {}, BODY)).reason == "ok"

    assert endpoint.connections == 1


async def test_an_endpoint_that_closes_its_connection_is_connected_to_again() -> None:
    async with answering(OK, close=True) as endpoint, sender() as webhooks:
        for _ in range(3):
            assert (await webhooks.send(endpoint.url(), {}, BODY)).reason == "ok"
            await endpoint.closed.get()

    assert endpoint.connections == 3


async def test_idle_connections_are_closed_when_there_are_too_many_hosts() -> None:
    async with (
        answering(OK) as first,
        answering(OK) as second,
        sender(replace(PATIENT, webhook_connections=1)) as webhooks,
    ):
        await webhooks.send(first.url(), {}, BODY)
        await webhooks.send(second.url(), {}, BODY)
        await asyncio.wait_for(first.closed.get(), 10)
        assert second.closed.empty()


class SteppingClock(SystemClock):
    """Monotonic time that a test moves on."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


async def test_connections_left_alone_are_closed_and_those_in_use_are_not() -> None:
    clock = SteppingClock()
    webhooks = WebhookSender(LOOPBACK, PATIENT, clock)
    async with answering(OK) as idle, answering(OK) as other, serving(hang) as busy:
        await webhooks.send(idle.url(), {}, BODY)
        hanging = asyncio.create_task(webhooks.send(busy.url(), {}, BODY))
        await busy.connected.get()
        clock.ahead_s = 60
        await webhooks.send(other.url(), {}, BODY)
        await asyncio.wait_for(idle.closed.get(), 10)
        assert busy.closed.empty()
        assert other.closed.empty()
        await webhooks.close()
        assert (await hanging).reason == "connection_error"


async def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(OK) as proxy, answering(OK) as endpoint:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        assert (await send(endpoint)).status == 200

    assert proxy.connections == 0


# Endpoints that hang


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not reader.at_eof():
        writer.write(b"X-Slow: yes\r\n")
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)


async def never_read(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    return


@pytest.mark.parametrize("peer", [hang, trickle, never_read])
async def test_an_endpoint_that_does_not_answer_is_a_timeout(peer: Peer) -> None:
    async with serving(peer) as endpoint:
        answer = await send(endpoint, LIMITS)
        await asyncio.wait_for(endpoint.closed.get(), 10)

    assert (answer.status, answer.reason) == (None, "timeout")
    assert answer.error == "no answer within 1 s"
    assert 1_000 <= answer.latency_ms < 5_000


async def test_a_tls_handshake_that_never_ends_leaves_no_connection_behind() -> None:
    async with serving(never_read) as endpoint, sender(LIMITS) as webhooks:
        answer = await webhooks.send(endpoint.url(scheme="https"), {}, BODY)
        await asyncio.wait_for(endpoint.closed.get(), 10)

    assert answer.reason == "timeout"


async def test_a_host_that_swallows_connections_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        async with sender(LIMITS) as webhooks:
            answer = await webhooks.send(f"http://127.0.0.1:{port}/", {}, BODY)
        for filler in fillers:
            filler.close()

    assert answer.reason == "timeout"
    assert answer.error == "the host does not respond to connections"


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()


async def test_of_a_body_that_never_ends_only_the_beginning_is_read() -> None:
    limits = replace(PATIENT, webhook_answer_bytes=100)
    async with serving(endless) as endpoint:
        answer = await send(endpoint, limits)
        await asyncio.wait_for(endpoint.closed.get(), 10)

    assert (answer.status, answer.reason, answer.head) == (200, "ok", "x" * 100)


@pytest.mark.parametrize("limits", [LIMITS, PATIENT])
async def test_a_body_that_hangs_does_not_change_a_success(limits: Limits) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthanks") as endpoint:
        answer = await send(endpoint, limits)

    assert (answer.status, answer.reason, answer.head, answer.error) == (200, "ok", "thanks", None)
    assert answer.latency_ms < 10_000


async def test_hanging_endpoints_do_not_hold_up_the_others() -> None:
    async with serving(hang) as stuck, answering(OK) as endpoint, sender() as webhooks:
        hanging = [asyncio.create_task(webhooks.send(stuck.url(), {}, BODY)) for _ in range(50)]
        for _ in hanging:
            await stuck.connected.get()
        assert (await webhooks.send(endpoint.url(), {}, BODY)).reason == "ok"
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_an_attempt_that_is_cancelled_closes_its_connection_and_breaks_nothing() -> None:
    async with serving(hang) as stuck, answering(OK) as endpoint, sender() as webhooks:
        task = asyncio.create_task(webhooks.send(stuck.url(), {}, BODY))
        await stuck.connected.get()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(stuck.closed.get(), 10)
        assert (await webhooks.send(endpoint.url(), {}, BODY)).reason == "ok"


# Endpoints that break


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "disconnected without sending a response"),
        (b"HTTP/1.1 200", "no valid HTTP answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "no valid HTTP answer"),
        (b"\x00\xff" * 500, "no valid HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 200_000, "no valid HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "no valid HTTP"),
    ],
)
async def test_what_is_no_http_answer_is_a_connection_error(raw: bytes, error: str) -> None:
    async with answering(raw, close=True) as endpoint:
        answer = await send(endpoint)

    assert (answer.status, answer.reason) == (None, "connection_error")
    assert answer.error is not None
    assert error in answer.error
    assert len(answer.error) <= 200


async def test_a_body_that_breaks_off_does_not_change_a_success() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthan"
    async with answering(raw, close=True) as endpoint:
        answer = await send(endpoint)

    assert (answer.status, answer.reason, answer.head) == (200, "ok", "than")


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    raw: Any = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    writer.transport.abort()


async def test_a_reset_connection_is_a_connection_error() -> None:
    async with serving(reset) as endpoint:
        answer = await send(endpoint)

    assert (answer.reason, answer.error) == ("connection_error", "connection reset by peer")


async def test_a_refused_connection_is_a_connection_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with sender() as webhooks:
        answer = await webhooks.send(f"http://127.0.0.1:{port}/", {}, BODY)

    assert (answer.reason, answer.error) == ("connection_error", "connection refused")


async def test_a_name_without_an_address_is_a_connection_error() -> None:
    async with sender() as webhooks:
        answer = await webhooks.send("http://nothing.invalid/", {}, BODY)

    assert answer.reason == "connection_error"
    assert str(answer.error).startswith("the host name has no address: ")


async def test_a_name_that_cannot_be_looked_up_is_a_connection_error() -> None:
    async with sender() as webhooks:
        answer = await webhooks.send(f"http://{'a' * 64}.example/", {}, BODY)

    assert (answer.reason, answer.error) == ("connection_error", "the host name is malformed")


# Where a webhook may not go


async def test_loopback_is_refused_unless_it_is_listed() -> None:
    async with answering(OK) as endpoint, sender(guard=AddressGuard([])) as webhooks:
        answer = await webhooks.send(endpoint.url(), {}, BODY)

    assert (answer.status, answer.reason) == (None, "refused")
    assert answer.error == (
        "address 127.0.0.1 is a loopback address;"
        " list its network in NOD_ALLOW_WEBHOOK_NETS to allow it"
    )
    assert endpoint.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_leads_to_an_inner_address_is_refused(scheme: str) -> None:
    async with answering(OK) as endpoint, sender(guard=AddressGuard([])) as webhooks:
        answer = await webhooks.send(endpoint.url("localhost", scheme), {}, BODY)

    assert answer.reason == "refused"
    assert "NOD_ALLOW_WEBHOOK_NETS" in str(answer.error)
    assert endpoint.connections == 0


async def test_of_a_names_addresses_only_an_allowed_one_is_called() -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    async with answering(OK) as endpoint, sender(guard=guard) as webhooks:
        assert (await webhooks.send(endpoint.url("localhost"), {}, BODY)).status == 200


async def connected_to(backend: GuardedBackend, addresses: list[str], port: int) -> str:
    try:
        stream = await backend.connect_any([ip_address(text) for text in addresses], port)
        peer: str = stream.get_extra_info("server_addr")[0]
        await stream.aclose()
        return peer
    finally:
        backend.close()


async def test_if_the_first_address_does_not_answer_the_next_is_tried() -> None:
    async with serving(never_read) as endpoint:
        backend = GuardedBackend(LOOPBACK, 5)
        addresses = ["127.0.0.2", "127.0.0.1"]
        assert await connected_to(backend, addresses, endpoint.port) == "127.0.0.1"


async def test_an_address_that_is_not_allowed_is_passed_over() -> None:
    async with serving(never_read) as endpoint:
        backend = GuardedBackend(LOOPBACK, 5)
        addresses = ["10.0.0.1", "127.0.0.1"]
        assert await connected_to(backend, addresses, endpoint.port) == "127.0.0.1"


LOOKED_UP: list[str] = []
CONNECTED: list[str] = []


def _listen(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        LOOKED_UP.append(args[0])
    elif event == "socket.connect" and isinstance(args[1], tuple):
        CONNECTED.append(args[1][0])


async def test_a_name_is_looked_up_once_and_the_checked_address_is_connected_to() -> None:
    sys.addaudithook(_listen)
    async with answering(OK) as endpoint, sender() as webhooks:
        LOOKED_UP.clear()
        CONNECTED.clear()
        assert (await webhooks.send(endpoint.url("localhost"), {}, BODY)).status == 200
        looked_up, connected = list(LOOKED_UP), list(CONNECTED)

    assert looked_up == ["localhost"]
    assert connected
    assert all(ip_address(address).is_loopback for address in connected)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with answering(OK) as inner:
        location = f"http://127.0.0.1:{inner.port}/inner"
        raw = f"HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        async with answering(raw.encode()) as endpoint:
            answer = await send(endpoint)

    assert (answer.status, answer.reason) == (status, "http_error")
    assert answer.error == f"redirect to {location} not followed"
    assert inner.connections == 0


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://me:pw@example.com/", "http://[::1"])
async def test_a_url_that_is_no_webhook_is_refused(url: str) -> None:
    async with sender() as webhooks:
        answer = await webhooks.send(url, {}, BODY)

    assert answer.reason == "refused"
    assert "webhook_url" in str(answer.error)


async def test_a_local_socket_is_refused() -> None:
    backend = GuardedBackend(LOOPBACK, 1)
    with pytest.raises(Refused, match="local socket"):
        await backend.connect_unix_socket("/run/docker.sock")
    backend.close()


# TLS


async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(OK)


async def test_a_trusted_certificate_for_the_name_is_accepted(tmp_path: Path) -> None:
    made = certificate(tmp_path, "localhost")
    names: list[str] = []
    made.server.sni_callback = lambda _, name, __: names.append(name)
    async with serving(one_answer, made.server) as endpoint, sender(tls=made.client) as webhooks:
        answer = await webhooks.send(endpoint.url("localhost", "https"), {}, BODY)

    assert (answer.status, names) == (200, ["localhost"])


async def test_a_certificate_for_another_name_is_not_accepted(tmp_path: Path) -> None:
    made = certificate(tmp_path, "other.example")
    async with serving(one_answer, made.server) as endpoint, sender(tls=made.client) as webhooks:
        answer = await webhooks.send(endpoint.url("localhost", "https"), {}, BODY)

    assert answer.reason == "connection_error"
    assert "Hostname mismatch" in str(answer.error)


async def test_an_untrusted_certificate_is_not_accepted(tmp_path: Path) -> None:
    made = certificate(tmp_path, "localhost")
    async with serving(one_answer, made.server) as endpoint, sender() as webhooks:
        answer = await webhooks.send(endpoint.url("localhost", "https"), {}, BODY)

    assert answer.reason == "connection_error"
    assert str(answer.error).startswith("TLS certificate not accepted: self-signed")


async def test_an_endpoint_that_speaks_no_tls_is_a_connection_error() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(plain) as endpoint, sender() as webhooks:
        answer = await webhooks.send(endpoint.url(scheme="https"), {}, BODY)

    assert answer.reason == "connection_error"
    assert str(answer.error).startswith("TLS failed: ")


async def test_an_endpoint_that_hangs_up_during_the_handshake_is_a_connection_error() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async with serving(hang_up) as endpoint, sender() as webhooks:
        answer = await webhooks.send(endpoint.url(scheme="https"), {}, BODY)

    assert answer.reason == "connection_error"
    assert answer.error
