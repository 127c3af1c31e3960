"""Callers and arrivals, the same for every contestant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from bench.child import Work
from bench.sample import Sample, herd_sample

PATIENCE_S = 60.0
"""How long a measurement waits for jobs that may never come."""

WARM_UP_CALLS = 20


@dataclass(slots=True)
class Arrivals:
    """When which job arrived."""

    at: list[float] = field(default_factory=list)
    ids: list[object] = field(default_factory=list)
    _wanted: int = -1
    _reached: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, job_id: object, at: float | None = None) -> None:
        """Called as soon as a job has arrived: now, or at the Unix time given."""
        self.at.append(time.time() if at is None else at)
        self.ids.append(job_id)
        if len(self.at) == self._wanted:
            self._reached.set()

    def forget(self) -> None:
        """Start anew, after the warm-up."""
        self.at.clear()
        self.ids.clear()

    async def wait_for(self, count: int) -> None:
        """Return when `count` jobs have started in all.

        Raises:
            TimeoutError: fewer have, and patience is at its end.
        """
        self._wanted = count
        self._reached.clear()
        if len(self.at) >= count:
            return
        async with asyncio.timeout(PATIENCE_S):
            await self._reached.wait()


async def herd_lateness(arrivals: Arrivals, due: float, jobs: int) -> Sample:
    """How late after `due` (Unix time) the `jobs` start; those that never do count as lost."""
    if time.time() > due:
        raise TimeoutError("storing the herd took longer than its lead")
    with suppress(TimeoutError):
        await arrivals.wait_for(jobs)
    return herd_sample([at - due for at in arrivals.at], arrivals.ids, jobs)


async def one_after_another(
    calls: int,
    arrivals: Arrivals,
    call: Callable[[], Awaitable[None]],
    afterwards: Callable[[], Awaitable[None]] | None = None,
) -> list[float]:
    """Seconds from each call to the arrival of its job, the next call only after that.

    `afterwards` is done between two calls and not measured.
    """
    waits = []
    for _ in range(WARM_UP_CALLS + calls):
        called_at = time.time()
        started = asyncio.create_task(arrivals.wait_for(len(arrivals.at) + 1))
        await asyncio.sleep(0)
        await call()
        await started
        waits.append(arrivals.at[-1] - called_at)
        if afterwards is not None:
            await afterwards()
    return waits[WARM_UP_CALLS:]


async def call_together(
    work: Work, arrivals: Arrivals, call: Callable[[], Awaitable[None]]
) -> Sample:
    """`work.callers` callers make `work.jobs` calls between them: calls and starts per second."""
    share = work.jobs // work.callers

    async def caller() -> None:
        for _ in range(share):
            await call()

    began = time.time()
    await asyncio.gather(*(caller() for _ in range(work.callers)))
    accepted = time.time() - began
    await arrivals.wait_for(share * work.callers)
    return {
        "accepted": share * work.callers / accepted,
        "completed": len(arrivals.at) / (arrivals.at[-1] - began),
    }
