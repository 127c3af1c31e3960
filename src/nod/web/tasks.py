"""Tasks: the list with switches, and the page of one with its next fires and its history."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from nod.actions import tasks
from nod.actions.owned import owned_task
from nod.actions.task_board import TaskLine, board, story, task_line
from nod.domain.model import Run, Task
from nod.domain.strip import outcome_words
from nod.engine.fire import run_now
from nod.store.store import Tx
from nod.web.start import typed
from nod.web.view import Viewer

_HISTORY = 30


@get("/tasks")
async def overview(
    viewer: NamedDependency[Viewer], agent: FromQuery[str | None] = None
) -> Response[bytes]:
    """All tasks, what comes next first; of one agent where it is named."""
    found = await viewer.nod.store.read(lambda tx: board(tx, viewer.user, agent))
    return await viewer.page("tasks/list.html", board=found, agent_id=agent)


@get("/tasks/{task_id:str}")
async def one(
    viewer: NamedDependency[Viewer],
    task_id: FromPath[str],
    before: FromQuery[str | None] = None,
) -> Response[bytes]:
    """One task. `before` names the entry below which its history goes on."""
    found = await viewer.nod.store.read(
        lambda tx: story(tx, viewer.user, task_id, before, _HISTORY)
    )
    values = {"story": found, "line": found.line, "task": found.line.task, "before": before}
    return await viewer.page("tasks/page.html", outcome_words=outcome_words, **values)


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
    return viewer.fragment("tasks/line.html", line=line)


@post("/tasks/{task_id:str}/pause", status_code=200)
async def pause(viewer: NamedDependency[Viewer], task_id: FromPath[str]) -> Response[bytes]:
    """Let its fires pass, each recorded with the reason."""
    reason = (await typed(viewer.request, "reason"))["reason"]

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
    """Make a run now; it waits for one that is under way."""

    async def make(tx: Tx) -> Run:
        task, _ = await owned_task(tx, viewer.user, task_id)
        return await run_now(tx, task)

    return viewer.go(f"/tasks/{(await viewer.nod.store.write(make)).task_id}")


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
