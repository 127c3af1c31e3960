"""All that is in a SQLite database is in its copy on PostgreSQL, or there is no copy."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from nod.domain.errors import Unavailable
from nod.store import database_copy
from nod.store.database_copy import Compared, DifferentCopy, copy_database
from nod.store.migrate import load_migrations, migrate
from nod.store.postgres_schema import migrate as migrate_postgres
from nod.store.sqlite_connection import open_writer
from nod.store.sqlite_source import open_snapshot
from support.every_table import ROWS, fill_every_table
from support.inprocess import until
from support.postgres import connected, databases
from support.server import free_port

_OURS = {"schema_versions", "message_search"}  # made by the migrations, and from the others
WAITING = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Nod's database with rows in every table."""
    path = tmp_path / "nod.db"
    path.touch()
    with closing(open_writer(path, 5)) as writer:
        migrate(writer, load_migrations(files("nod.store") / "migrations"), 0)
    fill_every_table(path)
    return path


@pytest.fixture
async def target() -> AsyncIterator[str]:
    """A database with nothing in it."""
    async with databases().bare() as url:
        yield url


@contextmanager
def unseen(_label: str, _steps: int) -> Iterator[Callable[[int], None]]:
    """Nobody looks at the progress."""
    yield lambda _: None


async def copy(source: Path, target: str) -> list[Compared]:
    return await copy_database(source, target, 0, unseen)


def change(source: Path, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(source)) as file, file:
        file.execute(sql, values)


def spoil(source: Path) -> None:
    size = source.stat().st_size
    with source.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xff" * (size // 2))


async def rows_left(target: str) -> dict[str, int]:
    """How many rows there are in each table that has some."""
    async with connected(target) as connection:
        names = await table_names(connection) - {"schema_versions"}
        counts = {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in names}  # noqa: S608
    return {name: count for name, count in counts.items() if count}


async def table_names(connection: Any) -> set[str]:
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {name for (name,) in found}


async def make_schema(target: str) -> None:
    async with connected(target) as connection:
        here = files("nod.store") / "migrations"
        await migrate_postgres(connection, load_migrations(here, "postgres"), 0)


async def on_insert(
    target: str, table: str, body: str, kind: str = "TRIGGER {} BEFORE INSERT ON {}"
) -> None:
    """Let the target do something else with a row than store it."""
    async with connected(target) as connection:
        await connection.execute(
            f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"
        )
        await connection.execute(
            f"CREATE {kind.format('meddle', table)} FOR EACH ROW EXECUTE FUNCTION meddle()"
        )


async def test_no_table_of_the_schema_and_none_of_its_columns_is_left_out(
    source: Path, target: str
) -> None:
    compared = await copy(source, target)
    with open_snapshot(source) as snapshot:
        tables = {table.name: table for table in snapshot.tables}
    async with connected(target) as connection:
        assert await table_names(connection) - set(tables) == _OURS
        for name, table in tables.items():
            found = await connection.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = $1", name
            )
            assert {column for (column,) in found} == set(table.columns)
    assert {each.table for each in compared} == set(tables)
    assert {each.rows for each in compared} == {ROWS}


async def test_every_value_arrives_as_it_was(source: Path, target: str) -> None:
    compared = await copy(source, target)
    assert all(each.is_same for each in compared)
    with open_snapshot(source) as snapshot:
        async with connected(target) as connection:
            for table in snapshot.tables:
                columns = ", ".join(table.columns)
                found = await connection.fetch(f"SELECT {columns} FROM {table.name}")  # noqa: S608
                assert sorted(repr(tuple(row)) for row in found) == sorted(
                    map(repr, snapshot.rows(table))
                )


async def test_numbers_go_on_after_the_highest_that_was_ever_given(
    source: Path, target: str
) -> None:
    change(
        source,
        "INSERT INTO activity SELECT 5000, 'gone', agent_id, kind, title, text, NULL,"
        " NULL, 0, NULL FROM activity LIMIT 1",
    )
    change(source, "DELETE FROM activity WHERE seq = 5000")
    await copy(source, target)
    async with connected(target) as connection:
        given = await connection.fetchval(
            "INSERT INTO activity (id, agent_id, kind, title, text, created_at)"
            " VALUES ('new', 'a', 'k', 't', 't', 0) RETURNING seq"
        )
    assert given == 5001


async def test_what_the_search_looks_in_is_made_anew_and_kept_from_then_on(
    source: Path, target: str
) -> None:
    change(source, "UPDATE messages SET kind = 'task', run_id = 'runs id 2' WHERE seq = 2")
    await copy(source, target)
    async with connected(target) as connection:
        await connection.execute("UPDATE messages SET text = 'quite new' WHERE seq = 1")
        await connection.execute(
            "UPDATE run_outputs SET text = 'brought' WHERE run_id = 'runs id 2'"
        )
        assert await connection.fetchval(
            "SELECT array_agg(seq ORDER BY seq) FROM message_search"
            " WHERE words @@ 'quite' OR words @@ 'brought'"
        ) == [1, 2]
        assert await connection.fetchval("SELECT count(*) FROM message_search") == ROWS
        differing = await connection.fetchval(
            "SELECT count(*) FROM message_search s FULL JOIN searchable e USING (seq)"
            " WHERE s.words IS DISTINCT FROM e.words"
        )
    assert differing == 0


async def test_what_is_written_meanwhile_is_not_in_the_copy(source: Path, target: str) -> None:
    @contextmanager
    def meanwhile(label: str, _: int) -> Iterator[Callable[[int], None]]:
        change(source, "INSERT INTO setup_links VALUES (?, 0, 0)", label)
        yield lambda _: None

    compared = await copy_database(source, target, 0, meanwhile)
    assert {each.copied_rows for each in compared} == {ROWS}


async def test_more_rows_than_one_batch_are_copied_and_told(
    source: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_copy, "_BATCH_ROWS", 3)
    told: dict[str, list[int]] = {}

    @contextmanager
    def listening(label: str, steps: int) -> Iterator[Callable[[int], None]]:
        yield told.setdefault(label, [steps]).append

    compared = await copy_database(source, target, 0, listening)
    assert all(each.is_same for each in compared)
    assert told.pop("Indexing") == [1, 1]
    assert next(iter(told)) == f"Copying users ({ROWS} rows)"
    assert len(told) == 2 * len(compared)
    assert set(map(tuple, told.values())) == {(ROWS, 3, 3, 2)}


async def test_a_target_with_a_single_row_in_it_is_refused(source: Path, target: str) -> None:
    await copy(source, target)
    async with connected(target) as connection:
        for name in await rows_left(target):
            if name != "users":
                await connection.execute(f"TRUNCATE {name} CASCADE")
        await connection.execute("DELETE FROM users WHERE id <> 'users id 3'")
    assert await rows_left(target) == {"users": 1}
    with pytest.raises(Unavailable, match=r"has data already \(users\), and nothing was copied"):
        await copy(source, target)
    assert await rows_left(target) == {"users": 1}


async def test_a_target_of_another_program_is_left_as_it_is(source: Path, target: str) -> None:
    async with connected(target) as connection:
        await connection.execute("CREATE TABLE songs (id int)")
        with pytest.raises(Unavailable, match="has 1 tables of another program"):
            await copy(source, target)
        assert await table_names(connection) == {"songs"}


async def test_a_target_of_a_newer_nod_is_refused(source: Path, target: str) -> None:
    await copy(source, target)
    async with connected(target) as connection:
        await connection.execute("INSERT INTO schema_versions VALUES (99, 'later', 0, FALSE)")
    with pytest.raises(Unavailable, match="made by a newer Nod"):
        await copy(source, target)


async def test_a_target_that_a_server_uses_or_that_only_reads_is_refused(
    source: Path, target: str
) -> None:
    mark = "&" if "?" in target else "?"
    async with connected(f"{target}{mark}application_name=nod"):
        with pytest.raises(Unavailable, match="a running Nod has 1 connections to the database"):
            await copy(source, target)
    with pytest.raises(Unavailable, match="is a replica or read-only"):
        await copy(source, f"{target}{mark}default_transaction_read_only=on")
    assert await rows_left(target) == {}


@pytest.mark.parametrize(
    "address", ["127.0.0.1:{port}/nod", "127.0.0.1:port/nod", "no.invalid/nod"]
)
async def test_a_target_that_cannot_be_reached_is_told_without_its_password(
    source: Path, address: str
) -> None:
    url = f"postgresql://nod:sesame@{address.format(port=free_port())}"
    with pytest.raises(Unavailable, match="cannot use the database to copy to: ") as raised:
        await copy(source, url)
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize(
    ("change_row", "tables"),
    [("new.text := 'other'; RETURN new", "messages"), ("RETURN NULL", "messages")],
)
async def test_a_copy_that_is_not_the_same_is_not_kept(
    source: Path, target: str, change_row: str, tables: str
) -> None:
    await make_schema(target)
    await on_insert(
        target, tables, f"IF new.id = 'messages id 3' THEN {change_row}; END IF; RETURN new"
    )
    if "NULL" in change_row:  # what refers to it would refuse first
        change(source, "UPDATE images SET message_id = 'messages id 1'")
    with pytest.raises(DifferentCopy) as raised:
        await copy(source, target)
    assert [each.table for each in raised.value.compared if not each.is_same] == [tables]
    assert await rows_left(target) == {}


async def test_a_text_with_a_nul_is_named_with_its_row_and_column(
    source: Path, target: str
) -> None:
    change(source, "UPDATE deliveries SET answer = 'a' || char(0) WHERE id = 'deliveries id 5'")
    with pytest.raises(Unavailable) as raised:
        await copy(source, target)
    assert str(raised.value).startswith(
        "a row of deliveries (id deliveries id 5) cannot be copied: answer holds a NUL character"
    )
    assert await rows_left(target) == {}


async def test_a_value_of_another_type_is_named_with_its_row(source: Path, target: str) -> None:
    change(source, "UPDATE runs SET attempt = 'often' WHERE id = 'runs id 2'")
    with pytest.raises(Unavailable, match=r"a row of runs \(id runs id 2\) cannot .*'str'"):
        await copy(source, target)
    assert await rows_left(target) == {}


async def test_a_row_whose_other_is_missing_is_named(source: Path, target: str) -> None:
    change(source, "UPDATE tasks SET agent_id = 'agt_gone' WHERE id = 'tasks id 2'")
    with pytest.raises(Unavailable, match=r"a row of tasks .* Key \(agent_id\)=\(agt_gone\)"):
        await copy(source, target)
    assert await rows_left(target) == {}


async def test_a_text_that_is_too_long_for_an_index_is_named(source: Path, target: str) -> None:
    long = "".join(map(chr, range(0x4E00, 0x4E00 + 8000)))
    change(source, "UPDATE allow_rules SET pattern = ? WHERE id = 'allow_rules id 4'", long)
    with pytest.raises(Unavailable, match=r"a row of allow_rules \(id allow_rules id 4\) .* index"):
        await copy(source, target)
    assert await rows_left(target) == {}


async def test_a_connection_that_is_lost_leaves_nothing(source: Path, target: str) -> None:
    await make_schema(target)
    await on_insert(target, "events", "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN new")
    with pytest.raises(Unavailable, match="the copy has failed, and nothing of it is kept: "):
        await copy(source, target)
    assert await rows_left(target) == {}


async def test_of_a_connection_that_is_lost_at_the_very_end_nothing_is_promised(
    source: Path, target: str
) -> None:
    await make_schema(target)
    await on_insert(
        target,
        "events",
        "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL",
        "CONSTRAINT TRIGGER {} AFTER INSERT ON {} DEFERRABLE INITIALLY DEFERRED",
    )
    with pytest.raises(Unavailable, match="is there whole or not at all: copy once more"):
        await copy(source, target)
    assert await rows_left(target) == {}


async def test_a_copy_that_is_given_up_leaves_nothing(source: Path, target: str) -> None:
    await make_schema(target)
    await on_insert(target, "events", "PERFORM pg_advisory_xact_lock(7); RETURN new")
    async with connected(target) as connection:
        await connection.execute("SELECT pg_advisory_lock(7)")
        copying = asyncio.create_task(copy(source, target))
        await until(lambda: connection.fetchval(WAITING))
        copying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await copying
        await connection.execute("SELECT pg_advisory_unlock(7)")
    assert await rows_left(target) == {}


async def test_a_source_of_another_schema_is_refused(source: Path, target: str) -> None:
    newest = len(load_migrations(files("nod.store") / "migrations"))
    change(source, "DELETE FROM schema_versions WHERE version = ?", newest)
    with pytest.raises(Unavailable, match="lacks 1 steps of the schema; start `nod serve` on it"):
        await copy(source, target)
    change(source, "INSERT INTO schema_versions VALUES (?, 'app', 0, FALSE)", newest)
    for additive in (True, False):
        later = "INSERT OR REPLACE INTO schema_versions VALUES (?, 'later', 0, ?)"
        change(source, later, newest + 1, additive)
        with pytest.raises(Unavailable, match="made by a newer Nod"):
            await copy(source, target)
    async with connected(target) as connection:
        assert await table_names(connection) == set()


async def test_what_is_no_database_of_nod_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "diary").write_text("Dear diary, " * 1000)
    with pytest.raises(Unavailable, match=r"cannot read .*diary: it is not a database of Nod"):
        await copy(tmp_path / "diary", target)
    with closing(sqlite3.connect(tmp_path / "songs")) as other:
        other.execute("CREATE TABLE songs (id)")
    with pytest.raises(Unavailable, match="songs is not a database of Nod"):
        await copy(tmp_path / "songs", target)


async def test_a_source_that_is_damaged_is_told_and_nothing_is_kept(
    source: Path, target: str
) -> None:
    spoil(source)
    with pytest.raises(Unavailable, match="it is damaged"):
        await copy(source, target)
    assert await rows_left(target) == {}
