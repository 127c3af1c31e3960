"""Who is calling: a person by a bearer token, an agent by its two headers.

Authentication is a guard, so that it happens before the body is read. It leaves the caller in
`scope["user"]`; the handlers get it as their dependency `user` or `agent`.
"""

from contextlib import suppress
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from nod.actions.accounts import JWT_PURPOSE, check_token, read_token
from nod.actions.agents import authenticate, new_secret_seen, shows_new_secret
from nod.app import Nod
from nod.domain.errors import NodError, NotAuthenticated, NotFound
from nod.domain.instant import SECOND
from nod.domain.model import Agent, User
from nod.store.people import Seen

Connection = ASGIConnection[Any, Any, Any, Any]

SCOPE_KEY = "nod"  # where a connection's Nod stands in its ASGI scope
AGENT_ID_HEADER = "X-Nod-Agent-Id"
SECRET_HEADER = "X-Nod-Secret"  # noqa: S105 - the header's name


def provide_nod(request: Request[Any, Any, Any]) -> Nod:
    """Dependency `nod`: the process's parts, which come with each request."""
    return nod_of(request)


def nod_of(connection: Connection) -> Nod:
    """The same for guards, which get no dependencies."""
    nod: Nod = connection.scope[SCOPE_KEY]  # type: ignore[literal-required]
    return nod


# people


async def require_user(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard: the caller is a person with a valid token. Raises NotAuthenticated."""
    connection.scope["user"] = await _authenticated_user(connection)


async def current_user(request: Request[Any, Any, Any]) -> User:
    """Dependency `user`: the person who is calling."""
    found = request.scope.get("user")
    return found if isinstance(found, User) else await _authenticated_user(request)


async def _authenticated_user(connection: Connection) -> User:
    nod = nod_of(connection)
    token = bearer_token(connection)
    if not token:
        raise NotAuthenticated(
            "send the header Authorization: Bearer <token>; POST /api/auth/login gives the token"
        )
    known = read_token(token, nod.vault.derive(JWT_PURPOSE), nod.clock.now())
    return check_token(known, await nod.store.read(lambda tx: tx.people.user(known.user_id)))


def bearer_token(connection: Connection) -> str:
    """The token of `Authorization: Bearer <token>` (RFC 6750); empty where there is none."""
    scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


# agents


async def require_agent(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard: the caller is an agent with its secret. Raises NotAuthenticated."""
    connection.scope["user"] = await _authenticated_agent(connection)


async def current_agent(request: Request[Any, Any, Any]) -> Agent:
    """Dependency `agent`: the agent that is calling."""
    found = request.scope.get("user")
    return found if isinstance(found, Agent) else await _authenticated_agent(request)


async def _authenticated_agent(connection: Connection) -> Agent:
    nod = nod_of(connection)
    agent_id = connection.headers.get(AGENT_ID_HEADER, "").strip()
    secret = connection.headers.get(SECRET_HEADER, "").strip()
    if not agent_id or not secret:
        raise NotAuthenticated(f"send the headers {AGENT_ID_HEADER} and {SECRET_HEADER}")
    return await known_agent(nod, agent_id, secret)


async def known_agent(nod: Nod, agent_id: str, secret: str) -> Agent:
    """The agent with these credentials, of whom it is noted that it was heard of.

    Raises NotAuthenticated.
    """
    try:
        agent = await nod.store.read(lambda tx: authenticate(tx, agent_id, secret))
    except NotFound as error:
        raise NotAuthenticated(error.detail) from None
    if shows_new_secret(agent, secret):
        await nod.store.write(lambda tx: new_secret_seen(tx, agent.id))
    await _note_seen(nod, agent)
    return agent


async def _note_seen(nod: Nod, agent: Agent) -> None:
    """Write now and then that the agent was heard of. A store that cannot turns no call away."""
    now = nod.clock.now()
    if now - (agent.last_seen_at or 0) < nod.limits.heartbeat_write_s * SECOND:
        return
    with suppress(NodError):
        await nod.store.write(lambda tx: tx.people.touch([Seen(agent.id, tx.now)]))
    if agent.last_seen_at is None:
        nod.live.record([{"agent_id": agent.id}], now)


# either


async def require_anyone(connection: Connection, handler: BaseRouteHandler) -> None:
    """Guard: the caller is an agent, if it says so by its header, or else a person."""
    if AGENT_ID_HEADER in connection.headers:
        await require_agent(connection, handler)
    else:
        await require_user(connection, handler)


def current_caller(request: Request[Any, Any, Any]) -> User | Agent:
    """Who passed the guard `require_anyone`."""
    caller: User | Agent = request.scope["user"]
    return caller
