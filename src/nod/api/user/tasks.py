"""The tasks of a person's agents."""

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from nod.actions import tasks
from nod.actions.agents import get_agent
from nod.api.auth import require_user
from nod.api.tasks import TaskCalls
from nod.api.views import RunView, TaskView, run_view, task_view
from nod.app import Nod
from nod.domain.model import Agent, Run, User
from nod.domain.task_fields import TaskFields
from nod.domain.tracing import read_trace
from nod.engine.fire import run_now
from nod.store.store import Tx


async def owned_agent(
    nod: NamedDependency[Nod], user: NamedDependency[User], agent_id: FromPath[str]
) -> Agent:
    """Dependency `agent`: the one in the path, which is the person's. Raises NotFound."""
    return await nod.store.read(lambda tx: get_agent(tx, user, agent_id))


class Tasks(TaskCalls):
    """Tasks of one agent, as its person sees them."""

    path = "/api/tasks/{agent_id:str}"
    tags = ("Tasks",)
    guards = (require_user,)
    dependencies = {"agent": Provide(owned_agent)}  # noqa: RUF012 - the framework's way
    by = "user"

    @post()
    async def create_task(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], data: JSONBody[TaskFields]
    ) -> TaskView:
        """Make a task: a cron expression, "once" with run_at, or "event"."""
        task = await nod.store.write(lambda tx: tasks.create(tx, nod.vault, agent, data, "user"))
        return task_view(task)

    @post("/{task_id:str}/run")
    async def run_task(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        request: Request[Any, Any, Any],
        task_id: FromPath[str],
    ) -> RunView:
        """Make a run now. It waits for one that is under way, unless the task allows overlap.

        A W3C `traceparent` of the request goes on with the run.
        """
        trace = read_trace(request.headers)

        async def run(tx: Tx) -> Run:
            return await run_now(tx, await tasks.get_own(tx, agent, task_id), trace)

        return run_view(await nod.store.write(run), None)
