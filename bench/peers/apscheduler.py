"""APScheduler 3 in one process: jobs in memory, or in an SQLite file.

Settings: the asyncio scheduler and executor, no misfire limit. The SQLite file is in WAL mode with
`synchronous=FULL`, as Nod's is; only while the herd is being stored, which is not measured, it does
not sync.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bench.arrivals import call_together, herd_lateness, one_after_another
from bench.child import Work, answer
from bench.peers import recorder
from bench.sample import Sample, spread

LEAD_PER_JOB_S = 0.0012
"""Storing is one transaction a job; the herd's second must come after all of it."""


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A running scheduler and the store behind it."""

    scheduler: AsyncIOScheduler
    store: MemoryJobStore | SQLAlchemyJobStore
    numbers: count[int] = field(default_factory=count)

    def add(self, due: datetime | None = None) -> None:
        """Store one job for `due`, or for now."""
        self.scheduler.add_job(recorder.job, "date", run_date=due, args=[next(self.numbers)])

    def sync_each_commit(self, mode: str) -> None:
        """Set SQLite's `synchronous` on the one pooled connection."""
        if isinstance(self.store, SQLAlchemyJobStore):
            with self.store.engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA synchronous={mode}")


@asynccontextmanager
async def running(path: str) -> AsyncIterator[Scheduler]:
    """Start a scheduler on the SQLite file at `path`, or in memory, and stop it at the end."""
    store = sqlite_store(path) if path else MemoryJobStore()
    scheduler = AsyncIOScheduler(
        jobstores={"default": store}, job_defaults={"misfire_grace_time": None}, timezone=UTC
    )
    scheduler.start()
    yield Scheduler(scheduler, store)
    scheduler.shutdown(wait=False)


def sqlite_store(path: str) -> SQLAlchemyJobStore:
    """A job store on one connection, so that its settings hold for all of it."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return SQLAlchemyJobStore(
        url=f"sqlite:///{path}", engine_options={"pool_size": 1, "max_overflow": 0}
    )


async def herd(work: Work) -> Sample:
    """Store the jobs for one moment, wait for it, and see how late each starts."""
    async with running(work.target) as scheduler:
        due = time.time() + 1 + (work.jobs * LEAD_PER_JOB_S if work.target else 1)
        scheduler.sync_each_commit("OFF")
        for _ in range(work.jobs):
            scheduler.add(datetime.fromtimestamp(due, UTC))
        scheduler.sync_each_commit("FULL")
        return await herd_lateness(recorder.ARRIVALS, due, work.jobs)


async def trigger(work: Work) -> Sample:
    """From adding one job to an idle scheduler to its start."""
    async with running(work.target) as scheduler:
        waits = await one_after_another(work.jobs, recorder.ARRIVALS, lambda: add(scheduler))
    return spread(waits, scale=1000)


async def throughput(work: Work) -> Sample:
    """Callers add one job at a time while the scheduler runs them."""
    async with running(work.target) as scheduler:
        return await call_together(work, recorder.ARRIVALS, lambda: add(scheduler))


async def add(scheduler: Scheduler) -> None:
    """One job due now."""
    scheduler.add()


if __name__ == "__main__":
    answer({"herd": herd, "trigger": trigger, "throughput": throughput})
