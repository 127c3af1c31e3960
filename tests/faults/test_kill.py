"""kill -9 and SIGTERM while a thousand tasks fire: nothing is lost, nothing happens twice."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from nod.actions import tasks
from nod.actions.agents import Credentials
from nod.clock import SystemClock
from nod.config import load
from nod.domain.instant import SECOND, Instant, rfc3339
from nod.domain.model import Run
from nod.domain.task_fields import TaskFields
from nod.opening import open_database
from nod.secrets import Vault, load_secret_key
from nod.store.store import Store, Tx
from support.databases import KINDS, prepared, url_of
from support.receiver import OK, Call, Receiver, receiving
from support.server import RunningServer

PATIENCE_S = 20.0
LIMITS = {"NOD_LIMIT_SOCKET_KEEP_ALIVE_S": "2", "NOD_LIMIT_SOCKET_ACK_S": "2"}
AWAY = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError, httpx.HTTPError)


@dataclass
class Arrivals:
    """Which runs have arrived, and under which events."""

    events: dict[str, set[str]] = field(default_factory=dict)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self, event: dict[str, Any]) -> None:
        self.events.setdefault(event["run_id"], set()).add(event["event_id"])
        async with self.came:
            self.came.notify_all()

    async def wait(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Until so many runs have arrived."""
        async with asyncio.timeout(patience_s), self.came:
            await self.came.wait_for(lambda: len(self.events) >= count)


@asynccontextmanager
async def beside(server: RunningServer) -> AsyncIterator[tuple[Store, Vault]]:
    """The server's store, opened beside it."""
    settings = load(server._environ(), {})
    store = Store(open_database(settings, exclusive=False), SystemClock(), settings.limits)
    await store.start()
    try:
        yield store, Vault(load_secret_key(settings.secret_key, settings.data_dir))
    finally:
        await store.close()


async def plan(
    server: RunningServer, who: list[Credentials], count: int, first_s: float, spread_s: float
) -> list[str]:
    """One-time tasks, dealt out to the agents and spread over some seconds; their ids."""
    async with beside(server) as (store, vault):
        now = SystemClock().now()

        def at(number: int) -> Instant:
            return now + round((first_s + spread_s * number / count) * SECOND)

        async def make(tx: Tx) -> list[str]:
            made = []
            for number in range(count):
                wanted = {
                    "name": f"Task {number}",
                    "prompt": "Go.",
                    "schedule": "once",
                    "run_at": rfc3339(at(number)),
                }
                fields = msgspec.convert(wanted, TaskFields)
                agent = who[number % len(who)].agent
                made.append((await tasks.create(tx, vault, agent, fields, "user")).id)
            return made

        return await store.write(make)


async def runs_of(server: RunningServer, task_ids: list[str]) -> dict[str, list[Run]]:
    """All entries of the tasks."""
    async with beside(server) as (store, _):

        async def look(tx: Tx) -> dict[str, list[Run]]:
            return {each: await tx.runs.of_task(each, 10) for each in task_ids}

        return await store.read(look)


# agents that come back whatever happens


async def for_ever(session: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await session()
        except AWAY:
            # The server is away; nothing else can be waited for than that it comes back.
            await asyncio.sleep(0.02)


async def open_socket(server: RunningServer, who: Credentials, *, acks: bool) -> ClientConnection:
    """An authenticated connection."""
    connection = await connect(f"{server.ws_url}/ws/agent/{who.agent.id}", close_timeout=0.1)
    await connection.send(json.dumps({"type": "auth", "secret": who.secret, "acks": acks}))
    assert json.loads(await connection.recv())["type"] == "auth_ok"
    return connection


async def listen(
    server: RunningServer, who: Credentials, arrivals: Arrivals, *, acks: bool
) -> None:
    connection = await open_socket(server, who, acks=acks)
    try:
        async for text in connection:
            event = json.loads(text)
            await arrivals.note(event)
            if acks:
                await connection.send(json.dumps({"type": "ack", "event_id": event["event_id"]}))
    finally:
        await connection.close()


async def poll(server: RunningServer, who: Credentials, arrivals: Arrivals) -> None:
    headers = {"X-Nod-Agent-Id": who.agent.id, "X-Nod-Secret": who.secret}
    url = f"{server.url}/api/agent/events"
    async with httpx.AsyncClient(headers=headers, timeout=10) as client:
        while True:
            answer = await client.get(url, params={"wait_s": 5})
            for event in answer.raise_for_status().json():
                await arrivals.note(event)
                (await client.post(f"{url}/{event['event_id']}/ack")).raise_for_status()


async def people(server: RunningServer, hook_url: str) -> list[Credentials]:
    """Four agents with sockets, one with a webhook, one that polls."""
    who = [await server.add_agent(f"Socket {number}") for number in range(4)]
    hooked = await server.add_agent("Hook", webhook_url=hook_url)
    return [*who, hooked, await server.add_agent("Poll")]


@asynccontextmanager
async def crowd(
    server: RunningServer, arrivals: Arrivals, who: list[Credentials]
) -> AsyncIterator[None]:
    """Let the agents run; half of those with sockets acknowledge, the others say nothing."""
    sessions: list[Callable[[], Awaitable[None]]] = [
        (lambda each=each, acks=number < 2: listen(server, each, arrivals, acks=acks))  # type: ignore[misc]
        for number, each in enumerate(who[:4])
    ]
    sessions.append(lambda: poll(server, who[5], arrivals))
    running = [asyncio.create_task(for_ever(session)) for session in sessions]
    try:
        yield
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def noting(hook: Receiver, arrivals: Arrivals) -> set["asyncio.Task[None]"]:
    """Count what the endpoint gets among the arrivals."""
    under_way: set[asyncio.Task[None]] = set()

    def take(call: Call) -> bytes:
        task = asyncio.create_task(arrivals.note(call.event))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        return OK

    hook.choose = take
    return under_way


@pytest.fixture(params=KINDS)
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A server that is not started yet, and is gone at the end whatever happens."""
    async with prepared(tmp_path, request.param):
        made = RunningServer(tmp_path, {**LIMITS, "NOD_DATABASE_URL": url_of(tmp_path)})
        yield made
        if made.process is not None:
            made.kill()


@pytest.mark.parametrize(
    ("server", "total", "times"),
    [("sqlite", 1000, 5), ("postgres", 400, 2)],
    indirect=["server"],
)
async def test_kill_9_while_firing_and_delivering_loses_no_run_and_makes_none_twice(
    server: RunningServer, total: int, times: int
) -> None:
    arrivals = Arrivals()
    kills = sorted(random.Random(7).sample(range(5, total - 10), times))  # noqa: S311 - no secret
    async with receiving() as hook:
        noting(hook, arrivals)
        who = await people(server, hook.url)
        task_ids = await plan(server, who, total, 2, 4)
        await asyncio.to_thread(server.start)
        async with crowd(server, arrivals, who):
            for count in kills:
                await arrivals.wait(count)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            await arrivals.wait(total)
    await asyncio.to_thread(server.kill)

    found = await runs_of(server, task_ids)
    assert [len(runs) for runs in found.values()] == [1] * total
    runs = [run for each in found.values() for run in each]
    assert {run.status for run in runs} == {"pending"}
    assert {run.id for run in runs} == set(arrivals.events)
    assert [events for events in arrivals.events.values() if len(events) > 1] == []


async def test_sigterm_ends_with_0_in_time_with_everybody_connected_and_loses_nothing(
    server: RunningServer,
) -> None:
    arrivals = Arrivals()
    async with receiving() as hook:
        noting(hook, arrivals)
        hook.release.clear()  # attempts are under way when the server is told to stop
        who = await people(server, hook.url)
        task_ids = await plan(server, who, 300, 2, 2)
        await asyncio.to_thread(server.start)
        async with crowd(server, arrivals, who):
            await arrivals.wait(100)
            begun = time.monotonic()
            assert await asyncio.to_thread(server.stop) == 0
            assert time.monotonic() - begun < 10
            assert "Traceback" not in server.log
            hook.release.set()
            await asyncio.to_thread(server.start)
            await arrivals.wait(300)
            assert await asyncio.to_thread(server.stop) == 0

    found = await runs_of(server, task_ids)
    assert [len(runs) for runs in found.values()] == [1] * 300
    assert [events for events in arrivals.events.values() if len(events) > 1] == []
