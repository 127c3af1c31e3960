"""Several `nod serve` on one PostgreSQL, of which one is killed and one restarted under load."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faults.test_kill import Arrivals, beside, for_ever, noting, open_socket, plan, runs_of
from nod.actions import tasks
from nod.actions.agents import Credentials
from nod.domain.task_fields import TaskFields
from nod.engine.outbox import make_event, put
from nod.engine.trigger import Call, accept_call
from nod.store.store import Tx
from support.databases import prepared, url_of
from support.nats import KINDS, bus, bus_of
from support.receiver import receiving
from support.server import RunningServer

# By these variables the same test runs at full size: 20,000 tasks and 300 agents.
SOCKETS = int(os.environ.get("NOD_TEST_CLUSTER_AGENTS", "9"))
TASKS = int(os.environ.get("NOD_TEST_CLUSTER_TASKS", "300"))
LEAD_S = 5 + TASKS / 150  # all are stored by then
PATIENCE_S = 20 + TASKS / 100


@dataclass
class Ordered(Arrivals):
    """Also in which order the events of each run came first."""

    kinds: dict[str, list[str]] = field(default_factory=dict)

    async def note(self, event: dict[str, Any]) -> None:
        kinds = self.kinds.setdefault(event["run_id"], [])
        if event["type"] not in kinds:
            kinds.append(event["type"])
        if event["type"] != "decision_resolved":
            await super().note(event)


@dataclass
class Cluster:
    """The servers, and agents that come back to any of them whatever happens."""

    servers: list[RunningServer]
    arrivals: Ordered = field(default_factory=Ordered)

    async def start(self) -> None:
        # The first one makes the schema; then all others at once.
        await asyncio.to_thread(self.servers[0].start)
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in self.servers[1:]))

    async def kill_all(self) -> None:
        for each in self.servers:
            if each.process is not None:
                await asyncio.to_thread(each.kill)

    def session(self, who: Credentials, first: int, *, acks: bool) -> Callable[[], Any]:
        """One connection of the agent after the other, each to the next server."""
        turn = count(first)

        async def once() -> None:
            server = self.servers[next(turn) % len(self.servers)]
            connection = await open_socket(server, who, acks=acks)
            try:
                async for text in connection:
                    event = json.loads(text)
                    await self.arrivals.note(event)
                    if acks:
                        ack = {"type": "ack", "event_id": event["event_id"]}
                        await connection.send(json.dumps(ack))
            finally:
                await connection.close()

        return once

    @asynccontextmanager
    async def crowd(self, who: list[Credentials]) -> AsyncIterator[None]:
        """Every third of them acknowledges nothing."""
        running = [
            asyncio.create_task(for_ever(self.session(each, number, acks=number % 3 > 0)))
            for number, each in enumerate(who)
        ]
        try:
            yield
        finally:
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)


@asynccontextmanager
async def cluster(folder: Path, kind: Any, size: int) -> AsyncIterator[Cluster]:
    """So many servers that are not started yet, and are gone at the end."""
    async with prepared(folder, "postgres"):
        with bus(folder, kind):
            environ = {
                "NOD_DATABASE_URL": url_of(folder),
                "NOD_BUS_URL": bus_of(folder),
                "NOD_SECRET_KEY": secrets.token_urlsafe(32),
                "NOD_LIMIT_SOCKET_KEEP_ALIVE_S": "2",
                "NOD_LIMIT_SOCKET_ACK_S": "2",
                "NOD_LIMIT_DRAIN_S": "1",
            }
            made = Cluster(
                [RunningServer(folder / f"node-{number}", environ) for number in range(size)]
            )
            try:
                yield made
            finally:
                await made.kill_all()


@pytest.mark.parametrize("kind", KINDS)
async def test_one_killed_and_one_restarted_lose_no_run_and_make_none_twice(
    tmp_path: Path, kind: Any
) -> None:
    async with cluster(tmp_path, kind, 3) as nodes, receiving() as hook:
        noting(hook, nodes.arrivals)
        first, second, third = nodes.servers
        who = [await first.add_agent(f"Socket {number}") for number in range(SOCKETS)]
        hooked = [await first.add_agent(f"Hook {n}", webhook_url=hook.url) for n in range(2)]
        task_ids = await plan(first, [*who, *hooked], TASKS, LEAD_S, 1)
        called = await call_with_two_events(first, [*who, *hooked])
        await nodes.start()
        async with nodes.crowd(who):
            await nodes.arrivals.wait(len(called) + TASKS // 3, LEAD_S + PATIENCE_S)
            await asyncio.gather(asyncio.to_thread(second.kill), asyncio.to_thread(third.stop))
            await asyncio.to_thread(third.start)
            await nodes.arrivals.wait(len(called) + TASKS, PATIENCE_S)
        found = await runs_of(first, task_ids)
    made = [run.id for runs in found.values() for run in runs]
    assert [len(runs) for runs in found.values()] == [1] * TASKS
    assert {*made, *called} == set(nodes.arrivals.events)
    assert [events for events in nodes.arrivals.events.values() if len(events) > 1] == []
    both = ["task_trigger", "decision_resolved"]
    assert [nodes.arrivals.kinds[run_id] for run_id in called] == [both] * len(called)


async def test_a_rolling_restart_under_load_loses_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path, "notify", 2) as nodes:
        who = [await nodes.servers[0].add_agent(f"Socket {n}") for n in range(SOCKETS)]
        await nodes.start()
        task_ids = await plan(nodes.servers[0], who, TASKS, 1, 5)
        async with nodes.crowd(who):
            for server in nodes.servers:
                await nodes.arrivals.wait(20)
                assert await asyncio.to_thread(server.stop) == 0
                assert "Traceback" not in server.log
                await asyncio.to_thread(server.start)
            await nodes.arrivals.wait(TASKS)
        found = await runs_of(nodes.servers[0], task_ids)
    assert [len(runs) for runs in found.values()] == [1] * TASKS
    assert {run.id for runs in found.values() for run in runs} == set(nodes.arrivals.events)
    assert [events for events in nodes.arrivals.events.values() if len(events) > 1] == []


async def call_with_two_events(server: RunningServer, who: list[Credentials]) -> list[str]:
    """A call for each agent, and right behind it a second event of its run; the runs."""
    async with beside(server) as (store, vault):
        made = []
        for each in who:

            async def call(tx: Tx, each: Credentials = each) -> str:
                fields = msgspec.convert(
                    {"name": "Call", "prompt": "Go.", "schedule": "event"}, TaskFields
                )
                task = await tasks.create(tx, vault, each.agent, fields, "user")
                accepted = await accept_call(tx, task, Call("{}", "{}", None))
                later = make_event(
                    tx.now,
                    each.agent.id,
                    "decision_resolved",
                    {"run_id": accepted.run_id},
                    run_id=accepted.run_id,
                )
                await put(tx, later)
                return accepted.run_id

            made.append(await store.write(call))
        return made
