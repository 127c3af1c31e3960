"""An empty PostgreSQL database as what is copied to: all in one transaction, or nothing."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.resources import files
from typing import Any

import asyncpg

from nod.domain.errors import Unavailable
from nod.domain.instant import Instant
from nod.store.migrate import load_migrations
from nod.store.port import Row
from nod.store.postgres_check import examine
from nod.store.postgres_errors import Interrupted
from nod.store.postgres_pool import connect, start_error
from nod.store.postgres_schema import migrate
from nod.store.sqlite_source import Table

_CLOSE_S = 5.0
# What is read at a time of what was copied.
_FETCH_BYTES = 16 * 1024 * 1024
_FETCH_ROWS = 1000
_NAMED = 3
# Reading the source may take longer than a unit of work of the server ever does.
_PATIENT = "SET LOCAL idle_in_transaction_session_timeout = 0"
# The words of all texts at once, for a third of what the triggers of each row would take.
_HOLD_SEARCH = """
ALTER TABLE messages DISABLE TRIGGER search_message;
ALTER TABLE run_outputs DISABLE TRIGGER search_output
"""
_FILL_SEARCH = """
INSERT INTO message_search (seq, words) SELECT seq, words FROM searchable;
ALTER TABLE messages ENABLE TRIGGER search_message;
ALTER TABLE run_outputs ENABLE TRIGGER search_output
"""
_CONTINUE = "SELECT setval(pg_get_serial_sequence($1, $2), $3)"
_COUNTING = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'
"""
_UNKNOWN = (
    "the connection to the database was lost while it stored the copy, which is there whole or not"
    " at all: copy once more, and you are told"
)
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_REFUSALS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,  # too long for an index
)
# "COPY messages, line 3, column text", in the language of the server.
_PLACE = re.compile(r"^COPY \w+, \D*(\d+)")


class RefusedRow(Exception):
    """The database does not take a row. `place`: which of those handed over, counted from 0."""

    def __init__(self, place: int | None, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason


class Target:
    """The transaction. Its verbs raise Unavailable where the database or the line to it fails."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def take(self, tables: Sequence[Table]) -> None:
        """Keep others from writing to these tables. Raises Unavailable unless they are empty."""
        with _errors():
            names = ", ".join(f'"{table.name}"' for table in tables)
            await self._connection.execute(_PATIENT)
            await self._connection.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
            await self._connection.execute(_HOLD_SEARCH)
            filled = [table.name for table in tables if await self._has_rows(table)]
        if filled:
            some = ", ".join(filled[:_NAMED]) + (" …" if len(filled) > _NAMED else "")
            raise Unavailable(
                f"the database to copy to has data already ({some}), and nothing was copied; name"
                " an empty one: createdb makes it, dropdb removes the former one"
            )

    async def add(self, table: Table, rows: Iterable[Row]) -> None:
        """Store rows. Raises RefusedRow for one that cannot be."""
        try:
            await self._connection.copy_records_to_table(
                table.name, records=rows, columns=table.columns
            )
        except (TypeError, ValueError, OverflowError) as error:  # no value of the column's type
            raise RefusedRow(None, str(error)) from error
        except _REFUSALS as error:
            place = _PLACE.match(getattr(error, "context", None) or "")
            detail = getattr(error, "detail", None)
            reason = f"{error.args[0]}; {detail}" if detail else str(error.args[0])
            raise RefusedRow(int(place[1]) - 1 if place else None, reason) from error
        except _FAILURES as error:
            raise _unavailable(error) from error

    async def rows(self, table: Table, largest: int) -> AsyncIterator[Row]:
        """All rows there are now, in any order; the largest has about so many bytes."""
        most = max(1, min(_FETCH_ROWS, _FETCH_BYTES // max(largest, 1)))
        columns = ", ".join(f'"{column}"' for column in table.columns)
        with _errors():
            query = f'SELECT {columns} FROM "{table.name}"'  # noqa: S608 - names of the schema
            async for row in self._connection.cursor(query, prefetch=most):
                yield tuple(row)

    async def go_on_counting(self, table: Table) -> None:
        """The next number is the one after the highest that the source has ever given."""
        with _errors():
            column = await self._connection.fetchval(_COUNTING, table.name)
            await self._connection.execute(_CONTINUE, table.name, column, table.counted)

    async def index(self) -> None:
        """Make what the search looks in, and let the database see what it has to plan for."""
        with _errors():
            await self._connection.execute(_FILL_SEARCH)
            await self._connection.execute("ANALYZE")

    async def _has_rows(self, table: Table) -> bool:
        found: bool = await self._connection.fetchval(
            f'SELECT EXISTS (SELECT 1 FROM "{table.name}")'  # noqa: S608 - names of the schema
        )
        return found


@asynccontextmanager
async def open_target(url: str, now: Instant) -> AsyncIterator[Target]:
    """A transaction on the database, whose schema is made if it has none.

    It is committed at the end, or rolled back with the error. Raises Unavailable when the database
    cannot be used, or is in use.
    """
    await _check(url)
    with _errors():
        connection = await connect(url)
    try:
        with _errors():
            await migrate(
                connection, load_migrations(files("nod.store") / "migrations", "postgres"), now
            )
            async with _transaction(connection):
                yield Target(connection)
    finally:
        await connection.close(timeout=_CLOSE_S)


@asynccontextmanager
async def _transaction(connection: Any) -> AsyncIterator[None]:
    whole = connection.transaction()
    await whole.start()
    try:
        yield
    except BaseException:
        with suppress(Exception):  # a server that has lost us rolls back by itself
            await whole.rollback()
        raise
    try:
        await whole.commit()
    except _FAILURES as error:
        raise Unavailable(f"{_UNKNOWN} ({error})") from error


async def _check(url: str) -> None:
    """Raises Unavailable unless the database is Nod's or has nothing in it, and nobody uses it."""
    try:
        state = await examine(url)
    except Unavailable as error:
        raise Unavailable(f"cannot use the database to copy to: {error.detail}") from error
    if state.read_only:
        raise Unavailable("the database to copy to is a replica or read-only; name the primary")
    if state.connections:
        raise Unavailable(
            f"a running Nod has {state.connections} connections to the database to copy to;"
            " stop it first, or name another database"
        )
    if state.schema == 0 and state.tables:
        raise Unavailable(
            f"the database to copy to has {state.tables} tables of another program;"
            " name an empty one, which createdb makes"
        )


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    """Why there is no copy, in the words of the database where they say more than ours."""
    known = start_error(error)
    reason = known.detail if isinstance(known, Interrupted) else str(error)
    return Unavailable(f"the copy has failed, and nothing of it is kept: {reason}")
