"""A webhook endpoint on a real port, whose answers a test writes by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HANG = b""
"""An answer that never comes."""


def answer(status: int, *headers: str, body: str = "") -> bytes:
    """An answer with that status; `headers` are whole lines."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", body]
    return "\r\n".join(lines).encode()


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def event_id(self) -> str:
        return self.headers["x-nod-event-id"]


@dataclass
class Receiver:
    """What has arrived, and what is answered: `answers` in turn, then `last` for ever."""

    port: int = 0
    calls: list[Call] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    last: bytes = OK
    choose: Callable[[Call], bytes] | None = None
    at_once: int = 0
    most_at_once: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)
    """Answers wait for it while it is not set."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def ids(self) -> list[str]:
        return [call.event_id for call in self.calls]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            call = await _read(reader)
            self.calls.append(call)
            raw = self._next(call)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            try:
                await self.release.wait()
                if raw == HANG:
                    await reader.read()
                    return
            finally:
                self.at_once -= 1
            writer.write(raw)
            await writer.drain()

    def _next(self, call: Call) -> bytes:
        if self.choose is not None:
            return self.choose(call)
        return self.answers.pop(0) if self.answers else self.last


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    pairs = [line.partition(":") for line in head.split("\r\n")[1:] if line]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Call(headers, await reader.readexactly(int(headers["content-length"])))


@asynccontextmanager
async def receiving(*answers: bytes, last: bytes = OK) -> AsyncIterator[Receiver]:
    """An endpoint that answers at once."""
    receiver = Receiver(answers=list(answers), last=last)
    receiver.release.set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await receiver.serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield receiver
        finally:
            receiver.release.set()
