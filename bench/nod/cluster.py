"""Several `nod serve` on one PostgreSQL: a herd that they share, and a call's way between two."""

from __future__ import annotations

import asyncio
import math
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.arrivals import Arrivals, herd_lateness
from bench.child import Work
from bench.nod.agent import AgentSocket
from bench.nod.herd import seeded
from bench.nod.seed import seeding
from bench.nod.server import Server, free_port, serving
from bench.nod.trigger import EVENT_TASK, waits
from bench.sample import Sample, spread

LEAD_S = 10.0
"""From the first task stored to the second they are due, and as much again for 5,000 tasks."""
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the nodes of one run keep what they have, and what they have in common."""

    folder: Path
    environ: Mapping[str, str]


async def cluster(work: Work) -> Sample:
    """Store the tasks, start the nodes, spread the agents over them, and see how late each event
    comes."""
    async with place(work) as where:
        due = math.ceil(time.time() + LEAD_S * (1 + work.jobs / 5_000))
        agents = await seeded(where.folder, due, work, where.environ)
        arrivals = Arrivals()
        async with nodes(where, work.nodes) as servers:
            sockets = await asyncio.gather(
                *(
                    AgentSocket.connect(
                        servers[number % len(servers)],
                        agent,
                        lambda _, at, event: arrivals.add(event["run_id"], at),
                    )
                    for number, agent in enumerate(agents)
                )
            )
            sample = await herd_lateness(arrivals, due, work.jobs)
            for socket in sockets:
                socket.close()
    return sample


async def between(work: Work) -> Sample:
    """`work.jobs` calls one after another of the last node; the agent is connected to the first."""
    async with place(work) as where:
        async with seeding(where.folder, where.environ) as seeder:
            agent = await seeder.agent(EVENT_TASK, 1)
        async with nodes(where, work.nodes) as servers:
            await asyncio.sleep(SETTLE_S)
            return spread(await waits(servers[-1], servers[0], agent, work.jobs), scale=1000)


@asynccontextmanager
async def place(work: Work) -> AsyncIterator[Place]:
    """A folder for the run, and a bus where it has one of its own."""
    environ = {
        "NOD_DATABASE_URL": work.target,
        "NOD_SECRET_KEY": secrets.token_urlsafe(32),
        "NOD_LIMIT_DRAIN_S": "1",
    }
    with tempfile.TemporaryDirectory(prefix="nod-bench-") as folder:
        if work.bus == "notify":
            yield Place(Path(folder), environ)
            return
        async with nats() as url:
            yield Place(Path(folder), {**environ, "NOD_BUS_URL": url})


@asynccontextmanager
async def nats() -> AsyncIterator[str]:
    """A NATS server on its defaults."""
    port = str(free_port())
    program = Path(sys.executable).with_name("nats-server")
    process = await asyncio.create_subprocess_exec(
        program, "-a", "127.0.0.1", "-p", port, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def nodes(where: Place, count: int) -> AsyncIterator[list[Server]]:
    """So many servers."""
    async with AsyncExitStack() as stack:
        servers = []
        for number in range(count):
            data_dir = where.folder / f"node-{number}"
            data_dir.mkdir()
            servers.append(await stack.enter_async_context(serving(data_dir, where.environ)))
        yield servers
