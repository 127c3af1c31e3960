"""Runs as resources, for clients that attach things to read."""

import json
from collections.abc import Awaitable
from typing import TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from nod.client.errors import NodError, NotFound
from nod.mcp.calling import Call, WhoCalls, client_of

T = TypeVar("T")
MARKDOWN = "text/markdown"


async def run(call: Call, run_id: str) -> str:
    """How a run stands, with all its fields."""
    return json.dumps(await _found(client_of(call).run(run_id)), ensure_ascii=False, indent=2)


async def result(call: Call, run_id: str) -> str:
    """A run's whole result; empty as long as it has none."""
    return (await _found(client_of(call).run(run_id)))["summary"] or ""


async def notes(call: Call, run_id: str) -> str:
    """A run's scratchpad, the oldest note first. Reading it takes the run up."""
    blocks = (await _found(client_of(call).context(run_id)))["blocks"]
    return "\n\n".join(block["text"] for block in blocks)


async def _found(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except NotFound as error:
        raise ResourceNotFoundError(error.detail) from error
    except NodError as error:
        raise ResourceError(error.detail) from error


def add_resources(server: MCPServer[WhoCalls]) -> None:
    """Offers each run, its result and its notes under an address."""
    server.resource("nod://runs/{run_id}", mime_type="application/json")(run)
    server.resource("nod://runs/{run_id}/result", mime_type=MARKDOWN)(result)
    server.resource("nod://runs/{run_id}/notes", mime_type=MARKDOWN)(notes)
