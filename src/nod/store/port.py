"""What the rest of Nod says to a database, the same for SQLite and PostgreSQL.

A unit of work is a coroutine function that gets a connection:

    async def finish(connection: Connection) -> bool:
        return await connection.run("finish_run", run_id=run_id, now=now) == 1

    finished = await database.write(finish)

It is one transaction: all of it is stored, or nothing of it and the caller gets the error. It may
await nothing but its connection, because SQLite runs it in a thread without an event loop. It runs
before it is known whether it will be stored: several units may be one commit, and a unit whose
transaction is lost (PostgreSQL ends one of two that wait for each other) runs once more from the
beginning. What may happen only after the commit goes behind `write`, or into `committed`.

An error of a statement ends its unit, also when the unit swallows it: PostgreSQL can do nothing
more in such a transaction. Where two writers may race, use `ON CONFLICT DO NOTHING` and count rows.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

T = TypeVar("T")
Row: TypeAlias = tuple[Any, ...]


class Connection(Protocol):
    """One transaction. Statements are given by their names in the SQL files, values by theirs."""

    async def all(self, statement: str, /, **params: Any) -> list[Row]:
        """All rows, each a tuple in the order of the statement's columns."""
        ...

    async def one(self, statement: str, /, **params: Any) -> Row | None:
        """The first row, or None."""
        ...

    async def run(self, statement: str, /, **params: Any) -> int:
        """The number of rows changed."""
        ...

    async def many(
        self, statement: str, rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]], /
    ) -> None:
        """Run the statement once for each row of values.

        A row is a tuple in the order in which the names first stand in the SQL (the fast way), or
        a mapping from those names.
        """
        ...


Work: TypeAlias = Callable[[Connection], Coroutine[Any, Any, T]]


class Database(Protocol):
    """Where everything is kept. Every method belongs to the event loop that called `start`."""

    async def start(self) -> None:
        """Open it and bring its schema up to date. Raises Unavailable with the reason."""
        ...

    async def close(self) -> None:
        """Finish the units that were handed in, then close. Later ones get Unavailable."""
        ...

    async def write(self, work: Work[T], committed: Callable[[T], None] | None = None) -> T:
        """Run `work` in one transaction; return its result once that is durable.

        Results arrive in an order that fits the commits: none before one that it rests on.
        `committed` is called with the result at that moment, in the loop's thread, also when the
        task awaiting this was cancelled meanwhile.
        Raises what `work` raises, UniqueViolation or ConstraintError from its statements, or
        Unavailable when the database cannot store now; in each case nothing was stored.
        """
        ...

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which changes nothing, on one snapshot, beside the writers."""
        ...


class ConstraintError(Exception):
    """A row breaks a rule of the schema; `str()` of it is the database's own sentence."""


class UniqueViolation(ConstraintError):
    """There is already a row with this key."""


class SuspendedUnitError(RuntimeError):
    """A unit of work awaited something other than its connection: a mistake in the unit."""
