"""An agent's runs: /api/agent/tasks/runs."""

from typing import Literal

import msgspec
from litestar import Controller, get, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody

from nod.api.agent.calls import require_interactive, via_of
from nod.api.auth import current_agent, require_agent
from nod.api.views import ContextView, RunView, context_view, run_view
from nod.app import Nod
from nod.domain.errors import InvalidInput
from nod.domain.model import Agent
from nod.engine import settle
from nod.engine.settle import Usage
from nod.store.store import Tx


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


class Ended(msgspec.Struct):
    status: str
    run_id: str


class BlockId(msgspec.Struct):
    status: str
    block_id: int


class AgentRuns(Controller):
    """Runs, as the agent that works on them sees them."""

    path = "/api/agent/tasks/runs/{run_id:str}"
    tags = ("Agent: runs",)
    guards = [require_agent, require_interactive]  # noqa: RUF012 - the framework's way
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
        via = via_of(nod, agent, run_id)
        run = await nod.store.write(
            lambda tx: settle.complete(
                tx, agent, run_id, data.status, data.summary or "", data.usage, via
            )
        )
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
        via = via_of(nod, agent, run_id)
        block = await nod.store.write(
            lambda tx: settle.add_context(tx, agent, run_id, data.text, via)
        )
        return BlockId("ok", block.id)

    @get("/context")
    async def get_context(
        self, nod: NamedDependency[Nod], agent: NamedDependency[Agent], run_id: FromPath[str]
    ) -> ContextView:
        """The scratchpad, the oldest block first. Reading it takes the run up."""
        via = via_of(nod, agent, run_id)
        blocks = await nod.store.write(lambda tx: settle.context(tx, agent, run_id, via))
        return context_view(run_id, blocks)


class AgentOutputs(Controller):
    """Deliverables of runs, which may be larger than other bodies."""

    path = "/api/agent/tasks/runs/{run_id:str}"
    tags = ("Agent: runs",)
    guards = [require_agent, require_interactive]  # noqa: RUF012 - the framework's way
    dependencies = {"agent": Provide(current_agent)}  # noqa: RUF012 - the framework's way

    @put("/output", status_code=200)
    async def put_output(
        self,
        nod: NamedDependency[Nod],
        agent: NamedDependency[Agent],
        run_id: FromPath[str],
        data: JSONBody[OutputText],
    ) -> Ended:
        """Set the full deliverable, Markdown, before or after completion."""
        via = via_of(nod, agent, run_id)
        run = await nod.store.write(lambda tx: settle.put_output(tx, agent, run_id, data.text, via))
        return Ended(run.status, run.id)
