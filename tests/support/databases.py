"""On which database a test runs. A folder stands for its data: the file `nod.db` in it, or the
PostgreSQL database whose address is written there."""

import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from nod.config import sqlite_url
from nod.store.migrate import load_migrations, migrate
from nod.store.sqlite_connection import open_writer
from support.postgres import connected, databases

Kind = Literal["sqlite", "postgres"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgres")
_ADDRESS = "postgres.url"


@asynccontextmanager
async def prepared(folder: Path, kind: Kind) -> AsyncIterator[Path]:
    """Let the folder stand for an empty database of this kind."""
    if kind == "sqlite":
        yield folder
        return
    async with databases().lent() as url:
        (folder / _ADDRESS).write_text(url)
        yield folder


def url_of(folder: Path) -> str:
    """The address of the folder's database, as the settings take it."""
    written = folder / _ADDRESS
    return written.read_text() if written.exists() else sqlite_url(folder / "nod.db")


def url_with_schema(folder: Path) -> str:
    """The same, of a database that has Nod's schema: a copy takes far less than to make it."""
    file = folder / "nod.db"
    if not file.exists() and not (folder / _ADDRESS).exists():
        folder.mkdir(0o700, parents=True, exist_ok=True)
        file.touch(0o600)
        file.write_bytes(_empty_file())
    return url_of(folder)


@lru_cache(maxsize=1)
def _empty_file() -> bytes:
    """A SQLite database with Nod's schema and no rows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nod.db"
        file.touch()
        with closing(open_writer(file, 1)) as writer:
            migrate(writer, load_migrations(files("nod.store") / "migrations"), 0)
        return file.read_bytes()


async def execute(folder: Path, *statements: str) -> None:
    """Run SQL on the folder's database beside whoever uses it, each in a transaction of its own."""
    url = url_of(folder)
    if url.startswith("postgresql:"):
        async with connected(url) as connection:
            for statement in statements:
                await connection.execute(statement)
        return
    with closing(sqlite3.connect(folder / "nod.db", isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement)


async def stored(folder: Path) -> str:
    """All there is in the folder's database, as text."""
    url = url_of(folder)
    if url.startswith("postgresql:"):
        async with connected(url) as connection:
            return "".join([str(await connection.fetch(sql)) for sql in await _selects(connection)])
    return _bytes_of(folder).decode("latin-1")


def _bytes_of(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.glob("nod.db*"))


async def _selects(connection: Any) -> list[str]:
    """A query for all rows of each table."""
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [f"SELECT * FROM {name}" for (name,) in found]  # noqa: S608 - our own tables


async def refuse(folder: Path, table: str, row_id: str | None = None, verb: str = "UPDATE") -> None:
    """Make the database refuse to change one row (or any), as only a mistake of ours would."""
    condition = "" if row_id is None else f" WHEN (old.id = '{row_id}')"
    trigger = f"CREATE TRIGGER refuse_{table} BEFORE {verb} ON {table}"
    if url_of(folder).startswith("postgresql:"):
        await execute(
            folder,
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'not this one'; END $$",
            f"{trigger} FOR EACH ROW{condition} EXECUTE FUNCTION refuse()",
        )
    else:
        await execute(
            folder, f"{trigger}{condition} BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )


async def accept(folder: Path, table: str) -> None:
    """Take `refuse` back."""
    is_postgres = url_of(folder).startswith("postgresql:")
    await execute(folder, f"DROP TRIGGER refuse_{table}" + (f" ON {table}" if is_postgres else ""))
