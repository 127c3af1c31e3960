"""A store with a person and an agent, for tests of the engine on real databases."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from nod.actions import accounts, agents, tasks
from nod.actions.agents import Credentials
from nod.clock import Clock
from nod.config import load
from nod.delivery.address_guard import AddressGuard
from nod.domain.limits import Limits
from nod.domain.model import Agent, Run, Task, User
from nod.domain.task_fields import TaskFields
from nod.opening import open_database
from nod.secrets import Vault
from nod.store.effects import Effects, Fact
from nod.store.store import Store, Tx
from support.clock import FakeClock
from support.databases import url_with_schema


@dataclass
class World:
    """What a test of the engine stands on. `told` collects the facts of every commit."""

    store: Store
    clock: FakeClock
    limits: Limits
    vault: Vault
    owner: User
    agent: Agent
    secret: str
    effects: list[Effects] = field(default_factory=list)

    @property
    def facts(self) -> list[Fact]:
        return [fact for effects in self.effects for fact in effects.facts]

    def names(self) -> list[str]:
        """What happened, in order."""
        return [fact.name for fact in self.facts]

    async def task(self, schedule: str = "0 9 * * *", **given: Any) -> Task:
        """A task made by the person."""
        wanted = {"name": "Report", "prompt": "Say how it is.", "schedule": schedule, **given}
        fields = msgspec.convert(wanted, TaskFields)
        return await self.store.write(
            lambda tx: tasks.create(tx, self.vault, self.agent, fields, "user")
        )

    async def get(self, task: Task) -> Task:
        """The task as it is now."""
        found = await self.store.read(lambda tx: tx.tasks.get(task.id))
        assert found is not None
        return found

    async def runs(self, task: Task) -> list[Run]:
        """The task's entries, the oldest first."""
        found = await self.store.read(lambda tx: tx.runs.of_task(task.id, 10_000))
        return found[::-1]

    async def run(self, run_id: str) -> Run:
        """The run as it is now."""
        found = await self.store.read(lambda tx: tx.runs.get(run_id))
        assert found is not None
        return found


def open_store(
    folder: Path, clock: Clock, limits: Limits, on_commit: Callable[[Effects], None]
) -> Store:
    """The database that `folder` stands for, not started yet."""
    environ = {"NOD_DATABASE_URL": url_with_schema(folder), "NOD_DATA_DIR": str(folder)}
    settings = load(environ, {})
    return Store(open_database(settings, exclusive=True), clock, limits, on_commit)


@asynccontextmanager
async def open_world(
    folder: Path, limits: Limits | None = None, clock: FakeClock | None = None, **agent: Any
) -> AsyncIterator[World]:
    """A world in `folder`, with one person in UTC and one agent; `agent` as create_agent takes."""
    clock = clock or FakeClock()
    limits = limits or Limits()
    collected: list[Effects] = []
    store = open_store(folder, clock, limits, collected.append)
    await store.start()
    vault = Vault(b"a key of thirty-two bytes, or so" * 2)
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    wanted = {"name": "Ada", **agent}

    async def people(tx: Tx) -> tuple[User, Credentials]:
        owner = await accounts.create_user(tx, "ann@example.org", "no password", "Ann")
        return owner, await agents.create_agent(tx, vault, guard, owner, **wanted)

    try:
        owner, made = await store.write(people)
        yield World(store, clock, limits, vault, owner, made.agent, made.secret, effects=collected)
    finally:
        await store.close()
