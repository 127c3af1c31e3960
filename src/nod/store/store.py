"""The store as the engine sees it: transactions whose verbs are the domain's.

`await store.write(work)` runs the coroutine function `work` with a `Tx` in one transaction. The
same code runs on every database: SQLite's writer thread drives it without a pause, PostgreSQL
awaits it.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from nod.clock import Clock
from nod.domain.instant import Instant
from nod.domain.limits import Limits
from nod.store.calls import Calls
from nod.store.chat import Chat
from nod.store.effects import Effects
from nod.store.events import Events
from nod.store.nodes import Nodes
from nod.store.notify import Notify
from nod.store.people import People
from nod.store.port import Connection, Database
from nod.store.rules import Rules
from nod.store.runs import Runs
from nod.store.search import Search
from nod.store.sessions import Sessions
from nod.store.tasks import Tasks
from nod.store.usage import Usage

T = TypeVar("T")


class Tx:
    """One transaction: its time, the repositories, and the effects it will have."""

    __slots__ = (
        "calls",
        "chat",
        "effects",
        "events",
        "limits",
        "nodes",
        "notify",
        "now",
        "people",
        "rules",
        "runs",
        "search",
        "sessions",
        "tasks",
        "traced",
        "usage",
    )

    def __init__(
        self, connection: Connection, now: Instant, limits: Limits, *, traced: bool = False
    ) -> None:
        self.now = now
        self.limits = limits
        self.traced = traced  # whether runs are spans of OpenTelemetry
        self.effects = Effects()
        self.people = People(connection)
        self.tasks = Tasks(connection)
        self.runs = Runs(connection)
        self.events = Events(connection)
        self.calls = Calls(connection)
        self.chat = Chat(connection)
        self.nodes = Nodes(connection)
        self.notify = Notify(connection)
        self.rules = Rules(connection)
        self.search = Search(connection)
        self.sessions = Sessions(connection)
        self.usage = Usage(connection)


Work = Callable[[Tx], Coroutine[Any, Any, T]]


class Store:
    """Transactions on one database. `on_commit` gets the effects of each, in commit order."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        limits: Limits,
        on_commit: Callable[[Effects], None] = lambda _: None,
        *,
        traced: bool = False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits
        self._traced = traced
        self.on_commit = on_commit

    def _tx(self, connection: Connection) -> Tx:
        return Tx(connection, self._clock.now(), self._limits, traced=self._traced)

    async def start(self) -> None:
        """Open the database and bring its schema up to date."""
        await self._database.start()

    async def close(self) -> None:
        """Finish what is under way and close the database."""
        await self._database.close()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction: all of it is stored, or nothing."""

        async def unit(connection: Connection) -> tuple[T, Effects]:
            tx = self._tx(connection)
            return await work(tx), tx.effects

        # The effects follow from the commit, also when nobody waits for the result any more.
        result, _ = await self._database.write(unit, lambda done: self.on_commit(done[1]))
        return result

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one snapshot; it cannot change anything."""

        async def unit(connection: Connection) -> T:
            return await work(self._tx(connection))

        return await self._database.read(unit)
