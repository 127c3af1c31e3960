"""The server over standard input and output, for one agent: what `nod mcp` runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nod.client.async_client import AsyncClient
from nod.client.errors import NodError
from nod.mcp.calling import Caller, WhoCalls
from nod.mcp.server import make_server

logger = logging.getLogger("nod.mcp")


async def serve() -> None:
    """Serves until standard input ends. Credentials come from the environment."""
    await make_server(lambda _: connected(AsyncClient())).run_stdio_async()


@asynccontextmanager
async def connected(client: AsyncClient) -> AsyncIterator[WhoCalls]:
    """While it is open, the agent of `client` is the one that calls."""
    caller = Caller(client, client.settings.url)
    async with client:
        greeting = asyncio.create_task(_greet(client))
        try:
            yield lambda _: caller
        finally:
            greeting.cancel()
            await asyncio.wait([greeting])


async def _greet(client: AsyncClient) -> None:
    """Calls once, so that the person sees the agent arrive.

    What is wrong goes into the log. Every tool says it too, and works as soon as it is mended.
    """
    try:
        await client.events()
    except NodError as error:
        logger.warning("%s", error.detail)
