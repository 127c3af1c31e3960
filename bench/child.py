"""The child's end of a measurement: arguments in, one line of JSON out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import uvloop

from bench.sample import Sample


@dataclass(frozen=True, slots=True)
class Work:
    """What the child is asked to do."""

    jobs: int
    callers: int
    target: str  # a PostgreSQL address, an SQLite file, or empty for memory
    nodes: int = 1
    bus: str = "notify"


Measure = Callable[[Work], Awaitable[Sample]]


def answer(measures: Mapping[str, Measure]) -> None:
    """Run the measurement named on the command line, on uvloop, and print its figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=sorted(measures))
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--target", default="")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--bus", choices=("notify", "nats"), default="notify")
    asked = parser.parse_args()
    work = Work(
        jobs=asked.jobs,
        callers=asked.callers,
        target=asked.target,
        nodes=asked.nodes,
        bus=asked.bus,
    )
    print(json.dumps(uvloop.run(_measured(measures[asked.measure], work))))


async def _measured(measure: Measure, work: Work) -> Sample:
    return await measure(work)
