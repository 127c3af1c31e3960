"""What the tools have in common: who calls, their ids, and how what fails is said."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from nod.client.async_client import AsyncClient
from nod.client.errors import NodError

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """The agent that is calling: what speaks for it, and where people and services reach Nod."""

    client: AsyncClient
    url: str


# What a transport gives every call along: how to tell who is calling.
WhoCalls = Callable[[ServerRequestContext[Any, Any]], Caller]
Call = Context[WhoCalls, Any]
Request = ServerRequestContext[WhoCalls, Any]

RunId = Annotated[str, Field(description="The run, as `inbox` or `start_task` names it: run_…")]
TaskId = Annotated[str, Field(description="The task, as `list_tasks` names it: tsk_…")]


def caller_of(request: Request) -> Caller:
    """The agent that is calling."""
    return request.lifespan_context(request)


def client_of(call: Call) -> AsyncClient:
    """The client of the agent that is calling."""
    return caller_of(call.request_context).client


def given(**fields: object) -> dict[str, Any]:
    """The fields that have a value; what the model leaves out is left to the server."""
    return {name: value for name, value in fields.items() if value is not None}


def look(function: Callable[..., Awaitable[Any]]) -> Tool:
    """A tool that changes nothing."""
    return _tool(function, ToolAnnotations(read_only_hint=True, open_world_hint=False))


def act(function: Callable[..., Awaitable[Any]], *, again: bool = False) -> Tool:
    """A tool that changes something; `again`: twice does no more than once."""
    return _tool(
        function,
        ToolAnnotations(
            read_only_hint=False,
            destructive_hint=False,
            idempotent_hint=again,
            open_world_hint=False,
        ),
    )


def _tool(function: Callable[..., Awaitable[Any]], hints: ToolAnnotations) -> Tool:
    title = function.__name__.replace("_", " ").capitalize()
    return Tool.from_function(
        _answered(function),
        title=title,
        description=inspect.getdoc(function),
        annotations=hints,
        structured_output=True,
    )


def _answered(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T | CallToolResult]]:
    """The function, whose errors of Nod are its answer: the sentence, for the model to act on."""

    @wraps(function)
    async def answered(*args: P.args, **kwargs: P.kwargs) -> T | CallToolResult:
        try:
            return await function(*args, **kwargs)
        except NodError as error:
            said = TextContent(type="text", text=error.detail)
            return CallToolResult(content=[said], is_error=True)

    return answered
