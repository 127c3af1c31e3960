"""The job APScheduler runs, in a module of its own because a job store keeps it by import path."""

from __future__ import annotations

from bench.arrivals import Arrivals

ARRIVALS = Arrivals()


async def job(number: int) -> None:
    """Only writes down that it started."""
    ARRIVALS.add(number)
