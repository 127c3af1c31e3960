"""The result sheet: what a run brought and how it went, over the chat it belongs to."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions.result import ResultSheet, result_sheet
from nod.domain.changes import Changes
from nod.domain.instant import rfc3339
from nod.domain.model import Agent, Conversation, Run, Task
from nod.domain.timeline import Timeline
from nod.engine.fire import run_now
from nod.store.store import Tx
from nod.web.chats import chat_values
from nod.web.view import Viewer

# The least part of the picture's width that a step has, so that each can be seen.
_LEAST = 0.02
_WIDTH = 360.0


@dataclass(frozen=True, slots=True)
class Result:
    """All that the sheet shows."""

    sheet: ResultSheet
    changes: Changes | None
    task: Task
    agent: Agent
    conversation: Conversation

    @property
    def run(self) -> Run:
        return self.sheet.run

    @property
    def text(self) -> str | None:
        return self.sheet.text

    @property
    def bars(self) -> list["Bar"]:
        """The run's life, drawn."""
        return list(bars(self.sheet.timeline))


class Bar(NamedTuple):
    """A step of a run's life as the picture shows it; `x` and `width` in its own units."""

    kind: str
    x: float
    width: float
    label: str


def bars(life: Timeline) -> Iterator[Bar]:
    """The steps that last, to scale, but none too narrow to be seen."""
    lasting = [each for each in life.steps if each.end > each.start]
    whole = sum(each.seconds for each in lasting)
    shares = [max(_LEAST, each.seconds / whole) for each in lasting]
    x = 0.0
    for step, share in zip(lasting, shares, strict=True):
        width = _WIDTH * share / sum(shares)
        yield Bar(step.kind, round(x, 1), round(width, 1), step.label)
        x += width


async def _load(viewer: Viewer, run_id: str) -> Result:
    async def look(tx: Tx) -> tuple[ResultSheet, Task, Agent, Conversation]:
        sheet = await result_sheet(tx, viewer.user, run_id)
        task = await tx.tasks.get(sheet.run.task_id)
        agent = await tx.people.agent(sheet.run.agent_id)
        if task is None or agent is None:
            raise LookupError(run_id)
        return sheet, task, agent, await tx.chat.default_conversation(agent.id)

    sheet, task, agent, conversation = await viewer.nod.store.read(look)
    changes = await asyncio.to_thread(sheet.changes, viewer.nod.limits)
    return Result(sheet, changes, task, agent, conversation)


@get("/runs/{run_id:str}")
async def result(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """The sheet alone where the page asks for it, else the chat with the sheet open."""
    found = await _load(viewer, run_id)
    if viewer.part is not None:
        return viewer.fragment("runs/sheet.html", result=found)
    values = await chat_values(viewer, found.conversation.id)
    return await viewer.page("runs/page.html", result=found, **values)


@get("/runs/{run_id:str}/download")
async def download(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """The deliverable as a Markdown file."""
    found = await viewer.nod.store.read(lambda tx: result_sheet(tx, viewer.user, run_id))
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
    found = await _load(viewer, run_id)
    run = await viewer.nod.store.write(lambda tx: run_now(tx, found.task))
    return viewer.go(f"/runs/{run.id}")


routes = [result, download, again]
