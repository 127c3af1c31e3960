"""`/mcp`: the Model Context Protocol over HTTP.

Plain ASGI around the protocol's own package, which is loaded at the first call: it takes a second,
and many servers are never asked. Who calls is known before anything of the call is read.
"""

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from litestar.connection import ASGIConnection

from nod.api.auth import AGENT_ID_HEADER, SECRET_HEADER, Connection, bearer_token, known_agent
from nod.api.problems import Problem, problem
from nod.app import Nod
from nod.domain.errors import Forbidden, NodError, NotAuthenticated, Unavailable

if TYPE_CHECKING:
    from nod.mcp.http import HttpServer

PATH = "/mcp"

_MISSING = Problem(
    501,
    "this server has no packages of the Model Context Protocol: pip install 'nod-tasks[mcp]'",
    {},
)
_WRONG_METHOD = Problem(405, "this address takes POST only", {"Allow": "POST"})


class McpDoor:
    """The ASGI app behind the path. `api` is that of the agents' API, which the tools call."""

    def __init__(self, nod: Nod, api: Any) -> None:
        self._nod = nod
        self._api = api
        self._opening: asyncio.Task[HttpServer] | None = None
        self._running: asyncio.Task[None] | None = None
        self._calls = 0
        self._idle = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        connection: Connection = ASGIConnection(scope)  # type: ignore[arg-type]
        try:
            _check_origin(connection, self._nod.settings.public_url)
            if scope["method"] != "POST":
                return await _say(send, _WRONG_METHOD)
            agent_id, secret = await _credentials(self._nod, connection)
            server = await self._server()
        except NodError as error:
            return await _say(send, _challenged(connection, problem(error)))
        except ModuleNotFoundError:
            return await _say(send, _MISSING)
        self._calls += 1
        self._idle.clear()
        try:
            await server.serve(agent_id, secret, scope, receive, send)
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def _server(self) -> "HttpServer":
        if self._nod.draining.is_set():
            raise Unavailable("Nod is ending; try again")
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> "HttpServer":
        make = await asyncio.to_thread(_load)
        server = make(self._api, self._nod.settings.public_url, self._nod.limits.event_body_bytes)
        open_ = asyncio.Event()
        self._running = asyncio.create_task(self._run(server, open_))
        await open_.wait()
        return server

    async def _run(self, server: "HttpServer", open_: asyncio.Event) -> None:
        """Until the process ends and the last call has its answer."""
        self._idle.set()
        async with server.running():
            open_.set()
            await self._nod.draining.wait()
            await self._idle.wait()


def _load() -> "type[HttpServer]":
    from nod.mcp.http import HttpServer

    return HttpServer


def _check_origin(connection: Connection, public_url: str) -> None:
    """A browser says which page calls; only a page of this server may. Raises Forbidden.

    That is what the protocol asks for against a site that has its own name lead to this machine.
    """
    origin = connection.headers.get("origin")
    ours = urlsplit(public_url)
    if origin is not None and origin != f"{ours.scheme}://{ours.netloc}":
        raise Forbidden("this call comes from a page of another site")


async def _credentials(nod: Nod, connection: Connection) -> tuple[str, str]:
    """Those of an agent: its two headers, or both in one. Raises NotAuthenticated."""
    agent_id = connection.headers.get(AGENT_ID_HEADER, "").strip()
    secret = connection.headers.get(SECRET_HEADER, "").strip()
    if not agent_id and not secret:
        agent_id, _, secret = bearer_token(connection).partition(".")
    if not agent_id or not secret:
        raise NotAuthenticated(
            "send the header Authorization: Bearer <agent id>.<secret>, with a dot between them,"
            f" or {AGENT_ID_HEADER} and {SECRET_HEADER}"
        )
    await known_agent(nod, agent_id, secret)
    return agent_id, secret


def _challenged(connection: Connection, found: Problem) -> Problem:
    """A refusal of credentials says how to send them (RFC 6750, 3)."""
    if found.status != 401:
        return found
    sent = "Authorization" in connection.headers or AGENT_ID_HEADER in connection.headers
    challenge = 'Bearer realm="Nod"' + (', error="invalid_token"' if sent else "")
    return found._replace(headers={**found.headers, "WWW-Authenticate": challenge})


async def _say(send: Any, found: Problem) -> None:
    body = msgspec.json.encode({"detail": found.detail})
    told = {"Content-Type": "application/json", "Content-Length": str(len(body)), **found.headers}
    headers = [(name.lower().encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": found.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
