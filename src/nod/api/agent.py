"""The agent's side of the API: everything under /api/agent."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Controller, Request, Response, delete, get, patch, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from nod.actions import decisions, tasks
from nod.api.agent_frames import REST, handle, read_named
from nod.api.auth import Connection, current_agent, require_agent
from nod.api.paging import next_link, page_size, read_run_cursor, run_cursor
from nod.api.views import (
    BlockView,
    PreviewView,
    RunView,
    TaskView,
    block_view,
    preview_view,
    run_view,
    task_view,
)
from nod.app import Nod
from nod.delivery.frames import wire
from nod.domain.errors import Forbidden, InvalidInput
from nod.domain.instant import SECOND, parse_rfc3339, rfc3339
from nod.domain.limits import Limits
from nod.domain.model import Agent, Channel, Run, Task
from nod.domain.schedule import preview
from nod.domain.task_fields import TaskFields
from nod.engine import attempts, settle
from nod.engine.settle import Usage
from nod.store.store import Tx, Work

T = TypeVar("T")

_BIG = Limits().event_body_bytes


class Complete(msgspec.Struct):
    """How a run ended."""

    status: Literal["completed", "failed"]
    summary: str | None = None
    usage: Usage | None = None


class ContextText(msgspec.Struct):
    """A block for the scratchpad; the run must be the path's."""

    run_id: str
    text: str


class OutputText(msgspec.Struct):
    """A run's full deliverable, Markdown."""

    text: str


class Reason(msgspec.Struct):
    """Why a task is paused."""

    reason: str | None = None


class RunId(msgspec.Struct):
    run_id: str


class Ended(msgspec.Struct):
    status: str
    run_id: str


class BlockId(msgspec.Struct):
    status: str
    block_id: int


class Blocks(msgspec.Struct):
    run_id: str
    blocks: list[BlockView]


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


async def _require_interactive(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard behind `require_agent`: the agent has tasks. Raises Forbidden."""
    if connection.scope["user"].kind != "interactive":
        raise Forbidden("an approval_only agent has no tasks; create an interactive agent for them")


def _via(nod: Nod, agent: Agent, run_id: str) -> Channel:
    """The agent names the run: what was pushed of it has arrived."""
    return nod.deliverer.named(agent.id, run_id)


class AgentTasks(Controller):
    """Tasks, as their agent sees them."""

    path = "/api/agent/tasks"
    tags = ("Agent: tasks",)
    guards = [require_agent, _require_interactive]  # noqa: RUF012 - the framework's way
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
        _via(nod, agent, run.id)
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


class AgentRuns(Controller):
    """Runs, as the agent that works on them sees them."""

    path = "/api/agent/tasks/runs/{run_id:str}"
    tags = ("Agent: runs",)
    guards = [require_agent, _require_interactive]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @get()
    async def get_run(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], run_id: FromPath[str]
    ) -> RunView:
        """The run; `summary` is its full deliverable. Looking changes nothing."""

        async def look(tx: Tx) -> RunView:
            run = await settle.get_own(tx, agent, run_id)
            return run_view(run, await settle.summary_of(tx, run))

        return await nod.store.read(look)

    @post("/complete", status_code=200)
    async def complete(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        run_id: FromPath[str],
        data: JSONBody[Complete],
    ) -> Ended:
        """Report the result. The same report again answers the same."""
        via = _via(nod, agent, run_id)
        run = await nod.store.write(
            lambda tx: settle.complete(
                tx, agent, run_id, data.status, data.summary or "", data.usage, via
            )
        )
        return Ended(run.status, run.id)

    @put("/output", status_code=200, request_max_body_size=_BIG)
    async def put_output(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        run_id: FromPath[str],
        data: JSONBody[OutputText],
    ) -> Ended:
        """Set the full deliverable, Markdown, before or after completion."""
        via = _via(nod, agent, run_id)
        run = await nod.store.write(lambda tx: settle.put_output(tx, agent, run_id, data.text, via))
        return Ended(run.status, run.id)

    @post("/context", status_code=200)
    async def add_context(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        run_id: FromPath[str],
        data: JSONBody[ContextText],
    ) -> BlockId:
        """Append a block to the scratchpad."""
        if data.run_id != run_id:
            raise InvalidInput(f"run_id in the body must be the path's, {run_id[:64]}")
        via = _via(nod, agent, run_id)
        block = await nod.store.write(
            lambda tx: settle.add_context(tx, agent, run_id, data.text, via)
        )
        return BlockId("ok", block.id)

    @get("/context")
    async def get_context(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], run_id: FromPath[str]
    ) -> Blocks:
        """The scratchpad, the oldest block first. Reading it takes the run up."""
        via = _via(nod, agent, run_id)
        blocks = await nod.store.write(lambda tx: settle.context(tx, agent, run_id, via))
        return Blocks(run_id, [block_view(block) for block in blocks])


class AgentEvents(Controller):
    """The feed of events, and what an agent says without a socket."""

    path = "/api/agent/events"
    tags = ("Agent: events",)
    guards = [require_agent]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @post(status_code=200, request_max_body_size=_BIG)
    async def say(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        request: Request[Any, Any, State],
    ) -> dict[str, str]:
        """A message, decision, task_proposal, alert, processing_start or processing_stop."""
        raw = await request.body()
        named = read_named(raw)
        via: Channel = "poll" if named.task_run_id is None else _via(nod, agent, named.task_run_id)
        return {"status": "ok", **await handle(REST, nod, agent, named, raw, via)}

    @get()
    async def feed(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        after: FromQuery[str | None] = None,
        wait_s: FromQuery[int] = 0,
    ) -> list[msgspec.Raw]:
        """Events after one that is known, else those nobody has acknowledged; waits for one."""
        _check_wait(wait_s, nod.limits)

        async def look(tx: Tx) -> list[msgspec.Raw]:
            size = tx.limits.page_items
            if after is None:
                found = await tx.events.feed_open(agent.id, tx.now, size)
            else:
                known = await tx.events.get(after)
                if known is None or known.agent_id != agent.id:
                    raise InvalidInput(f"after names no event of this agent: {after[:64]}")
                found = await tx.events.feed(agent.id, known.seq, tx.now, size)
            return [msgspec.Raw(wire(each).encode()) for each in found]

        return await _wait(nod, agent.id, wait_s, look, bool)

    @post("/{event_id:str}/ack", status_code=200)
    async def acknowledge(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], event_id: FromPath[str]
    ) -> dict[str, str]:
        """The agent has the event."""
        for socket in nod.sockets.of(agent.id):
            nod.deliverer.acknowledged(socket, event_id)
        event = await nod.store.write(lambda tx: attempts.acknowledge_polled(tx, agent, event_id))
        return {"status": "ok", "event_id": event.id, "state": event.state}


class AgentDecisions(Controller):
    """The answers to what the agent has asked."""

    path = "/api/agent/decisions"
    tags = ("Agent: decisions",)
    guards = [require_agent]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @get("/{decision_id:str}")
    async def get_decision(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        decision_id: FromPath[str],
        wait_s: FromQuery[int] = 0,
    ) -> dict[str, Any]:
        """The decision; with wait_s, once it is answered or that many seconds have passed."""
        _check_wait(wait_s, nod.limits)

        async def look(tx: Tx) -> dict[str, Any]:
            return decisions.agent_view(await decisions.get_own_decision(tx, agent, decision_id))

        return await _wait(
            nod, decision_id, wait_s, look, lambda found: found["status"] != "pending"
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


def _check_wait(wait_s: int, limits: Limits) -> None:
    if not 0 <= wait_s <= limits.long_poll_s:
        raise InvalidInput(f"wait_s must be between 0 and {limits.long_poll_s}; got {wait_s}")


async def _wait(nod: Nod, id_: str, wait_s: int, look: Work[T], enough: Callable[[T], bool]) -> T:
    """Look, and look again at each change of `id_`, until there is enough or time is up."""
    until = nod.clock.now() + wait_s * SECOND
    while True:
        with nod.changes.watch(id_) as changed:
            found = await nod.store.read(look)
            if enough(found) or nod.clock.now() >= until or nod.draining.is_set():
                return found
            await nod.clock.wait(changed, until)


routes = [AgentTasks, AgentRuns, AgentEvents, AgentDecisions, AgentSchedule]
