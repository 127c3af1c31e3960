"""An agent's WebSocket that costs little: what is measured is the server.

It reads what Nod sends (unmasked frames, no fragments, no compression) and notes when each came.
Like Nod's own client it asks for strict acks and acknowledges every event.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Callable
from typing import Any, Self, cast

from bench.nod.caller import END_OF_HEAD
from bench.nod.seed import SeededAgent
from bench.nod.server import Server

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
NO_MASK = b"\0\0\0\0"
"""A client must mask; masking with zeros leaves the bytes as they are (RFC 6455, 5.3)."""

CONNECT_S = 10.0

OnEvent = Callable[[SeededAgent, float, dict[str, Any]], None]


class AgentSocket(asyncio.Protocol):
    """One authenticated connection. `on_event` gets whose, when (Unix time) and what."""

    def __init__(self, seeded: SeededAgent, on_event: OnEvent) -> None:
        self._seeded = seeded
        self._on_event = on_event
        self._buffer = b""
        self._upgraded = False
        self._transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(cls, server: Server, seeded: SeededAgent, on_event: OnEvent) -> Self:
        """Connect and authenticate.

        Raises:
            ConnectionError: the server refused.
        """
        loop = asyncio.get_running_loop()
        _, agent = await loop.create_connection(
            lambda: cls(seeded, on_event), server.host, server.port
        )
        async with asyncio.timeout(CONNECT_S):
            await agent.ready
        return agent

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(
            f"GET /ws/agent/{self._seeded.agent.id} HTTP/1.1\r\nHost: localhost\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Called by the loop: read all whole frames, and acknowledge their events together."""
        came_at = time.time()
        self._buffer += data
        if not self._upgraded and not self._upgrade():
            return
        acks = b""
        while frame := self._next_frame():
            opcode, payload = frame
            if opcode == PING:
                acks += encoded(PONG, payload)
            elif opcode == CLOSE:
                self.connection_lost(ConnectionError(f"closed by the server: {payload!r}"))
            elif opcode == TEXT:
                acks += self._take(came_at, json.loads(payload))
        if acks and self._transport is not None:
            self._transport.write(acks)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("closed by the server"))

    def _upgrade(self) -> bool:
        head, end, rest = self._buffer.partition(END_OF_HEAD)
        if not end:
            return False
        if b" 101 " not in head.split(b"\r\n")[0]:
            self.connection_lost(ConnectionError(head.decode(errors="replace")))
            return False
        self._upgraded = True
        self._buffer = rest
        auth = {"type": "auth", "secret": self._seeded.secret, "acks": True}
        if self._transport is not None:
            self._transport.write(encoded(TEXT, json.dumps(auth).encode()))
        return True

    def _take(self, came_at: float, message: dict[str, Any]) -> bytes:
        if message["type"] == "auth_ok":
            self.ready.set_result(None)
            return b""
        if "event_id" not in message:
            return b""
        self._on_event(self._seeded, came_at, message)
        ack = {"type": "ack", "event_id": message["event_id"]}
        return encoded(TEXT, json.dumps(ack).encode())

    def _next_frame(self) -> tuple[int, bytes] | None:
        """The next whole frame: its opcode and payload."""
        if len(self._buffer) < 2:
            return None
        length, start = self._buffer[1], 2
        if length == 126:
            if len(self._buffer) < 4:
                return None
            length, start = struct.unpack_from("!H", self._buffer, 2)[0], 4
        elif length == 127:
            if len(self._buffer) < 10:
                return None
            length, start = struct.unpack_from("!Q", self._buffer, 2)[0], 10
        if len(self._buffer) < start + length:
            return None
        opcode = self._buffer[0] & 0x0F
        payload = self._buffer[start : start + length]
        self._buffer = self._buffer[start + length :]
        return opcode, payload


def encoded(opcode: int, payload: bytes) -> bytes:
    """One frame from the client."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else struct.pack("!BH", 0x80 | 126, length)
    return bytes([0x80 | opcode]) + size + NO_MASK + payload
