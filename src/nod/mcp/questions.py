"""The tasks extension (SEP-2663, of the protocol's 2026-07-28): a question that waits is a task.

The task's id is the decision's, so nothing is kept here: it outlives the connection, the process
and the node, and only the agent that asked can look. While the card is open the task is
`input_required` for a client that can show its user the link to it, and `working` for one that has
nothing to do but wait. Its result is what `ask` would have answered.
"""

from typing import Any

from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    RequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from nod.client.errors import ConfigError, NodError, NotFound
from nod.mcp.calling import Request, caller_of
from nod.mcp.link import can_show, link
from nod.mcp.person import ASK, heard
from nod.mcp.shapes import Answer

IDENTIFIER = "io.modelcontextprotocol/tasks"
_SINCE = frozenset(MODERN_PROTOCOL_VERSIONS)
# A person takes seconds at least, and looking costs little.
_POLL_MS = 2_000


class TaskParams(RequestParams):
    """Which task."""

    task_id: str


class Questions(Extension):
    """`ask` answers with a task where the client takes one; `tasks/get` is the look at its card."""

    identifier = IDENTIFIER

    def methods(self) -> tuple[MethodBinding, ...]:
        """What a client does with a task."""
        return (
            MethodBinding("tasks/get", TaskParams, _get, _SINCE),
            # To follow the link is no answer, and a question is not taken back: nothing is to do.
            MethodBinding("tasks/update", TaskParams, _acknowledge, _SINCE),
            MethodBinding("tasks/cancel", TaskParams, _acknowledge, _SINCE),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Request, call_next: CallNext
    ) -> HandlerResult:
        """Asks without waiting, and gives the task that waits."""
        arguments = params.arguments or {}
        if params.name != ASK.name or not _takes_tasks(ctx) or arguments.get("wait_s") == 0:
            return await call_next(ctx)
        params.arguments = {**arguments, "wait_s": 0}
        result = await call_next(ctx)
        asked = result.structured_content if isinstance(result, CallToolResult) else None
        if not asked or asked["status"] != "pending":
            return result  # it could not be asked, or what is always allowed was answered at once
        try:
            found = await caller_of(ctx).client.decision(asked["decision_id"])
        except NodError:
            return result  # it is asked; `check_answer` looks for the answer
        return {"resultType": "task", **_facts(ctx, dict(found))}


async def _get(ctx: Request, params: TaskParams) -> HandlerResult:
    found = await _known(ctx, params.task_id)
    task = _facts(ctx, found)
    if task["status"] == "input_required":
        request = ElicitRequest(params=link(caller_of(ctx), params.task_id, found["title"]))
        task["inputRequests"] = {"card": _wire(request)}
    elif task["status"] == "completed":
        await heard(caller_of(ctx).client, params.task_id)
        answer = Answer.of(params.task_id, found)
        task["result"] = _wire(ASK.fn_metadata.convert_result(answer))
    return task


async def _acknowledge(ctx: Request, params: TaskParams) -> HandlerResult:
    await _known(ctx, params.task_id)
    return {}


async def _known(ctx: Request, task_id: str) -> dict[str, Any]:
    """The decision behind the task. Raises MCPError."""
    require_client_extension(ctx, IDENTIFIER)
    try:
        return dict(await caller_of(ctx).client.decision(task_id))
    except (NotFound, ConfigError) as error:
        raise MCPError(INVALID_PARAMS, f"Task not found: {error.detail}") from error
    except NodError as error:
        raise MCPError(INTERNAL_ERROR, error.detail) from error


def _takes_tasks(ctx: Request) -> bool:
    can = ctx.session.client_capabilities
    return can is not None and IDENTIFIER in (can.extensions or {})


def _facts(ctx: Request, found: dict[str, Any]) -> dict[str, Any]:
    """The fields that each task has."""
    waiting = found["status"] == "pending"
    status = "completed" if not waiting else "input_required" if can_show(ctx) else "working"
    return {
        "taskId": found["id"],
        "status": status,
        "statusMessage": "Waiting for the person's answer" if waiting else found["status"],
        "createdAt": found["created_at"],
        "lastUpdatedAt": found["resolved_at"] or found["created_at"],
        "ttlMs": None,
        "pollIntervalMs": _POLL_MS,
    }


def _wire(model: Any) -> dict[str, Any]:
    shown: dict[str, Any] = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    return shown
