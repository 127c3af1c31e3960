"""An agent's tasks: /api/agent/tasks and /api/agent/schedule."""

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from nod.actions import tasks
from nod.actions.usage import UsageReport, usage_of_agent
from nod.api.agent.calls import require_interactive, via_of
from nod.api.auth import current_agent, require_agent
from nod.api.tasks import TaskCalls
from nod.api.usage import DEFAULT_DAYS, Days, UsageReportView, usage_report_view
from nod.api.views import PreviewView, TaskView, preview_view, task_view
from nod.app import Nod
from nod.domain.errors import Conflict, InvalidInput
from nod.domain.instant import parse_rfc3339, rfc3339
from nod.domain.model import Agent, Run
from nod.domain.phrases import read_when
from nod.domain.schedule import preview
from nod.domain.task_fields import TaskFields
from nod.engine import attempts, settle
from nod.store.effects import Outgoing
from nod.store.store import Tx


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
    traceparent: str | UnsetType = UNSET
    tracestate: str | UnsetType = UNSET


class AgentTasks(TaskCalls):
    """Tasks, as their agent sees them."""

    path = "/api/agent/tasks"
    tags = ("Agent: tasks",)
    guards = [require_agent, require_interactive]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

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

    @post("/{task_id:str}/run/start", status_code=200)
    async def start_run(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], task_id: FromPath[str]
    ) -> RunId:
        """Take up the oldest run that waits on the task, or make one if none waits. Beyond a budget
        that is 409, and recorded as skipped."""

        async def start(tx: Tx) -> Run:
            return await settle.start(tx, agent, await tasks.get_own(tx, agent, task_id))

        run = await nod.store.write(start)
        if run.status == "skipped":
            raise Conflict(f"this run was skipped ({run.id}): {run.reason}")
        via_of(nod, agent, run.id)
        return RunId(run.id)


def _pending(each: Outgoing) -> PendingTrigger:
    told = msgspec.json.decode(each.event.body)
    payload = inbound = "{}"
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
        traceparent=told.get("traceparent", UNSET),
        tracestate=told.get("tracestate", UNSET),
    )


class AgentUsage(Controller):
    """What all tasks of the agent used."""

    path = "/api/agent/usage"
    tags = ("Agent: tasks",)
    guards = [require_agent, require_interactive]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @get()
    async def agent_usage(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        days: Days = DEFAULT_DAYS,
    ) -> UsageReportView:
        """What all tasks together used up in the last days, and how far the budget of today is."""

        async def look(tx: Tx) -> UsageReport:
            # As it is now: what the call came in with was read a moment ago.
            return await usage_of_agent(tx, await tx.people.agent(agent.id) or agent, days)

        return usage_report_view(await nod.store.read(look))


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
        """When a schedule, as cron or in words, fires next."""
        if not 1 <= count <= nod.limits.page_items:
            raise InvalidInput(f"count must be between 1 and {nod.limits.page_items}; got {count}")
        start = nod.clock.now() if from_ is None else parse_rfc3339(from_, "from")
        zone = timezone
        if zone is None:
            zone = await nod.store.read(lambda tx: tasks.zone_of(tx, agent))
        once = None if run_at is None else parse_rfc3339(run_at, "run_at")
        if once is None and schedule != "once":
            found = read_when(schedule, zone, start)
            schedule, once = found.schedule, found.run_at
        return preview_view(preview(schedule, zone, start, count, once))
