"""The server over standard input and output, for one agent: what `nod mcp` runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nod.client.async_client import AsyncClient
from nod.client.errors import NodError
from nod.mcp.server import make_server

logger = logging.getLogger("nod.mcp")


async def serve() -> None:
    """Serves until standard input ends. Credentials come from the environment."""
    await make_server(_connected).run_stdio_async()


@asynccontextmanager
async def _connected(_: object) -> AsyncIterator[AsyncClient]:
    async with AsyncClient() as client:
        greeting = asyncio.create_task(_greet(client))
        try:
            yield client
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
