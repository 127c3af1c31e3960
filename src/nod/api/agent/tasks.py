"""An agent's tasks: /api/agent/tasks and /api/agent/schedule."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from nod.actions import tasks
from nod.api.agent.calls import require_interactive, via_of
from nod.api.auth import current_agent, require_agent
from nod.api.paging import next_link, page_size, read_run_cursor, run_cursor
from nod.api.views import (
    PreviewView,
    RunView,
    TaskView,
    preview_view,
    run_view,
    task_view,
)
from nod.app import Nod
from nod.domain.errors import InvalidInput
from nod.domain.instant import parse_rfc3339, rfc3339
from nod.domain.model import Agent, Run, Task
from nod.domain.schedule import preview
from nod.domain.task_fields import TaskFields
from nod.engine import attempts, settle
from nod.store.store import Tx


class Reason(msgspec.Struct):
    """Why a task is paused."""

    reason: str | None = None


class RunId(msgspec.Struct):
    run_id: str


class DueTask(msgspec.Struct):
    """A task with a run that waits to be taken up."""

    id: str
    name: str
    prompt: str
    schedule: str
    trigger_type: str
    enabled: bool


class PendingTrigger(msgspec.Struct):
    """A call that came while the agent could not be reached."""

    id: str
    task_id: str
    task_name: str
    task_prompt: str
    payload: msgspec.Raw
    run_id: str
    received_at: str
    trigger: msgspec.Raw


class Why(msgspec.Struct):
    """One sentence, and the entry behind it."""

    why: str
    run: RunView | None


class AgentTasks(Controller):
    """Tasks, as their agent sees them."""

    path = "/api/agent/tasks"
    tags = ("Agent: tasks",)
    guards = [require_agent, require_interactive]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @get()
    async def list_tasks(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent]
    ) -> list[TaskView]:
        """All tasks of the agent."""
        found = await nod.store.read(lambda tx: tx.tasks.of_agent(agent.id))
        return [task_view(task) for task in found]

    @post(status_code=200)
    async def create_task(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], data: JSONBody[TaskFields]
    ) -> TaskView:
        """Make a task: a cron expression, "once" with run_at, or "event"."""
        task = await nod.store.write(lambda tx: tasks.create(tx, nod.vault, agent, data, "agent"))
        return task_view(task)

    @get("/due")
    async def due(self, nod: NamedDependency[Nod], agent: NamedDependency[Agent]) -> list[DueTask]:
        """Tasks with a run that is due and that nobody has been given. Changes nothing."""
        found = await nod.store.read(lambda tx: tx.runs.due_tasks(agent.id, tx.now))
        return [
            DueTask(each.id, each.name, each.prompt, each.schedule, each.trigger_type, each.enabled)
            for each in found
        ]

    @get("/triggers/pending")
    async def pending_triggers(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent]
    ) -> list[PendingTrigger]:
        """Trigger events that wait. Each is handed out once, and again if it is not taken up."""
        found = await nod.store.write(lambda tx: attempts.hand_out_triggers(tx, agent))
        return [_pending(each) for each in found]

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
            lambda tx: tasks.update(tx, nod.vault, agent, task_id, data)
        )
        return task_view(changed)

    @delete("/{task_id:str}", status_code=204)
    async def delete_task(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> None:
        """Remove the task and cancel its runs under way."""
        await nod.store.write(lambda tx: tasks.remove(tx, agent, task_id))

    @post("/{task_id:str}/pause", status_code=200)
    async def pause_task(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
        data: JSONBody[Reason | None] = None,
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
        task_id: FromPath[str],
        limit: FromQuery[int | None] = None,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[RunView]]:
        """The task's runs, newest first, also the fires that did not run."""
        size, before = page_size(limit, nod.limits), read_run_cursor(cursor)

        async def look(tx: Tx) -> list[Run]:
            await tasks.get_own(tx, agent, task_id)
            return await tx.runs.of_task(task_id, size, before)

        found = await nod.store.read(look)
        headers = {}
        if len(found) == size:
            path = f"/api/agent/tasks/{task_id}/runs"
            headers = next_link(path, {"limit": limit, "cursor": run_cursor(found[-1])})
        return Response([run_view(run, run.summary) for run in found], headers=headers)

    @get("/{task_id:str}/why")
    async def why(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        task_id: FromPath[str],
        at: FromQuery[str],
    ) -> Why:
        """What happened at a time: RFC 3339, or a time of day of the last 24 hours (09:00)."""

        async def look(tx: Tx) -> tuple[str, Run | None]:
            task = await tasks.get_own(tx, agent, task_id)
            return await tasks.why(tx, task, tasks.moment(at, task.timezone, tx.now))

        sentence, run = await nod.store.read(look)
        return Why(sentence, None if run is None else run_view(run, run.summary))

    @post("/{task_id:str}/run/start", status_code=200)
    async def start_run(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> RunId:
        """Take up the oldest run that waits on the task, or make one if none waits."""

        async def start(tx: Tx) -> Run:
            task: Task = await tasks.get_own(tx, agent, task_id)
            return await settle.start(tx, agent, task)

        run = await nod.store.write(start)
        via_of(nod, agent, run.id)
        return RunId(run.id)


def _pending(each: Any) -> PendingTrigger:
    told = msgspec.json.decode(each.event.body)
    payload, inbound = ("{}", "{}")
    if each.payload is not None:
        payload, inbound = each.payload.payload, each.payload.inbound
    return PendingTrigger(
        id=each.event.id,
        task_id=told["task_id"],
        task_name=told["task_name"],
        task_prompt=told["task_prompt"],
        payload=msgspec.Raw(payload.encode()),
        run_id=told["run_id"],
        received_at=rfc3339(each.event.created_at),
        trigger=msgspec.Raw(inbound.encode()),
    )


class AgentSchedule(Controller):
    """What a schedule means."""

    path = "/api/agent/schedule"
    tags = ("Agent: tasks",)
    guards = [require_agent]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @get("/preview")
    async def preview(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        schedule: FromQuery[str],
        timezone: FromQuery[str | None] = None,
        from_: Annotated[str | None, QueryParameter(name="from")] = None,
        count: FromQuery[int] = 5,
        run_at: FromQuery[str | None] = None,
    ) -> PreviewView:
        """When a schedule fires next, in words and in times."""
        if not 1 <= count <= nod.limits.page_items:
            raise InvalidInput(f"count must be between 1 and {nod.limits.page_items}; got {count}")
        start = nod.clock.now() if from_ is None else parse_rfc3339(from_, "from")
        zone = timezone
        if zone is None:
            zone = await nod.store.read(lambda tx: tasks.zone_of(tx, agent))
        once = None if run_at is None else parse_rfc3339(run_at, "run_at")
        return preview_view(preview(schedule, zone, start, count, once))
