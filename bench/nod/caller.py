"""An HTTP/1.1 client that costs little: what is measured is the server.

One request at a time on one kept-open connection. It reads only what Nod answers with: a
status, `Content-Length`, a body.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class CallFailedError(Exception):
    """The server answered with an error, or not at all."""


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._buffer = b""
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """Open a connection. Raises OSError when nobody listens."""
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(lambda: cls(host), host, port)
        return caller

    async def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request with a JSON body, and wait for its answer.

        Raises:
            CallFailedError: the status is not 2xx, or the connection broke.
        """
        if self._transport is None:
            raise CallFailedError("not connected")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(self._request(method, path, body, headers or {}))
        answer = await self._waiting
        if answer.status // 100 != 2:
            raise CallFailedError(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def _request(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self._host}",
            f"Content-Length: {len(content)}",
            *(["Content-Type: application/json"] if content else []),
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join(lines).encode() + END_OF_HEAD + content

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._buffer += data
        head, end, rest = self._buffer.partition(END_OF_HEAD)
        if not end:
            return
        length = content_length(head)
        if len(rest) >= length and self._waiting is not None:
            self._buffer = rest[length:]
            self._waiting.set_result(Answer(int(head[9:12]), rest[:length]))
            self._waiting = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(CallFailedError(f"the connection broke: {exc}"))


def content_length(head: bytes) -> int:
    """How long the body is."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
