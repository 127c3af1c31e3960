"""A question of an agent as a client of the protocol has it: as a task, and as a link to show."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from mcp import MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientRequestContext
from mcp.types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitRequestURLParams,
    ElicitResult,
    Request,
    RequestParams,
    Result,
)
from pydantic import ConfigDict

from nod.actions.agents import Credentials
from nod.domain.decisions import Answer
from support.cli import Shell
from support.inprocess import InProcess
from support.mcp import McpAgent, mcp_agent, mcp_over_http

TASKS = "io.modelcontextprotocol/tasks"


class Made(Result):
    """`CreateTaskResult` of the extension."""

    result_type: Literal["task"]
    task_id: str
    status: str
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int


class Found(Result):
    """`GetTaskResult`, whatever the status, or an acknowledgement."""

    model_config = ConfigDict(extra="allow")


class Named(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class OfTask(Request[Named, str]):
    """`tasks/get`, `tasks/update` or `tasks/cancel`."""

    name_param: ClassVar[str | None] = "taskId"
    method: str
    params: Named


@dataclass
class Tasks(ClientExtension):
    """A client that takes tasks, and leaves what becomes of them to the test."""

    identifier = TASKS
    made: list[Made] = field(default_factory=list)

    def claims(self) -> list[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Made, resolve=self._resolve)]

    async def _resolve(self, made: Made, _: ClaimContext) -> CallToolResult:
        self.made.append(made)
        return CallToolResult(content=[], is_error=True)  # what has no answer has no form to check


async def of_task(agent: McpAgent, method: str, task_id: str, **more: Any) -> dict[str, Any]:
    request = OfTask(method=method, params=Named(task_id=task_id, **more))
    found = await agent.client.session.send_request(request, Found)
    return found.model_extra or {}


@dataclass
class Window:
    """What the client's own user sees, and does."""

    shown: list[ElicitRequestURLParams] = field(default_factory=list)
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    action: Literal["accept", "decline"] | None = None  # None: nobody is there

    async def show(self, _: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        self.shown.append(params)
        self.seen.set()
        if self.action is None:
            await asyncio.Event().wait()
        return ElicitResult(action=self.action or "cancel")


@asynccontextmanager
async def taking_tasks(
    nod: InProcess, who: Credentials, **given: Any
) -> AsyncIterator[tuple[McpAgent, Tasks]]:
    tasks = Tasks()
    headers = {"Authorization": f"Bearer {who.agent.id}.{who.secret}"}
    async with mcp_over_http(nod.url, headers, extensions=[tasks], **given) as agent:
        yield agent, tasks


async def ask(agent: McpAgent, tasks: Tasks, **arguments: Any) -> Made:
    """Asks; what comes back at once is the task."""
    await agent.client.call_tool("ask", {"title": "Deploy?", **arguments})
    return tasks.made[-1]


async def test_a_question_is_a_task_until_it_is_answered(nod: InProcess, ada: Credentials) -> None:
    async with taking_tasks(nod, ada) as (agent, tasks):
        made = await ask(agent, tasks)
        assert (made.status, made.ttl_ms) == ("working", None)
        waiting = await of_task(agent, "tasks/get", made.task_id)
        assert (waiting["status"], "inputRequests" in waiting) == ("working", False)
        await nod.answer(ada, made.task_id, Answer("approved", note="Go on."))
    async with taking_tasks(nod, ada) as (agent, _):
        done = await of_task(agent, "tasks/get", made.task_id)
        assert done["status"] == "completed"
        answer = done["result"]["structuredContent"]
        assert (answer["status"], answer["note"]) == ("approved", "Go on.")
        assert "The person said yes." in done["result"]["content"][0]["text"]
        assert (await agent.call("inbox"))["answers"] == [], "it was heard already"


async def test_a_client_that_can_show_a_link_is_asked_to_as_long_as_the_card_is_open(
    nod: InProcess, ada: Credentials
) -> None:
    async with taking_tasks(nod, ada, elicitation_callback=Window().show) as (agent, tasks):
        made = await ask(agent, tasks)
        assert made.status == "input_required"
        waiting = await of_task(agent, "tasks/get", made.task_id)
        assert waiting["status"] == "input_required"
        assert waiting["inputRequests"]["card"] == {
            "method": "elicitation/create",
            "params": {
                "mode": "url",
                "message": "Deploy?",
                "url": f"{nod.nod.settings.public_url}/requests/{made.task_id}",
            },
        }
        followed = {"card": {"action": "accept"}}
        await of_task(agent, "tasks/update", made.task_id, input_responses=followed)
        await of_task(agent, "tasks/cancel", made.task_id)
        waiting = await of_task(agent, "tasks/get", made.task_id)
        assert waiting["status"] == "input_required", "to follow the link is no answer"
        await nod.answer(ada, made.task_id, Answer("rejected"))
        done = await of_task(agent, "tasks/get", made.task_id)
        assert done["result"]["structuredContent"]["status"] == "rejected"


async def test_the_task_of_a_question_is_its_agents_alone(nod: InProcess, ada: Credentials) -> None:
    eve = await nod.add_agent("Eve")
    async with taking_tasks(nod, ada) as (agent, tasks):
        made = await ask(agent, tasks)
        headers = {"Authorization": f"Bearer {ada.agent.id}.{ada.secret}"}
        async with mcp_over_http(nod.url, headers) as plain:
            with pytest.raises(MCPError, match="did not declare required extension"):
                await of_task(plain, "tasks/get", made.task_id)
    async with taking_tasks(nod, eve) as (agent, _):
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            for id_ in (made.task_id, "dec_nothing"):
                with pytest.raises(MCPError, match="Task not found") as refused:
                    await of_task(agent, method, id_, input_responses={})
                assert refused.value.error.code == -32602


async def test_what_needs_no_waiting_is_answered_without_a_task(
    nod: InProcess, ada: Credentials
) -> None:
    push = {"pattern": "git push", "label": "pushing"}
    async with taking_tasks(nod, ada) as (agent, tasks):
        asked = await agent.call("ask", title="Deploy?", wait_s=0)
        assert asked["status"] == "pending"
        assert "run_nothing" in await agent.refused("ask", title="x", run_id="run_nothing")
        made = await ask(agent, tasks, title="git push", kind="permission", always_allow=[push])
        always = Answer("approved", always_allow=True, always_allow_pattern="git push")
        await nod.answer(ada, made.task_id, always)
        again = await agent.call("ask", title="git push", kind="permission", always_allow=[push])
        assert again["status"] == "approved"
        assert len(tasks.made) == 1


@pytest.mark.parametrize("action", [None, "accept", "decline"])
async def test_a_client_that_shows_the_link_waits_for_the_answer_all_the_same(
    nod: InProcess, ada: Credentials, action: Literal["accept", "decline"] | None
) -> None:
    window = Window(action=action)
    shell = Shell(nod.url, ada.agent.id, ada.secret)
    async with mcp_agent(shell, "memory", era="legacy", elicitation_callback=window.show) as agent:
        asking = asyncio.create_task(agent.call("ask", title="Deploy?", wait_s=60))
        await asyncio.wait_for(window.seen.wait(), 20)
        (link,) = window.shown
        question = link.elicitation_id or ""
        assert (link.message, link.url) == ("Deploy?", f"{nod.url}/requests/{question}")
        await nod.answer(ada, question, Answer("approved"))
        assert (await asking)["status"] == "approved"
