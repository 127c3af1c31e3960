"""An agent that speaks the Model Context Protocol, by the official client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import CallToolResult, TextContent, TextResourceContents

from nod import AsyncClient
from nod.mcp.calling import WhoCalls
from nod.mcp.server import make_server
from nod.mcp.stdio import connected
from support.cli import Shell, path_of

Era = Literal["legacy", "auto"]
Way = Literal["stdio", "memory"]


class McpAgent:
    """What the model behind a client can do."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A tool's answer, which is there for programs and, the same, for the model to read."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, said(result)
        return cast("dict[str, Any]", result.structured_content)

    async def refused(self, tool: str, **arguments: Any) -> str:
        """What a tool says that cannot do it."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.structured_content
        return said(result)

    async def read(self, uri: str) -> str:
        """A resource's text."""
        (content,) = (await self.client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        return content.text


def said(result: CallToolResult) -> str:
    """What the model reads of a result."""
    return "\n".join(each.text for each in result.content if isinstance(each, TextContent))


@asynccontextmanager
async def mcp_agent(
    shell: Shell, way: Way = "stdio", *, era: Era = "auto", **given: Any
) -> AsyncIterator[McpAgent]:
    """`nod mcp`, started by a client as its configuration says; it ends with the block.

    By the way "memory" the same server is in this process, which spares starting another one.
    The client lives in a task of its own, because a fixture is entered by one task and left by
    another, and the client must not be.
    """
    server = stdio_client(_command(shell)) if way == "stdio" else _server(shell)
    client = Client(server, mode=era, **given)
    connected, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with client:
            connected.set()
            await over.wait()

    life = asyncio.create_task(live())
    waiting = asyncio.create_task(connected.wait())
    await asyncio.wait([life, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if not life.done():
            yield McpAgent(client)
    finally:
        over.set()
        await life


@asynccontextmanager
async def mcp_over_http(
    url: str, headers: dict[str, str], era: Era = "auto", **given: Any
) -> AsyncIterator[McpAgent]:
    """The same by `/mcp` of the server, with what a configuration gives along with each call."""
    async with create_mcp_http_client(headers) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=era, **given) as client:
            yield McpAgent(client)


def _server(shell: Shell) -> MCPServer[WhoCalls]:
    return make_server(lambda _: connected(AsyncClient(shell.url, shell.agent_id, shell.secret)))


def _command(shell: Shell) -> StdioServerParameters:
    return StdioServerParameters(
        command=str(path_of("nod")),
        args=["mcp"],
        env={
            "NOD_API_URL": shell.url,
            "NOD_AGENT_ID": shell.agent_id,
            "NOD_SECRET": shell.secret,
        },
    )
