"""The tasks of a person's agents."""

from collections.abc import Awaitable, Callable

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from nod.actions import tasks
from nod.actions.agents import get_agent
from nod.actions.owned import owned_task
from nod.api.auth import require_user
from nod.api.paging import next_link, page_size, read_run_cursor, run_cursor
from nod.api.user.views import ReasonedView
from nod.api.views import RunView, TaskView, run_view, task_view
from nod.app import Nod
from nod.domain.model import Agent, Run, Task, User
from nod.domain.task_fields import TaskFields
from nod.engine.fire import run_now
from nod.store.store import Tx


class PauseFields(msgspec.Struct):
    """Why the task is paused."""

    reason: str | None = None


class Tasks(Controller):
    """Tasks of one agent."""

    path = "/api/tasks/{agent_id:str}"
    tags = ("Tasks",)
    guards = (require_user,)

    @get()
    async def list_tasks(
        self, nod: NamedDependency[Nod], user: NamedDependency[User], agent_id: FromPath[str]
    ) -> list[TaskView]:
        """All tasks of the agent, the oldest first."""

        async def look(tx: Tx) -> list[Task]:
            return await tx.tasks.of_agent((await get_agent(tx, user, agent_id)).id)

        return [task_view(each) for each in await nod.store.read(look)]

    @post()
    async def create_task(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        data: JSONBody[TaskFields],
    ) -> TaskView:
        """Make a task: a cron expression, "once" with run_at, or "event"."""

        async def create(tx: Tx) -> Task:
            agent = await get_agent(tx, user, agent_id)
            return await tasks.create(tx, nod.vault, agent, data, "user")

        return task_view(await nod.store.write(create))

    @get("/{task_id:str}")
    async def get_task(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
    ) -> TaskView:
        """One task."""
        _, task = await nod.store.read(lambda tx: owned_task(tx, user, agent_id, task_id))
        return task_view(task)

    @patch("/{task_id:str}")
    async def update_task(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
        data: JSONBody[TaskFields],
    ) -> TaskView:
        """Change what is given. A change of the schedule computes the next fire anew."""
        return await _change(
            nod, user, agent_id, lambda tx, agent: tasks.update(tx, nod.vault, agent, task_id, data)
        )

    @delete("/{task_id:str}", status_code=204)
    async def delete_task(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
    ) -> None:
        """Remove the task and cancel its runs under way. Its history stays for a while."""

        async def remove(tx: Tx) -> None:
            await tasks.remove(tx, await get_agent(tx, user, agent_id), task_id)

        await nod.store.write(remove)

    @post("/{task_id:str}/pause", status_code=200)
    async def pause_task(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
        data: JSONBody[PauseFields | None] = None,
    ) -> TaskView:
        """Let its fires pass, each recorded with the reason, until it is resumed."""
        reason = "" if data is None else data.reason or ""
        return await _change(
            nod, user, agent_id, lambda tx, agent: tasks.pause(tx, agent, task_id, reason)
        )

    @post("/{task_id:str}/resume", status_code=200)
    async def resume_task(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
    ) -> TaskView:
        """Let it fire again, from now on."""
        return await _change(
            nod, user, agent_id, lambda tx, agent: tasks.resume(tx, agent, task_id)
        )

    @post("/{task_id:str}/rotate-trigger", status_code=200)
    async def rotate_trigger(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
    ) -> TaskView:
        """Give an event task a new trigger_id; the old one stops at once."""
        return await _change(
            nod, user, agent_id, lambda tx, agent: tasks.rotate_trigger(tx, agent, task_id)
        )

    @post("/{task_id:str}/run")
    async def run_task(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
    ) -> RunView:
        """Make a run now. It waits for one that is under way, unless the task allows overlap."""

        async def run(tx: Tx) -> Run:
            _, task = await owned_task(tx, user, agent_id, task_id)
            return await run_now(tx, task)

        return run_view(await nod.store.write(run), None)

    @get("/{task_id:str}/runs")
    async def list_runs(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[RunView]]:
        """The task's runs, newest first, also the fires that did not run."""
        size, before = page_size(limit, nod.limits), read_run_cursor(cursor)

        async def look(tx: Tx) -> list[Run]:
            await owned_task(tx, user, agent_id, task_id)
            return await tx.runs.of_task(task_id, size, before)

        found = await nod.store.read(look)
        headers = {}
        if len(found) == size:
            path = f"/api/tasks/{agent_id}/{task_id}/runs"
            headers = next_link(path, {"limit": limit, "cursor": run_cursor(found[-1])})
        return Response([run_view(each, each.summary) for each in found], headers=headers)

    @get("/{task_id:str}/why")
    async def why(
        self,
        nod: NamedDependency[Nod],
        user: NamedDependency[User],
        agent_id: FromPath[str],
        task_id: FromPath[str],
        at: FromQuery[str],
    ) -> ReasonedView:
        """What happened at a time: RFC 3339, or a time of day of the last 24 hours (09:00)."""

        async def look(tx: Tx) -> tuple[str, Run | None]:
            _, task = await owned_task(tx, user, agent_id, task_id)
            return await tasks.why(tx, task, tasks.moment(at, task.timezone, tx.now))

        sentence, run = await nod.store.read(look)
        return ReasonedView(sentence, None if run is None else run_view(run, run.summary))


async def _change(
    nod: Nod, user: User, agent_id: str, action: Callable[[Tx, Agent], Awaitable[Task]]
) -> TaskView:
    async def change(tx: Tx) -> Task:
        return await action(tx, await get_agent(tx, user, agent_id))

    return task_view(await nod.store.write(change))
