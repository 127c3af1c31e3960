"""A call's way through an idle Nod: from the POST of a trigger to the agent's socket."""

from __future__ import annotations

import time
from pathlib import Path

from bench.arrivals import Arrivals, one_after_another
from bench.child import Work
from bench.nod.agent import AgentSocket
from bench.nod.caller import Caller
from bench.nod.seed import SeededAgent, seeding
from bench.nod.server import Server, serving
from bench.sample import Sample, spread
from nod.domain.task_fields import TaskFields

EVENT_TASK = TaskFields(
    name="Order",
    prompt="A new order has come: check it against the customer's former ones.",
    schedule="event",
    overlap="allow",
)


async def trigger(work: Work) -> Sample:
    """`work.jobs` calls one after another; the agent completes each run before the next."""
    data_dir = Path(work.target).parent
    async with seeding(data_dir) as seeder:
        agent = await seeder.agent(EVENT_TASK, 1)
    async with serving(data_dir) as server:
        return spread(await waits(server, server, agent, work.jobs), scale=1000)


async def waits(called: Server, server: Server, agent: SeededAgent, calls: int) -> list[float]:
    """Seconds from each call of one server to its event's arrival from the one that the agent is
    connected to, which may be another."""
    arrivals = Arrivals()
    socket = await AgentSocket.connect(
        server, agent, lambda _, at, event: arrivals.add(event["run_id"], at)
    )
    caller = await Caller.connect(called.host, called.port)

    async def call() -> None:
        await caller.call("POST", f"/api/webhooks/{agent.trigger_ids[0]}", {"order": time.time()})

    async def complete() -> None:
        await caller.call(*completion(agent, str(arrivals.ids[-1])))

    measured = await one_after_another(calls, arrivals, call, complete)
    caller.close()
    socket.close()
    return measured


def completion(
    agent: SeededAgent, run_id: str, summary: str = "Nothing unusual."
) -> tuple[str, str, dict[str, str], dict[str, str]]:
    """The request that ends a run."""
    return (
        "POST",
        f"/api/agent/tasks/runs/{run_id}/complete",
        {"status": "completed", "summary": summary},
        agent.headers,
    )
