"""How many triggers Nod takes in a second, and how many runs go all the way through."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.arrivals import Arrivals, call_together
from bench.child import Work
from bench.nod.agent import AgentSocket
from bench.nod.caller import Caller
from bench.nod.seed import SeededAgent, seeding
from bench.nod.server import Server, serving
from bench.nod.trigger import EVENT_TASK, completion
from bench.sample import Sample

Reports = asyncio.Queue[tuple[SeededAgent, str]]
"""Runs that their agents have been told of and not completed yet."""

COMPLETERS = 32
"""Connections on which the agents report; each has one report under way."""


async def throughput(work: Work) -> Sample:
    """Each caller has a task of its own; as the events come, the agents complete the runs."""
    data_dir = Path(work.target).parent
    async with seeding(data_dir) as seeder:
        agents = await seeder.agents(work.callers, EVENT_TASK, 1)
    async with serving(data_dir) as server:
        return await measured(server, agents, work)


async def measured(server: Server, agents: list[SeededAgent], work: Work, *summary: str) -> Sample:
    """The callers' and the agents' work together. `summary` is what they report of each run."""
    completed = Arrivals()
    reports: Reports = asyncio.Queue()
    for agent in agents:
        await AgentSocket.connect(
            server, agent, lambda who, _, event: reports.put_nowait((who, event["run_id"]))
        )
    callers: asyncio.Queue[tuple[Caller, str]] = asyncio.Queue()
    for agent in agents:
        caller = await Caller.connect(server.host, server.port)
        callers.put_nowait((caller, f"/api/webhooks/{agent.trigger_ids[0]}"))

    async def call() -> None:
        caller, path = callers.get_nowait()
        await caller.call("POST", path, {"at": time.time()})
        callers.put_nowait((caller, path))

    async with asyncio.TaskGroup() as group:
        completers = [
            group.create_task(complete(server, reports, completed, *summary))
            for _ in range(COMPLETERS)
        ]
        sample = await call_together(work, completed, call)
        for completer in completers:
            completer.cancel()
    return sample


async def complete(server: Server, reports: Reports, completed: Arrivals, *summary: str) -> None:
    """Complete runs as their events come, on one connection."""
    caller = await Caller.connect(server.host, server.port)
    while True:
        agent, run_id = await reports.get()
        await caller.call(*completion(agent, run_id, *summary))
        completed.add(run_id)
