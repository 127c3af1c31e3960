"""A newer release starts beside the one that serves: it takes its steps of the schema, and nobody
notices. Nothing has been released that could be the older one; so that is this program, and the
newer one is a copy of it with more steps."""

import asyncio
import contextlib
import json
import re
import secrets
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

import nod
from faults.test_kill import AWAY, Arrivals, listen, plan, runs_of
from nod.actions.agents import Credentials
from nod.store.migrate import load_migrations
from support.databases import prepared, url_of
from support.inprocess import until
from support.postgres import connected
from support.server import RunningServer

_OLDER = len(load_migrations(files("nod.store") / "migrations"))
_FIRES = 100
_GROWN = """-- additive
CREATE TABLE labels (task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE, text TEXT);
CREATE INDEX labels_of_task ON labels (task_id);
CREATE INDEX runs_by_summary ON runs (summary) WHERE summary IS NOT NULL;
"""


def newer_release(folder: Path) -> dict[str, str]:
    """A copy of the program with two steps more; the environment that runs it."""
    ours = Path(nod.__file__).parent
    shutil.copytree(ours, folder / "nod", ignore=shutil.ignore_patterns("__pycache__"))
    steps = folder / "nod" / "store" / "migrations"
    tables = ("agents", "tasks", "runs", "events", "messages", "deliveries", "users")
    columns = [f"ALTER TABLE {each} ADD COLUMN later TEXT NOT NULL DEFAULT '';" for each in tables]
    (steps / f"{_OLDER + 1:04}_columns.sql").write_text("\n".join(["-- additive", *columns]))
    (steps / f"{_OLDER + 2:04}_grown.sql").write_text(_GROWN)
    return {"PYTHONPATH": str(folder)}


class Nodes:
    """The nodes on one database; agents go to the one that is named."""

    def __init__(self, folder: Path, newer: dict[str, str]) -> None:
        shared = {
            "NOD_DATABASE_URL": url_of(folder),
            "NOD_SECRET_KEY": secrets.token_urlsafe(32),
            "NOD_LOG_JSON": "1",
        }
        self.old = RunningServer(folder / "old", shared)
        self.new = [RunningServer(folder / f"new{n}", {**shared, **newer}) for n in range(2)]
        self.serving = self.old

    def complaints(self) -> list[str]:
        """What the nodes have logged that is no plain information."""
        lines = [line for each in (self.old, *self.new) for line in each.log.splitlines()]
        return [line for line in lines if json.loads(line)["level"] != "info"]


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with prepared(tmp_path, "postgres"):
        made = Nodes(tmp_path, newer_release(tmp_path / "newer"))
        yield made
        for each in (made.old, *made.new):
            if each.process is not None:
                each.kill()


@asynccontextmanager
async def at_it(*sessions: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Let these go on as long as the block runs; a failure of one fails the test."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_again(each)) for each in sessions]
        yield
        for each in tasks:
            each.cancel()


async def _again(session: Callable[[], Awaitable[None]]) -> None:
    while True:
        with contextlib.suppress(*AWAY):
            await session()
        await asyncio.sleep(0.02)  # its node is stopped, and another one named soon


def using(nodes: Nodes, who: Credentials, said: list[str]) -> Callable[[], Awaitable[None]]:
    """An agent that looks at its tasks and writes, one call after the other."""
    headers = {"X-Nod-Agent-Id": who.agent.id, "X-Nod-Secret": who.secret}

    async def session() -> None:
        node = nodes.serving
        async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=20) as http:
            while node is nodes.serving:
                answers = [
                    await http.get("/api/agent/tasks"),
                    await http.post(
                        "/api/agent/events", json={"type": "message", "text": f"Hello {len(said)}"}
                    ),
                ]
                assert [each.is_success for each in answers] == [True, True], answers[-1].text
                said.append(f"Hello {len(said)}")

    return session


async def test_old_and_new_nodes_serve_side_by_side_and_no_fire_is_lost_or_doubled(
    nodes: Nodes,
) -> None:
    await asyncio.to_thread(nodes.old.start)
    who = [await nodes.old.add_agent(f"Agent {number}") for number in range(3)]
    arrivals, said = Arrivals(), list[str]()
    task_ids = await plan(nodes.old, who, _FIRES, 2, 5)
    listening = [
        (lambda each=each: listen(nodes.serving, each, arrivals, acks=True)) for each in who
    ]
    async with at_it(*listening, using(nodes, who[0], said)):
        await arrivals.wait(20)
        assert await _steps(nodes) == list(range(1, _OLDER + 1))
        # Two at once: one takes the steps, while the old one fires, delivers and answers.
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in nodes.new))
        assert await _steps(nodes) == list(range(1, _OLDER + 3))
        task_ids += await plan(nodes.old, who, _FIRES, 2, 2)  # for the old one, on what is new
        await arrivals.wait(_FIRES + 20)
        nodes.serving = nodes.new[0]
        assert await asyncio.to_thread(nodes.old.stop) == 0
        before = len(said)
        task_ids += await plan(nodes.new[0], who, 20, 2, 0)
        await arrivals.wait(len(task_ids))
        await until(lambda: len(said) > before)
    await asyncio.to_thread(nodes.old.start)  # there is a way back as well
    assert await asyncio.to_thread(nodes.old.stop) == 0
    found = await runs_of(nodes.old, task_ids)
    assert [len(runs) for runs in found.values()] == [1] * len(task_ids)
    assert {run.id for runs in found.values() for run in runs} == set(arrivals.events)
    assert [events for events in arrivals.events.values() if len(events) > 1] == []
    assert nodes.complaints() == []


async def _steps(nodes: Nodes) -> list[int]:
    async with connected(nodes.old.environ["NOD_DATABASE_URL"]) as beside:
        found = await beside.fetch("SELECT version FROM schema_versions ORDER BY version")
    return [version for (version,) in found]


async def test_on_one_machine_the_newer_release_takes_its_steps_when_it_starts(
    tmp_path: Path,
) -> None:
    older = RunningServer(tmp_path / "data")
    newer = RunningServer(tmp_path / "data", newer_release(tmp_path / "newer"))
    arrivals = Arrivals()
    try:
        await asyncio.to_thread(older.start)
        who = await older.add_agent()
        await plan(older, [who], 4, 2, 4)
        for server, count in ((older, 1), (newer, 4), (older, 4)):  # and there is a way back
            if server.process is None or server.process.poll() is not None:
                await asyncio.to_thread(server.start)
            listening = asyncio.create_task(listen(server, who, arrivals, acks=True))
            await arrivals.wait(count)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            assert await asyncio.to_thread(server.stop) == 0
    finally:
        for server in (older, newer):
            if server.process is not None:
                server.kill()
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "nod.db")) as file:
        assert file.execute("SELECT max(version) FROM schema_versions").fetchone() == (_OLDER + 2,)
        assert file.execute("SELECT count(*) FROM runs WHERE later = ''").fetchone() == (4,)
    assert not re.search(r"\b(error|warning)\b", older.log)
