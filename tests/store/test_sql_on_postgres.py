"""The same statements on PostgreSQL: every one is valid, and the schema is the same."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from importlib.resources import files
from pathlib import Path
from typing import Any

from nod.store.migrate import load_migrations
from nod.store.migrate import migrate as migrate_sqlite
from nod.store.postgres_schema import migrate
from nod.store.rows import fragments
from nod.store.statements import load_statements
from support.postgres import connected, databases

_STORE = files("nod.store")
_PORTABLE = load_statements(_STORE / "sql", "sqlite", fragments())
_STATEMENTS = load_statements(_STORE / "sql", "postgres", fragments())
_OF_SQLITE = {"data_version"}  # nodes on PostgreSQL tell each other


@asynccontextmanager
async def schema() -> AsyncIterator[Any]:
    """A connection to a database with the schema."""
    async with databases().bare() as url, connected(url) as connection:
        await migrate(connection, load_migrations(_STORE / "migrations", "postgres"), 0)
        yield connection


def test_a_statement_of_one_dialect_takes_the_same_values_as_the_others() -> None:
    for name, statement in _STATEMENTS.items():
        plain = _PORTABLE[name.removesuffix("!")]
        assert set(statement.parameters) == set(plain.parameters), name
        if "unnest(" in statement.text:  # takes its rows by place
            assert statement.parameters == plain.parameters, name


def test_what_one_dialect_has_the_other_has_too() -> None:
    assert {name.removesuffix("!") for name in _STATEMENTS} == set(_PORTABLE) - _OF_SQLITE


def test_no_row_is_written_on_the_word_of_a_join_that_is_not_looked_at_again() -> None:
    for name, statement in _STATEMENTS.items():
        writes = re.search(r"^(UPDATE|DELETE)", statement.text, re.MULTILINE)
        assert not (writes and "NOT EXISTS" in statement.text), name


async def test_every_statement_is_valid_on_the_schema() -> None:
    async with schema() as connection:
        for name, statement in _STATEMENTS.items():
            try:
                await connection.prepare(statement.text)
            except Exception as error:
                raise AssertionError(f"{name}: {error}") from error


async def test_the_schema_is_the_one_that_sqlite_has(tmp_path: Path) -> None:
    async with schema() as connection:
        ours = {
            (row["table_name"], row["column_name"]): (
                row["ordinal_position"],
                row["is_nullable"] == "YES",
            )
            for row in await connection.fetch(
                "SELECT c.* FROM information_schema.columns c JOIN information_schema.tables t"
                " USING (table_schema, table_name)"
                " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
                " AND table_name <> 'message_search'"
            )
        }
        found = await connection.fetch(
            "SELECT indexname FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename <> 'message_search'"
        )
        indexes = {name for (name,) in found if not re.search(r"_(pkey|key)$", name)}
    with closing(sqlite3.connect(tmp_path / "nod.db", isolation_level=None)) as raw:
        migrate_sqlite(raw, load_migrations(_STORE / "migrations"), 0)
        assert ours == dict(_columns(raw))
        made = raw.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql <> ''")
        assert indexes == {name for (name,) in made}


def _columns(raw: sqlite3.Connection) -> Iterator[tuple[tuple[str, str], tuple[int, bool]]]:
    tables = raw.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '%_search%'"
    ).fetchall()
    for (table,) in tables:
        for place, name, _, needed, _, key in raw.execute(f"PRAGMA table_info({table})"):
            yield (table, name), (place + 1, not (needed or key))


async def test_texts_are_compared_byte_by_byte_whatever_the_servers_locale() -> None:
    async with schema() as connection:
        others = await connection.fetch(
            "SELECT attrelid::regclass, attname FROM pg_attribute a"
            " JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'"
            " JOIN pg_collation l ON l.oid = a.attcollation"
            " WHERE c.relnamespace = 'public'::regnamespace AND l.collname <> 'C'"
            " AND c.relname <> 'schema_versions'"
        )
    assert [tuple(row) for row in others] == []
