"""The schema's history: numbered SQL files, applied in order, each in a transaction of its own.

The files are `NNNN_words.sql`, from 0001 without a gap. What one database alone has stands beside
it in `NNNN_words.sqlite.sql` or `NNNN_words.postgres.sql` and is part of the same step. Which steps
a database has had is written in its table `schema_versions`. One that fails leaves the schema as it
was before it.

A file's first line says what the step is to a program that does not know it yet: with an
`-- additive` one it runs on as before, with a `-- breaking` one it must not. The database remembers
that as well, so an older program knows of a newer schema whether it may use it.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import NamedTuple

from nod.domain.errors import Unavailable
from nod.domain.instant import Instant
from nod.store.statements import Dialect

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_KINDS = {"-- additive": True, "-- breaking": False}
PROGRESS = """
SELECT coalesce(max(version), 0), coalesce(max(version) FILTER (WHERE NOT additive), 0)
FROM schema_versions
"""
"""How far a schema has come, as the fields of `Progress`."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    version: int
    name: str
    sql: str
    additive: bool = False


class Progress(NamedTuple):
    """How far a schema has come."""

    version: int  # the newest step
    breaking: int  # the newest step that must be known to whoever uses the database


def load_migrations(directory: Traversable, dialect: Dialect = "sqlite") -> tuple[Migration, ...]:
    """Read the numbered files of `directory`, and the dialect's own beside them.

    Raises ValueError for a gap, a double number, or a first line that does not say what it is.
    """
    files = {file.name: file for file in directory.iterdir()}

    def sql(match: re.Match[str]) -> str:
        own = files.get(f"{match[1]}_{match[2]}.{dialect}.sql")
        parts = (files[match[0]], own)
        return "\n".join(part.read_text(encoding="utf-8") for part in parts if part is not None)

    found = (
        Migration(int(match[1]), match[2], sql(match), _is_additive(files[match[0]]))
        for match in map(_FILE.fullmatch, files)
        if match
    )
    migrations = tuple(sorted(found, key=lambda migration: migration.version))
    versions = [migration.version for migration in migrations]
    if versions != list(range(1, len(versions) + 1)):
        raise ValueError(f"migrations must be numbered from 0001 without a gap, got {versions}")
    return migrations


def _is_additive(file: Traversable) -> bool:
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    if first not in _KINDS:
        raise ValueError(f"the first line of {file.name} must be one of {', '.join(_KINDS)}")
    return _KINDS[first]


def pending(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> Sequence[Migration]:
    """The migrations this database lacks; none where it is newer, and all that is new is additive.

    Raises Unavailable if this program does not know a breaking one.
    """
    return lacking(progress(connection), migrations)


def lacking(progress: Progress, migrations: Sequence[Migration]) -> Sequence[Migration]:
    """The same for a database that has come so far."""
    if progress.breaking > len(migrations):
        raise Unavailable(
            f"this database was made by a newer Nod (schema {progress.version}, this one knows"
            f" {len(migrations)}); install that version or newer"
        )
    return migrations[progress.version :]


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[Migration], now: Instant
) -> list[Migration]:
    """Apply what is lacking and return it. `connection` is in autocommit mode.

    Raises Unavailable as `pending` does, sqlite3.Error for a migration that fails.
    """
    # The way to rebuild a table needs this off, and it cannot be switched inside a transaction:
    # https://www.sqlite.org/lang_altertable.html#otheralter
    connection.execute("PRAGMA foreign_keys = OFF")
    applied = []
    try:
        while migration := _apply_next(connection, migrations, now):
            applied.append(migration)
    finally:
        connection.execute("PRAGMA foreign_keys = ON")
    return applied


def is_of(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> bool:
    """Whether the history of this schema begins with ours: it is no other program's."""
    if not _has_history(connection):
        return False
    first = "SELECT name FROM schema_versions WHERE version = 1"
    return bool(connection.execute(first).fetchone() == (migrations[0].name,))


def progress(connection: sqlite3.Connection) -> Progress:
    """How far this database has come; (0, 0) if it has no schema."""
    if not _has_history(connection):
        return Progress(0, 0)
    return Progress(*connection.execute(PROGRESS).fetchone())


def _has_history(connection: sqlite3.Connection) -> bool:
    known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'"
    return connection.execute(known).fetchone() is not None


def _apply_next(
    connection: sqlite3.Connection, migrations: Sequence[Migration], now: Instant
) -> Migration | None:
    """Apply one migration under the write lock, where no other process can be applying it too."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        lacking = pending(connection, migrations)
        if lacking:
            _apply(connection, lacking[0], now)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return lacking[0] if lacking else None


def _apply(connection: sqlite3.Connection, migration: Migration, now: Instant) -> None:
    for statement in split_statements(migration.sql):
        connection.execute(statement)
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise sqlite3.IntegrityError(
            f"migration {migration.version:04} leaves rows of {broken[0]} without their {broken[2]}"
        )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_versions"
        " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL,"
        " additive INTEGER NOT NULL) STRICT"
    )
    connection.execute(
        "INSERT INTO schema_versions (version, name, applied_at, additive) VALUES (?, ?, ?, ?)",
        (migration.version, migration.name, now, migration.additive),
    )


def split_statements(sql: str) -> Iterator[str]:
    """The statements of `sql` one by one; semicolons in texts, comments and triggers do not split.

    sqlite3's own `executescript` is no help: it commits the transaction first.
    """
    statement = ""
    for piece in sql.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    # A comment behind the last semicolon, or what the database then calls unfinished.
    if statement:
        yield statement
