"""Several Nod in one process, on one database, that have begun to hear each other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nod.config import Role
from nod.store.store import Tx
from support.databases import prepared
from support.inprocess import InProcess, running
from support.nats import Kind, bus


@asynccontextmanager
async def two_nodes(
    folder: Path, kind: Kind, roles: tuple[Role, Role] = ("all", "all"), **limits: int
) -> AsyncIterator[tuple[InProcess, InProcess]]:
    """Two on one PostgreSQL, which tell each other by that kind of bus."""
    async with prepared(folder, "postgres"):
        with bus(folder, kind):
            first, second = (running(folder, None, role, **limits) for role in roles)
            async with first as one, second as other:
                await hear_each_other(one, other)
                yield one, other


async def hear_each_other(one: InProcess, other: InProcess) -> None:
    """Until each of them hears what the other tells."""
    for teller, listener in ((one, other), (other, one)):
        with listener.nod.changes.watch("hello") as heard:
            while not heard.is_set():
                await teller.nod.store.write(_greet)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await heard.wait()


async def _greet(tx: Tx) -> None:
    tx.effects.change("hello")
