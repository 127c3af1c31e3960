"""The doors of one Nod put together as an ASGI app, and the server that keeps it open."""

import asyncio
import signal
import socket as sockets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import uvicorn
from litestar import Litestar
from litestar.di import Provide
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from nod.api import agent, docs, feed, health, hooks, mcp, user
from nod.api.auth import SCOPE_KEY, provide_nod
from nod.api.probes import OnlyProbes
from nod.api.problems import handlers
from nod.api.socket import PATH, STATE_KEY, AgentSockets, Message, Receive, Send
from nod.app import Nod
from nod.config import Settings
from nod.delivery.sockets import Socket
from nod.domain.errors import Unavailable
from nod.domain.limits import Limits
from nod.web import live, pages

# Above the limit of a frame: one that is somewhat too large is answered, not cut off.
_FRAMES_READ = 2
# A ping goes out and its answer is due within one keep-alive round, with time to spare.
_PART_OF_ROUND = 0.45


class Doors:
    """HTTP goes to the framework; the agent's socket, which carries most, goes straight in."""

    def __init__(self, nod: Nod) -> None:
        self._nod = nod
        self._sockets = AgentSockets(nod)
        self._live = live.LiveStreams(nod)
        self._mcp = mcp.McpDoor(nod, self)
        self._http = framework(nod.limits)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"].startswith(PATH):
            await self._sockets(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == live.PATH:
            await self._live(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == mcp.PATH:
            await self._mcp(scope, receive, send)
        else:
            known = {**scope, SCOPE_KEY: self._nod}
            if scope.get("method") == "HEAD":
                # Whatever can be got can be asked for without its body (RFC 9110, 9.3.2), which the
                # server leaves out; many monitors ask so.
                known["method"] = "GET"
            await self._http(known, receive, send)  # type: ignore[arg-type]


@lru_cache(maxsize=4)
def framework(limits: Limits) -> Litestar:
    """All routes. To build them takes a quarter of a second, and they hold nothing of a Nod: whose
    they are comes with each request. So a process that starts many, as tests do, builds them once.
    """
    return Litestar(
        route_handlers=[
            *agent.routes(limits),
            *hooks.routes,
            *health.routes,
            *feed.routes,
            *user.routes(limits),
            *pages.routes(limits),
        ],
        dependencies={"nod": Provide(provide_nod, sync_to_thread=False)},
        exception_handlers=handlers,
        openapi_config=docs.openapi_config(),
        request_max_body_size=limits.body_bytes,
        logging_config=None,  # telemetry/ has set it up
    )


class AgentProtocol(WebSocketsSansIOProtocol):
    """A WebSocket connection whose pings are told to the Socket that counts on them."""

    def send_keepalive_ping(self) -> None:
        super().send_keepalive_ping()
        if (socket := self._socket()) is not None:
            socket.pinged()

    def handle_pong(self, event: Frame) -> None:
        expected = self.pending_ping_payload
        super().handle_pong(event)
        socket = self._socket()
        if socket is not None and expected is not None and self.pending_ping_payload is None:
            socket.answered()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        # A peer that does not read leaves bytes in the buffer, and a transport that is only
        # closed waits for them to be taken: the connection would stay open for ever.
        self.transport.abort()

    def _socket(self) -> Socket | None:
        found: Socket | None = self.scope["state"].get(STATE_KEY)
        return found


class Server(uvicorn.Server):
    """uvicorn with our way of stopping.

    Waiting calls are let go as soon as a signal comes, a second one ends at once, and the process
    goes on to close its store and exits with 0, where uvicorn would have itself killed.
    """

    def __init__(self, nod: Nod, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._nod = nod
        self._is_told = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM while the context is open. Only a main thread has signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {
            each: signal.signal(each, lambda *_: loop.call_soon_threadsafe(self.stop))
            for each in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def stop(self) -> None:
        """Begin to stop, once others have had time to notice; a second time, stop without waiting
        for anybody."""
        self.force_exit, self._is_told = self._is_told, True
        goes_on_s = self._nod.leave()
        if goes_on_s and not self.force_exit:
            asyncio.get_running_loop().call_later(goes_on_s, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self.should_exit = True
        self._nod.drain()


def make_server(nod: Nod) -> Server:
    """A server for `nod` that is not listening yet."""
    settings = nod.settings
    ping_s = nod.limits.socket_keep_alive_s * _PART_OF_ROUND
    doors = Doors(nod)
    config = uvicorn.Config(
        OnlyProbes(doors) if settings.role == "engine" else doors,
        host=settings.host,
        port=settings.port,
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        http="httptools",
        ws=AgentProtocol,
        ws_max_size=_FRAMES_READ * nod.limits.frame_bytes,
        ws_ping_interval=ping_s,
        ws_ping_timeout=ping_s,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, nod.limits.shutdown_s // 2),
        backlog=2048,
    )
    return Server(nod, config)


def listen(settings: Settings) -> sockets.socket:
    """The socket to serve on, bound before anything starts, so that a taken port is said at once.

    Raises Unavailable with what to do.
    """
    family = sockets.AF_INET6 if ":" in settings.host else sockets.AF_INET
    listener = sockets.socket(family, sockets.SOCK_STREAM)
    listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}."
            " Is another Nod running? Choose another port with --port"
        ) from error
    return listener


def port_of(listener: sockets.socket) -> int:
    """The port a listener got, where any was asked for."""
    name: Any = listener.getsockname()
    return int(name[1])
