"""Oban for Python on PostgreSQL: one node and its callers in one process.

Settings: it polls for what is due, each second by default; here every 20 ms, so that its lateness
is its work and not its polling. The queue's limit is 1,000 (the documentation's 10 is for long
jobs); pool and everything else as its production guide has them. Needs Python 3.12.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oban import Oban, worker
from oban.schema import install

from bench.arrivals import Arrivals, call_together, herd_lateness, one_after_another
from bench.child import Work, answer
from bench.sample import Sample, spread

STAGING_INTERVAL_S = 0.02
QUEUE_LIMIT = 1000
LEAD_S = 10.0
"""Between starting to store the herd (one statement a job, in one transaction) and its second."""


class Recorder:
    """The job: it only writes down that it started."""

    arrivals = Arrivals()

    async def process(self, job: object) -> None:
        """Called by Oban with its job record."""
        Recorder.arrivals.add(getattr(job, "id", None))


@dataclass(frozen=True, slots=True)
class Node:
    """A running node and the arrivals of its jobs."""

    oban: Oban
    new: Callable[..., Any]
    arrivals: Arrivals


@asynccontextmanager
async def running(dsn: str) -> AsyncIterator[Node]:
    """Install the tables, start one node, and stop it at the end."""
    pool = await Oban.create_pool(dsn, min_size=2, max_size=20)
    await install(pool)
    oban = Oban(pool=pool, queues={"default": QUEUE_LIMIT}, stager={"interval": STAGING_INTERVAL_S})
    async with oban:
        node = Node(oban, worker(queue="default")(Recorder).new, Recorder.arrivals)
        await enqueue(node)
        await node.arrivals.wait_for(1)
        node.arrivals.forget()
        yield node
    await pool.close()


async def herd(work: Work) -> Sample:
    """Store the jobs for one second, wait for it, and see how late each starts."""
    async with running(work.target) as node:
        due = math.ceil(time.time() + LEAD_S)
        at = datetime.fromtimestamp(due, UTC)
        await node.oban.enqueue_many(node.new(scheduled_at=at) for _ in range(work.jobs))
        return await herd_lateness(node.arrivals, due, work.jobs)


async def trigger(work: Work) -> Sample:
    """From putting one job in an idle queue to its start."""
    async with running(work.target) as node:
        waits = await one_after_another(work.jobs, node.arrivals, lambda: enqueue(node))
    return spread(waits, scale=1000)


async def throughput(work: Work) -> Sample:
    """Callers put in one job at a time while the node runs them."""
    async with running(work.target) as node:
        return await call_together(work, node.arrivals, lambda: enqueue(node))


async def enqueue(node: Node) -> None:
    """One job in one transaction."""
    await node.oban.enqueue(node.new())


if __name__ == "__main__":
    answer({"herd": herd, "trigger": trigger, "throughput": throughput})
