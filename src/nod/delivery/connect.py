"""Connecting to a webhook's host: resolve its name, check every address, connect to a checked one.

The address that was checked is the address connected to. There is no second look-up in between
that could answer something else (DNS rebinding).
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import httpcore

from nod.delivery.address_guard import Address, AddressGuard, Refused, as_address

# Name look-ups block a thread each; those of unresponsive name servers must not take the threads
# that the rest of the process works with.
_RESOLVER_THREADS = 16


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """How httpcore opens connections: only to addresses that the guard lets through."""

    def __init__(self, guard: AddressGuard, timeout_s: float) -> None:
        self._guard = guard
        self._timeout_s = timeout_s
        self._network = httpcore.AnyIOBackend()
        self._resolver = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="nod-resolve")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the whole attempt is timed by the sender
        local_address: str | None = None,  # noqa: ARG002 - never asked for
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - likewise
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that is allowed and answers; see `connect_any`."""
        return await self.connect_any(await self._resolve(host, port), port)

    async def connect_any(
        self, addresses: Sequence[Address], port: int
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of the addresses that is allowed and answers.

        Each gets an equal share of the time, and one share is left for the request itself.
        Raises Refused if no address is allowed, and httpcore's errors if none answers.
        """
        allowed = self._allowed(addresses)
        share_s = self._timeout_s / (len(allowed) + 1)
        problems: list[Exception] = []
        for address in allowed:
            try:
                return _Stream(await self._network.connect_tcp(str(address), port, share_s))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problems.append(error)
        raise problems[-1]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002 - same signature as the interface's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - likewise
    ) -> httpcore.AsyncNetworkStream:
        """Raise Refused: a webhook never goes to a local socket."""
        raise Refused(f"{path} is a local socket; webhooks go to http and https addresses only")

    def close(self) -> None:
        """Let go of the resolver threads, without waiting for look-ups under way."""
        self._resolver.shutdown(wait=False, cancel_futures=True)

    async def _resolve(self, host: str, port: int) -> list[Address]:
        literal = as_address(host)
        if literal is not None:
            return [literal]
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._resolver, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [ip_address(sockaddr[0]) for *_, sockaddr in found]

    def _allowed(self, addresses: Sequence[Address]) -> list[Address]:
        allowed: list[Address] = []
        refusals: list[Refused] = []
        for address in addresses:
            try:
                self._guard.check(address)
            except Refused as error:
                refusals.append(error)
            else:
                allowed.append(address)
        if not allowed:
            raise refusals[0]
        return allowed


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed also when the attempt ends in the middle of the TLS handshake.

    httpcore's own leaves it open when cancelled there, so an endpoint that never finishes its
    handshake would keep one socket of ours per attempt.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
