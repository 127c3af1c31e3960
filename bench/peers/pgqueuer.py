"""PgQueuer on PostgreSQL: one worker and its callers in one process.

Settings, from its performance guide: asyncpg driver, a connection of its own for the worker and a
pool for producers, tables `durable` (its default, and what Nod is compared with), its recommended
autovacuum settings, and a batch of 100 (its default of 10 is for long jobs). It asks for the next
due time and sleeps until then, so no polling interval needs tuning.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from bench.arrivals import Arrivals, call_together, herd_lateness, one_after_another
from bench.child import Work, answer
from bench.sample import Sample, spread

BATCH = 100
LEAD_S = 2.0
"""Between storing the herd and its second: time for the worker to come to rest."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A running worker and what callers put their jobs in with."""

    producer: Queries
    arrivals: Arrivals


@asynccontextmanager
async def running(dsn: str) -> AsyncIterator[Queue]:
    """Install the tables, start one worker, and stop it at the end."""
    arrivals = Arrivals()
    async with asyncpg.create_pool(dsn, min_size=2, max_size=2) as pool:
        producer = Queries(AsyncpgPoolDriver(pool))
        await producer.install()
        await pool.execute(producer.qbe.build_optimize_autovacuum_query())
        connection = await asyncpg.connect(dsn)
        worker = PgQueuer(AsyncpgDriver(connection))
        worker.entrypoint("job")(recorder(arrivals))
        task = asyncio.create_task(worker.run(batch_size=BATCH))
        queue = Queue(producer, arrivals)
        await warm_up(queue)
        yield queue
        worker.shutdown.set()
        await task
        await connection.close()


async def warm_up(queue: Queue) -> None:
    """One job through the whole way: when it has started, the worker listens."""
    await enqueue(queue)
    await queue.arrivals.wait_for(1)
    queue.arrivals.forget()


def recorder(arrivals: Arrivals) -> Callable[[Job], Awaitable[None]]:
    """The job: it only writes down that it started."""

    async def job(job: Job) -> None:
        arrivals.add(job.id)

    return job


async def herd(work: Work) -> Sample:
    """Store the jobs in one statement, wait for their second, and see how late each starts."""
    async with running(work.target) as queue:
        await queue.producer.enqueue(
            ["job"] * work.jobs,
            [None] * work.jobs,
            [0] * work.jobs,
            [timedelta(seconds=LEAD_S)] * work.jobs,
        )
        return await herd_lateness(queue.arrivals, await due_second(queue), work.jobs)


async def due_second(queue: Queue) -> float:
    """The database set the time due by its own clock: read it back."""
    table = queue.producer.qbe.settings.queue_table
    rows = await queue.producer.driver.fetch(
        f"SELECT extract(epoch FROM max(execute_after)) AS due FROM {table}"  # noqa: S608 - its own
    )
    return float(rows[0]["due"])


async def trigger(work: Work) -> Sample:
    """From putting one job in an idle queue to its start."""
    async with running(work.target) as queue:
        waits = await one_after_another(work.jobs, queue.arrivals, lambda: enqueue(queue))
    return spread(waits, scale=1000)


async def throughput(work: Work) -> Sample:
    """Callers put in one job at a time while the worker runs them."""
    async with running(work.target) as queue:
        return await call_together(work, queue.arrivals, lambda: enqueue(queue))


async def enqueue(queue: Queue) -> None:
    """One job in one committed statement."""
    await queue.producer.enqueue("job", None)


if __name__ == "__main__":
    answer({"herd": herd, "trigger": trigger, "throughput": throughput})
