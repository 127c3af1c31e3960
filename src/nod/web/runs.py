"""The result sheet: what a run brought and how it went, over the chat it belongs to."""

from dataclasses import dataclass

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions.owned import attempts_of_run, owned_run
from nod.domain.instant import rfc3339
from nod.domain.model import Agent, Conversation, Delivery, Run, Task
from nod.engine.fire import run_now
from nod.engine.settle import summary_of
from nod.store.store import Tx
from nod.web.chats import chat_values
from nod.web.view import Viewer


@dataclass(frozen=True, slots=True)
class Result:
    """All that the sheet shows."""

    run: Run
    task: Task
    agent: Agent
    conversation: Conversation
    text: str | None
    attempts: list[Delivery]


async def _result(tx: Tx, viewer: Viewer, run_id: str) -> Result:
    run = await owned_run(tx, viewer.user, run_id)
    task, agent = await tx.tasks.get(run.task_id), await tx.people.agent(run.agent_id)
    if task is None or agent is None:
        raise LookupError(run_id)
    conversation = await tx.chat.default_conversation(agent.id)
    text = await summary_of(tx, run)
    attempts = await attempts_of_run(tx, viewer.user, run_id)
    return Result(run, task, agent, conversation, text, attempts)


@get("/runs/{run_id:str}")
async def result(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """The sheet alone where the page asks for it, else the chat with the sheet open."""
    found = await viewer.nod.store.read(lambda tx: _result(tx, viewer, run_id))
    if viewer.part is not None:
        return viewer.fragment("runs/sheet.html", result=found)
    values = await chat_values(viewer, found.conversation.id)
    return await viewer.page("runs/page.html", result=found, **values)


@get("/runs/{run_id:str}/download")
async def download(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """The deliverable as a Markdown file."""
    found = await viewer.nod.store.read(lambda tx: _result(tx, viewer, run_id))
    name = f"{rfc3339(found.run.scheduled_for)[:10]}-{found.run.id}.md"
    return Response(
        (found.text or "").encode(),
        media_type="text/markdown; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@post("/runs/{run_id:str}/again", status_code=200)
async def again(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """Make another run of the same task now, and show it."""

    async def make(tx: Tx) -> Run:
        found = await _result(tx, viewer, run_id)
        return await run_now(tx, found.task)

    run = await viewer.nod.store.write(make)
    return viewer.go(f"/runs/{run.id}")


routes = [result, download, again]
