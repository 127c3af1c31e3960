"""What stored tasks cost that are not due: the server's idling, and the speed of its answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from bench.child import Work
from bench.nod.caller import Caller
from bench.nod.seed import SeededAgent, seeding
from bench.nod.server import serving
from bench.nod.trigger import EVENT_TASK, waits
from bench.sample import Sample, percentile
from nod.domain.task_fields import TaskFields

SETTLE_S = 2.0
IDLE_S = 20.0
TASKS_OF_THE_ONE_ASKED = 100
TASKS_PER_AGENT = 1_000
CALLS = 100

NOT_DUE = {"name": "Yearly", "prompt": "Write the report of the year.", "schedule": "0 9 1 1 *"}


async def idle(work: Work) -> Sample:
    """Start a server over `work.jobs` tasks, watch it idle, then ask it for things."""
    data_dir = Path(work.target).parent
    asked, event = await seeded(data_dir, work.jobs)
    async with serving(data_dir) as server:
        caller = await Caller.connect(server.host, server.port)
        await asyncio.sleep(SETTLE_S)
        before = server.cpu_s()
        await asyncio.sleep(IDLE_S)
        used = server.cpu_s() - before
        memory = server.memory_mib()
        listing = await median_ms(
            lambda: caller.call("GET", "/api/agent/tasks", None, asked.headers)
        )
        creating = await median_ms(
            lambda: caller.call("POST", "/api/agent/tasks", NOT_DUE, asked.headers)
        )
        firing = percentile(sorted(await waits(server, server, event, CALLS)), 0.5) * 1000
        caller.close()
    return {"cpu": used, "memory": memory, "list": listing, "create": creating, "fire": firing}


async def seeded(data_dir: Path, tasks: int) -> tuple[SeededAgent, SeededAgent]:
    """The tasks, and of their agents the one that is asked and one with an event task.

    The data directory keeps the tasks from run to run; the two agents are made anew.
    """
    fields = msgspec.convert(NOT_DUE, TaskFields)
    is_new = not (data_dir / "nod.db").exists()
    async with seeding(data_dir) as seeder:
        if is_new:
            for _ in range(0, tasks, TASKS_PER_AGENT):
                await seeder.agent(fields, min(tasks, TASKS_PER_AGENT))
        asked = await seeder.agent(fields, TASKS_OF_THE_ONE_ASKED)
        return asked, await seeder.agent(EVENT_TASK, 1)


async def median_ms(call: Callable[[], Awaitable[object]]) -> float:
    """The median of some calls one after another, in milliseconds."""
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        took.append(time.perf_counter() - began)
    return percentile(sorted(took), 0.5) * 1000
