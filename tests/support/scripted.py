"""A real HTTP and WebSocket server on loopback that does what a test says, for what a healthy Nod
never does: break connections, refuse upgrades, answer nonsense.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Call:
    """One request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Socket:
    """The server's end of a WebSocket."""

    def __init__(self, receive: Any, send: Any) -> None:
        self._receive = receive
        self._send = send

    async def receive(self) -> dict[str, Any]:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise ConnectionError(message.get("code"))
        frame: dict[str, Any] = json.loads(message["text"])
        return frame

    async def send(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code})

    async def welcome(self) -> dict[str, Any]:
        """The auth frame, answered with `auth_ok`."""
        auth = await self.receive()
        await self.send({"type": "auth_ok", "agent_id": "agt_1"})
        return auth


async def _not_found(_call: Call) -> Reply:
    return 404, {}, b'{"detail": "there is nothing here"}'


@dataclass
class Scripted:
    """`http` answers requests; `socket` talks on WebSockets, None refuses the upgrade."""

    url: str
    http: Callable[[Call], Awaitable[Reply]] = _not_found
    socket: Callable[[Socket], Awaitable[None]] | None = None
    calls: list[Call] = field(default_factory=list)
    upgrades: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._talk(receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _talk(self, receive: Any, send: Any) -> None:
        self.upgrades += 1
        await receive()
        if self.socket is None:
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        try:
            await self.socket(Socket(receive, send))
        except ConnectionError:
            return

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        call = Call(scope["method"], scope["raw_path"].decode(), query, headers, body)
        self.calls.append(call)
        status, extra, content = await self.http(call)
        pairs = [(name.encode(), value.encode()) for name, value in extra.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})
