"""The result sheet: what a run brought and how it went, over the chat it belongs to."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from nod.actions.owned import attempts_of_run, owned_run
from nod.actions.result import ResultSheet, result_sheet
from nod.domain.changes import Changes, DiffLine, SectionChange
from nod.domain.errors import NotFound
from nod.domain.instant import rfc3339
from nod.domain.model import (
    Agent,
    ContextBlock,
    Conversation,
    Decision,
    Delivery,
    Payload,
    Run,
    Task,
)
from nod.domain.timeline import Timeline
from nod.engine.fire import run_now
from nod.store.store import Tx
from nod.web.chats import chat_values
from nod.web.view import Viewer

# The least part of the picture's width that a step has, so that each can be seen.
_LEAST = 0.02
_WIDTH = 360.0


# What is drawn of what may be very long; the rest is counted.
_SECTIONS = 40
_LINES = 80
_PAYLOAD_CHARS = 10_000
_BLOCKS = 50


class Change(NamedTuple):
    """A section that changed, as far as it is drawn; `more` lines are not."""

    title: str
    kind: str
    lines: list[DiffLine]
    more: int


class Brought(NamedTuple):
    """What a call brought, laid out to be read; `more` characters are not drawn."""

    source: str
    text: str
    more: int


@dataclass(frozen=True, slots=True)
class Result:
    """All that the sheet shows."""

    sheet: ResultSheet
    changes: Changes | None
    task: Task
    agent: Agent
    conversation: Conversation
    payload: Payload | None
    blocks: list[ContextBlock]
    attempts: list[Delivery]
    look: Decision | None = None  # the request for its call, while that waits

    @property
    def drawn_changes(self) -> list[Change]:
        """The first sections that changed, each with its first lines that are not the same."""
        found = () if self.changes is None else self.changes.sections[:_SECTIONS]
        return [_change(each) for each in found]

    @property
    def more_changes(self) -> int:
        """How many sections more have changed."""
        return 0 if self.changes is None else max(0, len(self.changes.sections) - _SECTIONS)

    @property
    def brought(self) -> Brought | None:
        """What the call brought that started the run."""
        if self.payload is None:
            return None
        source = msgspec.json.decode(self.payload.inbound, type=_Inbound).source
        text = msgspec.json.format(self.payload.payload, indent=2)
        return Brought(source, text[:_PAYLOAD_CHARS], max(0, len(text) - _PAYLOAD_CHARS))

    @property
    def notes(self) -> list[ContextBlock]:
        """The newest entries of the scratchpad, the oldest of them first."""
        return self.blocks[-_BLOCKS:]

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


class _Inbound(msgspec.Struct):
    source: str = ""


def _change(section: SectionChange) -> Change:
    other = [each for each in section.lines or () if each.kind != "same"]
    return Change(section.title, section.kind, other[:_LINES], max(0, len(other) - _LINES))


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
    async def look(tx: Tx) -> Result:
        sheet = await result_sheet(tx, viewer.user, run_id)
        task = await tx.tasks.get(sheet.run.task_id)
        agent = await tx.people.agent(sheet.run.agent_id)
        if task is None or agent is None:
            raise LookupError(run_id)
        return Result(
            sheet,
            None,
            task,
            agent,
            await tx.chat.default_conversation(agent.id),
            await tx.runs.payload(run_id),
            await tx.runs.context_blocks(run_id),
            await attempts_of_run(tx, viewer.user, run_id),
            await tx.calls.open_look(task.id) if sheet.run.held else None,
        )

    found = await viewer.nod.store.read(look)
    changes = await asyncio.to_thread(found.sheet.changes, viewer.nod.limits)
    return replace(found, changes=changes)


@get("/runs/{run_id:str}")
async def result(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """The sheet alone where the page asks for it, else the chat with the sheet open."""
    found = await _load(viewer, run_id)
    if viewer.part is not None:
        return await viewer.drawn("runs/sheet.html", result=found)
    values = await chat_values(viewer, found.conversation.id)
    return await viewer.page("runs/page.html", result=found, **values)


@get("/runs/{run_id:str}/download")
async def download(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """The deliverable as a Markdown file."""
    found = await viewer.nod.store.read(lambda tx: result_sheet(tx, viewer.user, run_id))
    name = f"{rfc3339(found.run.scheduled_for)[:10]}-{found.run.id}.md"
    return _file(name, "text/markdown; charset=utf-8", found.text or "")


@get("/runs/{run_id:str}/payload")
async def payload(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """What the call brought that started the run, whole, as a JSON file."""

    async def look(tx: Tx) -> Payload | None:
        return await tx.runs.payload((await owned_run(tx, viewer.user, run_id)).id)

    found = await viewer.nod.store.read(look)
    if found is None:
        raise NotFound("this run was not started by a call, so it has no payload")
    return _file(f"{run_id}.json", "application/json", found.payload)


def _file(name: str, media_type: str, text: str) -> Response[bytes]:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text.encode(), media_type=media_type, headers=headers)


@post("/runs/{run_id:str}/again", status_code=200)
async def again(viewer: NamedDependency[Viewer], run_id: FromPath[str]) -> Response[bytes]:
    """Make another run of the same task now, and show it."""
    found = await _load(viewer, run_id)
    run = await viewer.nod.store.write(lambda tx: run_now(tx, found.task))
    return viewer.go(f"/runs/{run.id}")


routes = [result, download, payload, again]
