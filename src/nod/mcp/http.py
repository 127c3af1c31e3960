"""The server over HTTP, for all agents of a Nod: each call says whose it is, and stands for itself.

There are no sessions, so any node of several may answer any call. The tools are those of `nod mcp`.
What they ask of Nod goes through the API's own door, in this process, with the caller's
credentials: who may do what, and how much, is decided there.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
from mcp.server.context import ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings

from nod.client.async_client import AsyncClient
from nod.mcp.calling import Caller, WhoCalls
from nod.mcp.server import make_server

_CALLER = "nod.caller"
# Only stands in the calls that this process makes of itself.
_HERE = "http://nod"


class HttpServer:
    """One for a process. `api` is the ASGI app of the agents' API, `url` how others reach Nod."""

    def __init__(self, api: Any, url: str, body_bytes: int) -> None:
        server = make_server(_by_request)
        server.streamable_http_app(
            stateless_http=True,
            max_request_body_size=body_bytes,
            # The door looks at where a call comes from, before it asks who calls.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._manager = server.session_manager
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(api, raise_app_exceptions=False)
        )
        self._url = url

    def running(self) -> AbstractAsyncContextManager[None]:
        """Calls are served while this is open. To be entered and left by the same task."""
        return self._manager.run()

    async def serve(
        self, agent_id: str, secret: str, scope: dict[str, Any], receive: Any, send: Any
    ) -> None:
        """One call, of the agent with these credentials."""
        caller = Caller(AsyncClient(_HERE, agent_id, secret, http=self._http), self._url)
        await self._manager.handle_request({**scope, _CALLER: caller}, receive, send)


@asynccontextmanager
async def _by_request(_: object) -> AsyncIterator[WhoCalls]:
    yield _who_calls


def _who_calls(request: ServerRequestContext[Any, Any]) -> Caller:
    of_http: Any = request.request
    caller: Caller = of_http.scope[_CALLER]
    return caller
