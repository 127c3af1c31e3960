"""Tasks: the list with switches, and the page of one with its next fires and its history."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import tasks
from nod.actions.owned import owned_task
from nod.actions.task_board import TaskBoard, TaskLine, board, story, task_line
from nod.actions.usage import usage_of_task
from nod.domain.model import Agent, Run, Task
from nod.domain.strip import outcome_words
from nod.engine.fire import run_now
from nod.store.store import Tx
from nod.web.markdown import headline
from nod.web.services import SERVICES
from nod.web.start import said, typed
from nod.web.task_form import LABELS, as_typed, choices_said
from nod.web.triggers import Trust, trigger_values, trust_of
from nod.web.usage import DAYS, panel
from nod.web.view import Viewer

_HISTORY = 30
_PAGE = 40  # tasks that the list shows at first, and again with each "more"
_MOST = 10_000
_OUTCOME_CHARS = 160


@dataclass(frozen=True, slots=True)
class Away:
    """An agent with tasks that cannot be reached now."""

    agent: Agent
    waiting: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of the list that is shown, under its headings; `left` more are `more` away."""

    groups: tuple[tuple[str, tuple[TaskLine, ...]], ...]
    left: int
    address: str
    more: str


@get("/tasks")
async def overview(
    viewer: NamedDependency[Viewer],
    agent: FromQuery[str | None] = None,
    most: FromQuery[int] = _PAGE,
) -> Response[bytes]:
    """The first `most` tasks, what comes next first; of one agent where it is named."""
    found = await viewer.nod.store.read(lambda tx: board(tx, viewer.user, agent))
    return await viewer.page(
        "tasks/list.html",
        board=found,
        shown=_shown(found, agent, min(max(most, 1), _MOST)),
        away=list(_away(viewer, found)),
        agent_id=agent,
        services=SERVICES,
    )


def _shown(found: TaskBoard, agent: str | None, most: int) -> Shown:
    groups, left = [], most
    for title, lines in (
        ("At their time", found.timed),
        ("When something calls", found.called),
        ("Finished", found.finished),
    ):
        groups.append((title, lines[:left]))
        left -= len(lines[:left])
    whole = len(found.timed) + len(found.called) + len(found.finished)
    base = f"/tasks?agent={agent}&most=" if agent else "/tasks?most="
    return Shown(tuple(groups), max(0, whole - most), f"{base}{most}", f"{base}{most + _PAGE}")


def _away(viewer: Viewer, found: TaskBoard) -> Iterator[Away]:
    going = [each for each in (*found.timed, *found.called) if each.task.enabled]
    for agent in found.agents:
        if any(each.agent.id == agent.id for each in going) and not _is_reached(viewer, agent):
            yield Away(agent, found.waiting(agent.id))


def _is_reached(viewer: Viewer, agent: Agent) -> bool:
    """Whether what comes due goes out now: to a connection or to its webhook."""
    webhook = agent.webhook_url is not None and agent.webhook_disabled is None
    return webhook or viewer.nod.sockets.connected(agent.id)


@get("/tasks/{task_id:str}")
async def one(
    viewer: NamedDependency[Viewer],
    task_id: FromPath[str],
    before: FromQuery[str | None] = None,
    use: FromQuery[str] = "",
) -> Response[bytes]:
    """One task. `before` names the entry below which its history goes on, `use` what the chart of
    its use shows."""

    async def look(tx: Tx) -> dict[str, Any]:
        found = await story(tx, viewer.user, task_id, before, _HISTORY)
        task, agent = found.line.task, found.line.agent
        is_event = task.trigger_type == "event"
        trust = await trust_of(tx, agent, task) if is_event else Trust()
        used = await usage_of_task(tx, agent, task, DAYS)
        return {
            "story": found,
            "line": found.line,
            "usage": panel(used, viewer.times, use),
            **trigger_values(viewer, task, trust),
        }

    values = await viewer.nod.store.read(look)
    task, agent, trouble = values["line"].task, values["line"].agent, values["story"].trouble
    is_event = task.trigger_type == "event"
    return await viewer.page(
        "tasks/page.html",
        **values,
        before=before,
        trouble=said(trouble, LABELS) if trouble else "",
        is_connected=viewer.nod.sockets.connected(agent.id),
        waits="" if _is_reached(viewer, agent) else _waits(agent),
        choices=choices_said(as_typed(task), viewer.nod.limits, called=is_event),
        reason_chars=viewer.nod.limits.description_chars,
        outcome=_outcome,
    )


def _waits(agent: Agent) -> str:
    return f"{agent.name} is not connected. What comes due waits for it."


def _outcome(run: Run) -> str:
    """How a run went, in a line: how long it took and what it brought, or why not."""
    words = outcome_words(run)
    brought = headline(run.summary or "", _OUTCOME_CHARS) if run.status == "completed" else ""
    return " · ".join(each for each in (words[:1].upper() + words[1:], brought) if each)


@post("/tasks/{task_id:str}/switch", status_code=200)
async def switch(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """On: it fires again from now on. Off: its fires pass until it is switched on."""
    wanted = (await typed(viewer.request, "on"))["on"] == "1"

    async def turn(tx: Tx) -> TaskLine:
        _, agent = await owned_task(tx, viewer.user, task_id)
        if wanted:
            await tasks.resume(tx, agent, task_id)
        else:
            await tasks.pause(tx, agent, task_id, "")
        return await task_line(tx, viewer.user, task_id)

    line = await viewer.nod.store.write(turn)
    if viewer.part is None:
        return viewer.go("/tasks")
    return viewer.fragment("tasks/line.html", line=line, services=SERVICES)


@post("/tasks/{task_id:str}/pause", status_code=200)
async def pause(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Let its fires pass, each recorded with the reason."""
    reason = (await typed(viewer.request, "reason"))["reason"].strip()

    async def stop(tx: Tx) -> Task:
        _, agent = await owned_task(tx, viewer.user, task_id)
        return await tasks.pause(tx, agent, task_id, reason)

    return viewer.go(f"/tasks/{(await viewer.nod.store.write(stop)).id}")


@post("/tasks/{task_id:str}/resume", status_code=200)
async def resume(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Let it fire again from now on."""

    async def start(tx: Tx) -> Task:
        _, agent = await owned_task(tx, viewer.user, task_id)
        return await tasks.resume(tx, agent, task_id)

    return viewer.go(f"/tasks/{(await viewer.nod.store.write(start)).id}")


@post("/tasks/{task_id:str}/run", status_code=200)
async def run(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Make a run now, and show it; it waits for one that is under way."""

    async def make(tx: Tx) -> Run:
        task, _ = await owned_task(tx, viewer.user, task_id)
        return await run_now(tx, task)

    return viewer.go(f"/runs/{(await viewer.nod.store.write(make)).id}")


@post("/tasks/{task_id:str}/duplicate", status_code=200)
async def duplicate(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """A copy, off until it is switched on."""

    async def copy(tx: Tx) -> Task:
        _, agent = await owned_task(tx, viewer.user, task_id)
        return await tasks.duplicate(tx, agent, task_id)

    return viewer.go(f"/tasks/{(await viewer.nod.store.write(copy)).id}")


@post("/tasks/{task_id:str}/remove", status_code=200)
async def remove(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Remove it, and cancel its runs under way."""

    async def take_away(tx: Tx) -> None:
        _, agent = await owned_task(tx, viewer.user, task_id)
        await tasks.remove(tx, agent, task_id)

    await viewer.nod.store.write(take_away)
    return viewer.go("/tasks")


routes = [overview, one, switch, pause, resume, run, duplicate, remove]
