"""PostgreSQL: a transaction on a connection of its own for each unit, many at the same time.

A unit that writes runs at READ COMMITTED and keeps what it reads in order to change it (see
`sql/postgres.sql`); one that reads sees one snapshot. A unit is run once more, from the beginning,
when its transaction was lost before its COMMIT went out: two stood in each other's way, the
connection broke, the server was restarted or has become a replica. How a COMMIT ended whose answer
was lost nobody can know; that one is not run again.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from nod.clock import Clock, SystemClock
from nod.domain.errors import Unavailable
from nod.store.commit_order import CommitOrder
from nod.store.migrate import Migration
from nod.store.port import T, Work
from nod.store.postgres_bus import CHANNEL
from nod.store.postgres_connection import PostgresConnection, writing
from nod.store.postgres_errors import Away, Clash, Interrupted, ReadOnly, translate
from nod.store.postgres_pool import Pool
from nod.store.statements import Statements

_log = structlog.get_logger("nod.store")

_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_TELL_NODES = f"NOTIFY {CHANNEL}"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Deadlocks end by themselves: the order of locks makes them rare, and one of two goes on.
_CLASHES = 10
_CLASH_PAUSE_S = 0.01
# A server that is restarted is back in a moment; whoever waits longer is better told.
_PATIENCE_S = 3.0
_AWAY_PAUSE_S = 0.1
_UNKNOWN = (
    "the connection to the database was lost while it stored this, so it may be stored or not:"
    " look before you send it again"
)


class PostgresDatabase:
    """A `port.Database` on a server that several nodes may share."""

    def __init__(
        self,
        url: str,
        statements: Statements,
        migrations: Sequence[Migration],
        *,
        connections: int = 10,
        patience_s: float = _PATIENCE_S,
        beside: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """`connections` is the most there are to the server at any time.

        `beside` is for commands that run for a moment: the nodes are told that they have changed
        something, for there is no bus to say what.
        """
        self._reading = statements
        self._writing = writing(statements)
        self._patience_s = patience_s
        self._beside = beside
        self._clock = clock or SystemClock()
        self._pool = Pool(url, connections, migrations, self._clock)
        self._order = CommitOrder()
        self._units: set[asyncio.Task[Any]] = set()
        self._open = False
        self._away = False

    async def start(self) -> None:
        """Connect and bring the schema up to date. Raises Unavailable with the reason."""
        try:
            await self._pool.start()
        except Interrupted as error:
            raise Unavailable(f"cannot use the database: {error.detail}") from error
        self._open = True

    async def close(self) -> None:
        """Finish the units that were handed in, then close."""
        if not self._open:
            return
        self._open = False
        while self._units:
            await asyncio.wait(self._units)
        await self._pool.close()

    async def write(self, work: Work[T], committed: Callable[[T], None] | None = None) -> T:
        """See `port.Database.write`."""
        return await self._hand_over(lambda: self._write(work, committed))

    async def read(self, work: Work[T]) -> T:
        """See `port.Database.read`."""
        return await self._hand_over(lambda: self._read(work))

    async def _hand_over(self, once: Callable[[], Awaitable[T]]) -> T:
        """Run a unit to its end, also when whoever waits for it is cancelled."""
        if not self._open:
            raise Unavailable("Nod is shutting down or not started yet: try again in a moment")
        unit = asyncio.create_task(self._until_it_is_done(once))
        self._units.add(unit)
        unit.add_done_callback(self._is_done)
        return await asyncio.shield(unit)

    def _is_done(self, unit: "asyncio.Task[Any]") -> None:
        self._units.discard(unit)
        if not unit.cancelled():
            unit.exception()  # has been looked at, also when nobody waits any more

    async def _until_it_is_done(self, once: Callable[[], Awaitable[T]]) -> T:
        end = self._clock.monotonic() + self._patience_s
        clashes = aways = 0
        while True:
            try:
                result = await once()
            except Clash as error:
                clashes += 1
                if clashes == _CLASHES:
                    raise Unavailable(f"{error.detail}: nothing was stored; try again") from error
                pause_s = _CLASH_PAUSE_S * clashes
            except Away as error:
                aways += 1
                await self._is_away(error.detail, at_first=aways == 1)
                if self._clock.monotonic() >= end:
                    raise Unavailable(
                        f"{error.detail}: nothing was stored; Nod goes on by itself"
                    ) from error
                pause_s = _AWAY_PAUSE_S
            else:
                self._is_there()
                return result
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load

    async def _write(self, work: Work[T], committed: Callable[[T], None] | None) -> T:
        async with self._pool.connection() as raw:
            result = await self._run(raw, _WRITE, self._writing, work)
            if self._beside:
                await _tell_nodes(raw)
            async with self._order.place():
                await _commit(raw)
        if committed is not None:
            asyncio.get_running_loop().call_soon(committed, result)
        return result

    async def _read(self, work: Work[T]) -> T:
        async with self._pool.connection() as raw:
            try:
                result = await self._run(raw, _READ, self._reading, work)
            except ReadOnly as error:
                raise Unavailable("the database cannot be written by what only reads") from error
            await _rollback(raw)
        return result

    async def _run(self, raw: Any, begin: str, statements: Statements, work: Work[T]) -> T:
        """Run the unit in a transaction that is left open, or rolled back with its error."""
        connection = PostgresConnection(raw, statements)
        async with _errors():
            await raw.execute(begin)
        try:
            result = await work(connection)
            # An error the unit has swallowed: what it did is not whole, its result not true.
            if connection.failure is not None:
                raise connection.failure
        except BaseException:
            await _rollback(raw)
            raise
        return result

    async def _is_away(self, reason: str, *, at_first: bool) -> None:
        """A connection has failed. The first one of a unit may be the last one of a server that is
        back already; nothing is said of that."""
        await self._pool.expire()
        if not self._away and not at_first:
            self._away = True
            _log.warning("the database is away; Nod waits for it", reason=reason)

    def _is_there(self) -> None:
        if self._away:
            self._away = False
            _log.info("the database is back")


@asynccontextmanager
async def _errors() -> AsyncIterator[None]:
    """Asyncpg's errors as callers know them."""
    try:
        yield
    except Exception as error:
        known = translate(error)
        if known is error:
            raise
        raise known from error


async def _tell_nodes(raw: Any) -> None:
    try:
        async with _errors():
            await raw.execute(_TELL_NODES)
    except BaseException:
        await _rollback(raw)
        raise


async def _commit(raw: Any) -> None:
    try:
        done = await raw.execute("COMMIT")
    except Exception as error:
        known = translate(error)
        if isinstance(known, Away) or isinstance(error, TimeoutError):
            _give_up(raw)
            raise Unavailable(_UNKNOWN) from error
        if known is error:
            raise
        raise known from error
    if done != "COMMIT":
        raise RuntimeError(f"the transaction ended with {done}")


async def _rollback(raw: Any) -> None:
    """End the transaction. A connection that cannot is not used again."""
    try:
        await raw.execute("ROLLBACK")
    except Exception:  # noqa: BLE001 - whatever it is, the server rolls back what it loses
        _give_up(raw)


def _give_up(raw: Any) -> None:
    """Use the connection no more. One that was lost, the pool may have taken back already."""
    with contextlib.suppress(Exception):
        raw.terminate()
