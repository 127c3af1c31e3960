"""What an agent and its person do alike with a task. Whose it is says the dependency `agent`."""

from typing import Any, ClassVar

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from nod.actions import tasks
from nod.actions.usage import UsageReport, usage_of_task
from nod.api.paging import page, page_size, read_run_cursor, run_cursor
from nod.api.usage import DEFAULT_DAYS, Days, UsageReportView, usage_report_view
from nod.api.views import RunView, TaskView, WhyView, run_view, task_view
from nod.app import Nod
from nod.domain.model import Agent, Author, Run
from nod.domain.task_fields import TaskFields
from nod.store.store import Tx


class PauseFields(msgspec.Struct):
    """Why the task is paused."""

    reason: str | None = None


class TaskCalls(Controller):
    """A controller of one agent's tasks. It is mounted twice: below /api/agent and below /api.

    `by` is who calls there.
    """

    by: ClassVar[Author] = "agent"

    @get()
    async def list_tasks(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent]
    ) -> list[TaskView]:
        """All tasks of the agent, the oldest first."""
        found = await nod.store.read(lambda tx: tx.tasks.of_agent(agent.id))
        return [task_view(task) for task in found]

    @get("/{task_id:str}")
    async def get_task(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> TaskView:
        """One task."""
        return task_view(await nod.store.read(lambda tx: tasks.get_own(tx, agent, task_id)))

    @patch("/{task_id:str}")
    async def update_task(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
        data: JSONBody[TaskFields],
    ) -> TaskView:
        """Change what is given. A change of the schedule computes the next fire anew."""
        changed = await nod.store.write(
            lambda tx: tasks.update(tx, nod.vault, agent, task_id, data, self.by)
        )
        return task_view(changed)

    @delete("/{task_id:str}", status_code=204)
    async def delete_task(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> None:
        """Remove the task and cancel its runs under way. Its history stays for a while."""
        await nod.store.write(lambda tx: tasks.remove(tx, agent, task_id))

    @post("/{task_id:str}/pause", status_code=200)
    async def pause_task(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
        data: JSONBody[PauseFields | None] = None,
    ) -> TaskView:
        """Let its fires pass, each recorded with the reason, until it is resumed."""
        reason = "" if data is None else data.reason or ""
        return task_view(await nod.store.write(lambda tx: tasks.pause(tx, agent, task_id, reason)))

    @post("/{task_id:str}/resume", status_code=200)
    async def resume_task(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> TaskView:
        """Let it fire again, from now on."""
        return task_view(await nod.store.write(lambda tx: tasks.resume(tx, agent, task_id)))

    @post("/{task_id:str}/rotate-trigger", status_code=200)
    async def rotate_trigger(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> TaskView:
        """Give an event task a new trigger_id; the old one stops at once."""
        return task_view(await nod.store.write(lambda tx: tasks.rotate_trigger(tx, agent, task_id)))

    @get("/{task_id:str}/runs")
    async def list_runs(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        request: Request[Any, Any, Any],
        task_id: FromPath[str],
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[RunView]]:
        """The task's runs, newest first, also the fires that did not run."""
        size, before = page_size(limit, nod.limits), read_run_cursor(cursor)

        async def look(tx: Tx) -> list[Run]:
            await tasks.get_own(tx, agent, task_id)
            return await tx.runs.of_task(task_id, size + 1, before)

        found = await nod.store.read(look)
        return page(found, size, _in_a_list, run_cursor, request.url.path, limit=limit)

    @get("/{task_id:str}/usage")
    async def task_usage(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
        days: Days = DEFAULT_DAYS,
    ) -> UsageReportView:
        """What the task used up in the last days, and how far its budgets of today are."""

        async def look(tx: Tx) -> UsageReport:
            return await usage_of_task(tx, agent, await tasks.get_own(tx, agent, task_id), days)

        return usage_report_view(await nod.store.read(look))

    @get("/{task_id:str}/why")
    async def why(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
        at: FromQuery[str],
    ) -> WhyView:
        """What happened at a time: RFC 3339, or a time of day of the last 24 hours (09:00)."""

        async def look(tx: Tx) -> tuple[str, Run | None]:
            task = await tasks.get_own(tx, agent, task_id)
            return await tasks.why(tx, task, tasks.moment(at, task.timezone, tx.now))

        sentence, run = await nod.store.read(look)
        return WhyView(sentence, None if run is None else _in_a_list(run))


def _in_a_list(run: Run) -> RunView:
    """Among others a run is shown with its summary as it was given, not with its deliverable."""
    return run_view(run, run.summary)
