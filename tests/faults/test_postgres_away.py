"""The PostgreSQL server is stopped and started while Nod runs: nothing is lost, nothing twice."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faults.test_kill import LIMITS, Arrivals, crowd, noting, people, plan, runs_of
from support.inprocess import until
from support.postgres import Server, own_server
from support.receiver import receiving
from support.server import RunningServer

COUNT = 200


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with own_server() as made:
        yield made


@pytest.fixture
def server(tmp_path: Path, database: Server) -> Iterator[RunningServer]:
    made = RunningServer(tmp_path, {**LIMITS, "NOD_DATABASE_URL": database.url("postgres")})
    yield made
    if made.process is not None:
        made.kill()


async def test_a_server_that_is_restarted_and_one_that_crashes_cost_no_run(
    server: RunningServer, database: Server
) -> None:
    arrivals = Arrivals()
    async with receiving() as hook:
        noting(hook, arrivals)
        who = await people(server, hook.url)
        task_ids = await plan(server, who, COUNT, 2, 6)
        await asyncio.to_thread(server.start)
        async with crowd(server, arrivals, who), httpx.AsyncClient() as http:

            async def is_ready() -> bool:
                answer = await http.get(f"{server.url}/readyz", timeout=30)
                return answer.status_code == 200

            for count, how in ((20, "fast"), (100, "immediate")):
                await arrivals.wait(count)
                await asyncio.to_thread(database.stop, how)
                assert not await is_ready()
                await asyncio.to_thread(database.start)
                await until(is_ready)
            await arrivals.wait(COUNT)
    found = await runs_of(server, task_ids)
    assert [len(runs) for runs in found.values()] == [1] * COUNT
    assert {run.id for runs in found.values() for run in runs} == set(arrivals.events)
    assert await asyncio.to_thread(server.stop) == 0
    assert "Traceback" not in server.log, server.log
    # A server that comes back from a crash may let somebody in and turn others away once more.
    said = re.findall("the database is (away|back)", server.log)
    assert said in (["away", "back"] * 2, ["away", "back"] * 3)
