"""One SQLite connection: how it is opened, what it runs, and what its errors mean."""

import sqlite3
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from nod.domain.errors import Unavailable
from nod.store.port import ConstraintError, Row, UniqueViolation
from nod.store.statements import Statement, Statements

_STATEMENT_CACHE = 512
_WRITER_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 16 * 1024
# The write-ahead log is cut down to this after a long reader has kept it growing.
_LOG_LIMIT_BYTES = 64 * 1024 * 1024

# What is wrong and what to do about it, by SQLite's primary result code.
_CAUSES = {
    sqlite3.SQLITE_FULL: (
        "the disk is full: nothing was stored; free some space, Nod goes on by itself"
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk reports an error: nothing was stored; look into the system's log"
    ),
    sqlite3.SQLITE_BUSY: (
        "another program keeps the database locked: nothing was stored; end it or try again"
    ),
    sqlite3.SQLITE_LOCKED: ("the database is locked: nothing was stored; try again"),
    sqlite3.SQLITE_READONLY: (
        "the database cannot be written: nothing was stored; check the permissions of the file,"
        " its directory and its file system"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database cannot be opened: nothing was stored; check the permissions of the file and"
        " its directory"
    ),
    sqlite3.SQLITE_CORRUPT: (
        "the database file is damaged: nothing was stored; stop Nod and restore a backup"
    ),
    sqlite3.SQLITE_NOTADB: (
        "the file is not a database, or is encrypted or damaged: nothing was stored; name another"
        " file or restore a backup"
    ),
}
_KEY_TAKEN = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)

# A column declared BOOLEAN gives a bool, as it does with PostgreSQL.
sqlite3.register_converter("BOOLEAN", b"1".__eq__)


def translate(error: Exception) -> Exception:
    """SQLite's error as the callers know it; an error of the program itself comes back as it is."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return error
    if code in _KEY_TAKEN:
        return UniqueViolation(str(error))
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintError(str(error))
    cause = _CAUSES.get(code & 0xFF)  # the low byte is the primary code, the rest refines it
    return error if cause is None else Unavailable(cause)


def open_writer(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the file for writing, in autocommit mode. Raises sqlite3.Error."""
    connection = _connect(f"{path.absolute().as_uri()}?mode=rw", busy_timeout_s, _WRITER_CACHE_KIB)
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        connection.close()
        raise Unavailable(
            f"{path} is on a file system where SQLite cannot keep a write-ahead log"
            f" (journal mode {mode}); put the database on a local disk"
        )
    # FULL: a commit is on the disk when it returns, not only safe from a crash of the process.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
    return connection


def open_reader(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Open the file for reading only. Raises sqlite3.Error."""
    return _connect(f"{path.absolute().as_uri()}?mode=ro", busy_timeout_s, _READER_CACHE_KIB)


def _connect(uri: str, busy_timeout_s: float, cache_kib: int) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        detect_types=sqlite3.PARSE_DECLTYPES,
        cached_statements=_STATEMENT_CACHE,
        check_same_thread=False,  # opened and closed by one thread, used by another in between
    )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    return connection


class SqliteConnection:
    """What a unit of work speaks to (`port.Connection`). Its verbs never suspend."""

    def __init__(self, connection: sqlite3.Connection, statements: Statements) -> None:
        self.raw = connection
        self.failure: Exception | None = None
        """The first error of a statement in this unit; after it every verb raises it again."""
        self._statements = statements

    async def all(self, statement: str, /, **params: Any) -> list[Row]:
        try:
            return self._execute(statement, params).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    async def one(self, statement: str, /, **params: Any) -> Row | None:
        try:
            row: Row | None = self._execute(statement, params).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return row

    async def run(self, statement: str, /, **params: Any) -> int:
        try:
            return self._execute(statement, params).rowcount
        except sqlite3.Error as error:
            raise self._failed(error) from error

    async def many(
        self, statement: str, rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]], /
    ) -> None:
        found = self._find(statement)
        try:
            self.raw.executemany(found.text, _in_places(rows, found))
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _execute(self, name: str, params: Mapping[str, Any]) -> sqlite3.Cursor:
        statement = self._find(name)
        return self.raw.execute(statement.text, _values(statement, params))

    def _find(self, name: str) -> Statement:
        if self.failure is not None:
            raise self.failure
        return self._statements[name]

    def _failed(self, error: sqlite3.Error) -> Exception:
        self.failure = translate(error)
        return self.failure


def _values(statement: Statement, params: Mapping[str, Any]) -> list[Any]:
    found = statement.values(params)
    return [found[place] for place in statement.places]


def _in_places(
    rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]], statement: Statement
) -> Any:
    """The rows with a value for each marker of the statement."""
    if rows and isinstance(rows[0], Mapping):
        return (_values(statement, row) for row in rows)  # type: ignore[arg-type]
    if len(statement.places) == len(statement.parameters):
        return rows
    return (itemgetter(*statement.places)(row) for row in rows)
