"""One WebSocket connection of an agent, from the first frame to the last.

The library's keep-alive pings find a half-open connection within `PING_S` + `PONG_S` seconds.
"""

import asyncio
import json
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from nod.client.errors import AuthError, ConnectError, NodError
from nod.client.settings import Settings
from nod.client.types import Event
from nod.version import __version__

OPEN_S = 10.0
PING_S = 15.0
PONG_S = 10.0
_CLOSE_S = 2.0
_FRAME_BYTES = 16 * 1024 * 1024

# Close codes after which trying again cannot help.
_PERMANENT = {
    4001: "Nod did not understand the first frame; is this client too old for the server?",
    4003: "NOD_SECRET is not this agent's secret; it may have been rotated",
    4004: "there is no agent with the id in NOD_AGENT_ID",
}


class _SameServer(connect):
    """Follows no redirect: the first frame holds the secret, which is for one server only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Link:
    """An authenticated connection. Made by `open`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Connects and authenticates, asking for strict acks.

        Raises AuthError when the server refuses the agent for good, ConnectError otherwise.
        """
        try:
            connection = await _SameServer(
                settings.socket_url,
                compression=None,
                open_timeout=OPEN_S,
                ping_interval=PING_S,
                ping_timeout=PONG_S,
                close_timeout=_CLOSE_S,
                max_size=_FRAME_BYTES,
                user_agent_header=f"nod-tasks/{__version__}",
            )
        except (OSError, WebSocketException, EOFError) as error:
            raise ConnectError(f"cannot open {settings.socket_url}: {_words(error)}") from error
        link = cls(connection)
        try:
            async with asyncio.timeout(OPEN_S):
                await link._authenticate(settings.secret)
        except BaseException as error:
            await link.close()
            if isinstance(error, TimeoutError):
                raise ConnectError("Nod did not answer the first frame in time") from error
            raise
        return link

    async def _authenticate(self, secret: str) -> None:
        await self.send({"type": "auth", "secret": secret, "acks": True})
        answer = await self.receive()
        if answer.get("type") != "auth_ok":
            raise ConnectError(f"Nod answered the first frame with {answer.get('type')!r}")

    async def send(self, frame: dict[str, Any]) -> None:
        """Sends a frame. Raises ConnectError or AuthError when the connection is gone."""
        try:
            await self._connection.send(json.dumps(frame))
        except ConnectionClosed as closed:
            raise _gone(closed) from closed

    async def receive(self) -> Event:
        """The next frame. Raises ConnectError or AuthError when the connection is gone."""
        while True:
            try:
                frame = json.loads(await self._connection.recv())
            except ConnectionClosed as closed:
                raise _gone(closed) from closed
            except (ValueError, RecursionError):
                continue  # not a frame of Nod's; later versions may send what this one cannot read
            if isinstance(frame, dict):
                return frame

    async def close(self) -> None:
        """Closes the connection cleanly."""
        await self._connection.close()


def _gone(closed: ConnectionClosed) -> NodError:
    code = closed.rcvd.code if closed.rcvd else None
    if code in _PERMANENT:
        return AuthError(401, _PERMANENT[code])
    return ConnectError(f"the connection to Nod is gone: {_words(closed)}")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
