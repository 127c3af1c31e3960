"""Nod's herd: one-time tasks of 100 agents, all due in the same second, to the agents' sockets."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from bench.arrivals import Arrivals, herd_lateness
from bench.child import Work
from bench.nod.agent import AgentSocket
from bench.nod.seed import SeededAgent, seeding
from bench.nod.server import serving
from bench.sample import Sample
from nod.domain.task_fields import TaskFields

LEAD_S = 8.0
"""From the first task stored to the second they are due: time to start and connect."""


async def herd(work: Work) -> Sample:
    """Store the tasks, start the server, connect the agents, and see how late each event comes."""
    data_dir = Path(work.target).parent
    due = math.ceil(time.time() + LEAD_S)
    agents = await seeded(data_dir, due, work)
    arrivals = Arrivals()
    async with serving(data_dir) as server:
        sockets = await asyncio.gather(
            *(
                AgentSocket.connect(
                    server, agent, lambda _, at, event: arrivals.add(event["run_id"], at)
                )
                for agent in agents
            )
        )
        sample = await herd_lateness(arrivals, due, work.jobs)
        for socket in sockets:
            socket.close()
    return sample


async def seeded(
    data_dir: Path, due: int, work: Work, environ: Mapping[str, str] = MappingProxyType({})
) -> list[SeededAgent]:
    """`work.callers` agents with equal shares of the tasks."""
    fields = TaskFields(
        name="Herd",
        prompt="Look at the new orders and tell me what is unusual about them.",
        schedule="once",
        run_at=datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    async with seeding(data_dir, environ) as seeder:
        return await seeder.agents(work.callers, fields, work.jobs // work.callers)
