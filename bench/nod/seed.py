"""Agents and tasks, put into the database file before the server takes it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from nod.actions.accounts import owner_of_new_agents
from nod.actions.agents import create_agent
from nod.clock import SystemClock
from nod.config import load
from nod.delivery.address_guard import AddressGuard
from nod.domain.model import Agent, Task, new_id
from nod.domain.task_fields import TaskFields, new_task, new_trigger_id
from nod.opening import open_database
from nod.secrets import Vault, load_secret_key
from nod.store.store import Store, Tx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SeededAgent:
    """An agent, what it proves itself with, and the URLs of its event tasks."""

    agent: Agent
    secret: str
    trigger_ids: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """What every request of the agent carries."""
        return {"X-Nod-Agent-Id": self.agent.id, "X-Nod-Secret": self.secret}


class Seeder:
    """Writes into a database that no server is using."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def write(self, work: Callable[[Tx], Coroutine[Any, Any, T]]) -> T:
        """Anything else, in a transaction of its own."""
        return await self._store.write(work)

    async def agent(self, fields: TaskFields, tasks: int) -> SeededAgent:
        """An agent with that many equal tasks."""

        async def work(tx: Tx) -> SeededAgent:
            owner = await owner_of_new_agents(tx, None)
            made = await create_agent(tx, self._vault, AddressGuard(()), owner, "Bench")
            template = new_task(fields, made.agent, "UTC", "user", tx.now, tx.limits)
            triggers = [await inserted(tx, template) for _ in range(tasks)]
            return SeededAgent(made.agent, made.secret, tuple(t for t in triggers if t))

        return await self._store.write(work)

    async def agents(self, count: int, fields: TaskFields, tasks: int) -> list[SeededAgent]:
        """So many agents with so many equal tasks each."""
        return [await self.agent(fields, tasks) for _ in range(count)]


async def inserted(tx: Tx, template: Task) -> str | None:
    """Store a task like the template, and return its trigger."""
    trigger_id = new_trigger_id() if template.trigger_type == "event" else None
    task = replace(template, id=new_id("tsk", tx.now), trigger_id=trigger_id)
    await tx.tasks.insert(task)
    return trigger_id


@asynccontextmanager
async def seeding(
    data_dir: Path, environ: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Seeder]:
    """Open the database that a server with this data directory and environment will use."""
    settings = load({**os.environ, "NOD_DATA_DIR": str(data_dir), **environ}, {})
    store = Store(open_database(settings, exclusive=True), SystemClock(), settings.limits)
    await store.start()
    try:
        yield Seeder(store, Vault(load_secret_key(settings.secret_key, settings.data_dir)))
    finally:
        await store.close()
