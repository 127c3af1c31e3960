"""A whole Nod in the test's own event loop, on a free port, with peers that speak raw WebSocket."""

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from nod.actions import accounts, agents, answers, tasks
from nod.actions.agents import Credentials
from nod.app import Nod
from nod.clock import Clock
from nod.config import Role, load, local_url
from nod.delivery.address_guard import AddressGuard
from nod.domain.decisions import Answer
from nod.domain.limits import Limits
from nod.domain.model import Decision, Delivery, Event, Run, Task
from nod.domain.runs import make_run
from nod.domain.task_fields import TaskFields
from nod.engine.outbox import make_run_event, put
from nod.server import Server, listen, make_server, port_of
from nod.store.store import Tx
from support.databases import url_with_schema
from support.nats import bus_of

PATIENCE_S = 20.0
LOOPBACK = AddressGuard([ip_network("127.0.0.0/8")])


async def until(condition: Callable[[], Awaitable[Any] | Any]) -> Any:
    """Wait until `condition` (also a coroutine function) is true, and return what it said."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = condition()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.005)


@dataclass
class Peer:
    """An agent's connection, frame by frame."""

    connection: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def receive(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(timeout_s):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
        return frame

    async def event(self) -> dict[str, Any]:
        """The next frame, which is an event."""
        frame = await self.receive()
        assert "event_id" in frame, frame
        self.events.append(frame)
        return frame

    async def runs(self, count: int) -> list[str]:
        """The runs that the next `count` events are about."""
        return [(await self.event())["run_id"] for _ in range(count)]

    async def ack(self, event: dict[str, Any]) -> None:
        await self.send(type="ack", event_id=event["event_id"])

    async def is_quiet(self) -> bool:
        """Whether nothing comes before the answer to a ping that is sent now."""
        await self.send(type="ping")
        return await self.receive() == {"type": "pong"}

    async def ended(self) -> int:
        """The close code, once the server has closed the connection."""
        async with asyncio.timeout(PATIENCE_S):
            await self.connection.wait_closed()
        return self.connection.close_code or 0


@dataclass
class InProcess:
    """A running Nod and its doors."""

    nod: Nod
    port: int
    server: Server
    serving: "asyncio.Task[None]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """Stop as a signal would make it stop."""
        self.server.stop()
        await self.serving
        await self.nod.stop()

    async def add_agent(self, name: str = "Ada", **given: Any) -> Credentials:
        """An agent of the first account."""

        async def add(tx: Tx) -> Credentials:
            owner = await tx.people.first_user()
            if owner is None:
                owner = await accounts.create_user(tx, "ann@example.org", "no password", "Ann")
            return await agents.create_agent(tx, self.nod.vault, LOOPBACK, owner, name, **given)

        return await self.nod.store.write(add)

    async def add_task(self, who: Credentials, schedule: str = "0 0 1 1 *", **given: Any) -> Task:
        """A task of the agent that fires seldom and lets its runs overlap."""
        wanted = {"name": "Report", "prompt": "Say how it is.", "schedule": schedule, **given}
        fields = msgspec.convert({"overlap": "allow", **wanted}, TaskFields)
        return await self.nod.store.write(
            lambda tx: tasks.create(tx, self.nod.vault, who.agent, fields, "user")
        )

    async def fire(self, task: Task, count: int = 1) -> list[str]:
        """Runs of the task at once, in one transaction; their ids in order."""

        async def make(tx: Tx) -> list[str]:
            runs = [make_run(task, tx.now, tx.now, "manual") for _ in range(count)]
            await tx.runs.insert(runs)
            for run in runs:
                await put(tx, make_run_event(tx.now, task, run, tx.limits))
            return [run.id for run in runs]

        return await self.nod.store.write(make)

    @asynccontextmanager
    async def peer(
        self, who: Credentials, *, acks: bool = False, port: int | None = None, **given: Any
    ) -> AsyncIterator[Peer]:
        """An authenticated connection of the agent, by another port where one is given."""
        url = f"ws://127.0.0.1:{port or self.port}/ws/agent/{who.agent.id}"
        given = {"ping_interval": None, "max_size": None, "close_timeout": 0.2, **given}
        async with connect(url, **given) as connection:
            peer = Peer(connection)
            await peer.send(type="auth", secret=who.secret, acks=acks)
            assert await peer.receive() == {"type": "auth_ok", "agent_id": who.agent.id}
            yield peer

    @asynccontextmanager
    async def http(self, who: Credentials) -> AsyncIterator[httpx.AsyncClient]:
        """REST calls as the agent."""
        headers = {"X-Nod-Agent-Id": who.agent.id, "X-Nod-Secret": who.secret}
        async with httpx.AsyncClient(
            base_url=f"{self.url}/api/agent", headers=headers, timeout=PATIENCE_S
        ) as client:
            yield client

    async def answer(self, who: Credentials, decision_id: str, answer: Answer) -> None:
        """The agent's person answers a question."""

        async def resolve(tx: Tx) -> Decision:
            owner = await tx.people.user(who.agent.owner_id)
            assert owner is not None
            return await answers.resolve(tx, self.nod.vault, owner, decision_id, answer)

        await self.nod.store.write(resolve)

    # what is stored

    async def run(self, run_id: str) -> Run:
        found = await self.nod.store.read(lambda tx: tx.runs.get(run_id))
        assert found is not None
        return found

    async def event(self, run_id: str, kind: str = "task_") -> Event:
        """The event that brings the run, or another kind of event of it."""
        found = await self.nod.store.read(lambda tx: tx.events.of_run(run_id))
        return next(event for event in found if event.type.startswith(kind))

    async def deliveries(self, run_id: str) -> list[Delivery]:
        """The attempts made on the run's event, the oldest first."""
        event = await self.event(run_id)
        return await self.nod.store.read(lambda tx: tx.events.deliveries_of_event(event.id))

    async def until_settled(self, run_id: str) -> Event:
        """The run's event, once it is out of the outbox."""

        async def settled() -> Event | None:
            event = await self.event(run_id)
            return event if event.state != "pending" else None

        found: Event = await until(settled)
        return found

    async def until_noted(self, run_id: str, count: int = 1) -> list[Delivery]:
        """The attempts made on the run's event, once there are as many."""

        async def noted() -> list[Delivery]:
            found = await self.deliveries(run_id)
            return found if len(found) >= count else []

        found: list[Delivery] = await until(noted)
        return found


@asynccontextmanager
async def running(
    folder: Path, clock: Clock | None = None, role: Role = "all", /, **limits: int
) -> AsyncIterator[InProcess]:
    """A Nod on the data in `folder`, with some limits made small; stopped at the end."""
    environ = {
        "NOD_DATA_DIR": str(folder),
        "NOD_DATABASE_URL": url_with_schema(folder),
        "NOD_BUS_URL": bus_of(folder),
        "NOD_ROLE": role,
        "NOD_ALLOW_WEBHOOK_NETS": "127.0.0.0/8",
    }
    settings = replace(load(environ, {"port": 0}), limits=replace(Limits(drain_s=0), **limits))
    with listen(settings) as listener:
        port = port_of(listener)
        nod = Nod(replace(settings, public_url=local_url(settings.host, port)), clock)
        await nod.start()
        with warnings.catch_warnings():
            # The framework will want its dependencies marked in its next major version.
            warnings.simplefilter("ignore", DeprecationWarning)
            server = make_server(nod)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        started = InProcess(nod, port, server, serving)
        try:
            await until(lambda: server.started or serving.done())
            yield started
        finally:
            await started.stop()
