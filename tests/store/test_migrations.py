"""The schema's history on real files."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from nod.domain.errors import Unavailable
from nod.store.migrate import (
    Migration,
    load_migrations,
    migrate,
    pending,
    progress,
    split_statements,
)

FIRST = Migration(1, "first", "CREATE TABLE notes (id TEXT PRIMARY KEY); -- the first\n")
SECOND = Migration(2, "second", "ALTER TABLE notes ADD COLUMN text TEXT;")
THIRD = Migration(3, "third", "CREATE TABLE tags (id TEXT);", additive=True)
NOW = 1_700_000_000_000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(tmp_path / "nod.db", isolation_level=None)) as opened:
        yield opened


def tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def test_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0002_more_words.sql", "0001_first.sql", "README.md", "0001_first.sql.orig"):
        kind = "additive" if name == "0002_more_words.sql" else "breaking"
        (tmp_path / name).write_text(f"-- {kind}\nSELECT '{name}'")
    assert load_migrations(tmp_path) == (
        Migration(1, "first", "-- breaking\nSELECT '0001_first.sql'", additive=False),
        Migration(2, "more_words", "-- additive\nSELECT '0002_more_words.sql'", additive=True),
    )


@pytest.mark.parametrize("text", ["", "SELECT 1;", "-- Additive\n", "\n-- additive\n"])
def test_a_file_that_does_not_begin_with_what_it_is_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "0001_first.sql").write_text(text)
    with pytest.raises(ValueError, match=r"first line of 0001_first.sql must be one of -- additiv"):
        load_migrations(tmp_path)


@pytest.mark.parametrize(
    "names", [("0001_a.sql", "0003_b.sql"), ("0001_a.sql", "0001_b.sql"), ("0002_a.sql",)]
)
def test_a_gap_or_a_number_used_twice_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).write_text("-- breaking\n")
    with pytest.raises(ValueError, match="without a gap"):
        load_migrations(tmp_path)


def test_a_new_database_gets_all_steps_and_remembers_them(connection: sqlite3.Connection) -> None:
    assert migrate(connection, (FIRST, SECOND), NOW) == [FIRST, SECOND]
    rows = connection.execute("SELECT version, name, applied_at FROM schema_versions").fetchall()
    assert rows == [(1, "first", NOW), (2, "second", NOW)]
    assert progress(connection) == (2, 2)
    connection.execute("INSERT INTO notes (id, text) VALUES ('a', 'b')")


def test_an_old_database_gets_only_what_it_lacks(connection: sqlite3.Connection) -> None:
    migrate(connection, (FIRST,), NOW)
    assert pending(connection, (FIRST, SECOND)) == (SECOND,)
    assert migrate(connection, (FIRST, SECOND), NOW) == [SECOND]
    assert migrate(connection, (FIRST, SECOND), NOW) == []


def test_a_newer_schema_is_refused_with_what_to_do(connection: sqlite3.Connection) -> None:
    migrate(connection, (FIRST, SECOND), NOW)
    with pytest.raises(Unavailable) as refused:
        migrate(connection, (FIRST,), NOW)
    assert refused.value.detail == (
        "this database was made by a newer Nod (schema 2, this one knows 1);"
        " install that version or newer"
    )


def test_a_newer_schema_is_used_as_it_is_where_all_that_is_new_is_additive(
    connection: sqlite3.Connection,
) -> None:
    migrate(connection, (FIRST, SECOND, THIRD), NOW)
    assert migrate(connection, (FIRST, SECOND), NOW) == []
    assert progress(connection) == (3, 2)
    with pytest.raises(Unavailable, match=r"schema 3, this one knows 1"):
        migrate(connection, (FIRST,), NOW)  # the second is not


def test_a_step_that_fails_leaves_the_schema_as_it_was(connection: sqlite3.Connection) -> None:
    broken = Migration(2, "broken", "CREATE TABLE more (id TEXT); ALTER TABLE nothing ADD x TEXT;")
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        migrate(connection, (FIRST, broken), NOW)
    assert tables(connection) == {"notes", "schema_versions"}
    assert pending(connection, (FIRST, broken)) == (broken,)
    assert migrate(connection, (FIRST, SECOND), NOW) == [SECOND]


def test_a_step_whose_file_ends_too_early_is_refused(connection: sqlite3.Connection) -> None:
    cut_off = Migration(2, "cut_off", "CREATE TABLE more (id TEXT); INSERT INTO more VALUES ('a);")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (FIRST, cut_off), NOW)
    assert tables(connection) == {"notes", "schema_versions"}


def test_a_table_can_be_rebuilt_while_others_refer_to_it(connection: sqlite3.Connection) -> None:
    refer = "CREATE TABLE tags (note_id TEXT NOT NULL REFERENCES notes (id));"
    rebuild = (
        "CREATE TABLE new_notes (id TEXT PRIMARY KEY, text TEXT NOT NULL DEFAULT '');"
        "INSERT INTO new_notes (id) SELECT id FROM notes; DROP TABLE notes;"
        "ALTER TABLE new_notes RENAME TO notes;"
    )
    migrations = (FIRST, Migration(2, "tags", refer), Migration(3, "rebuild", rebuild))
    migrate(connection, migrations[:2], NOW)
    connection.execute("INSERT INTO notes VALUES ('a')")
    connection.execute("INSERT INTO tags VALUES ('a')")
    migrate(connection, migrations, NOW)
    assert connection.execute("SELECT note_id FROM tags").fetchall() == [("a",)]
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO tags VALUES ('nobody')")


def test_a_step_that_leaves_broken_references_is_undone(connection: sqlite3.Connection) -> None:
    lose = (
        "CREATE TABLE tags (note_id TEXT REFERENCES notes (id)); INSERT INTO tags VALUES ('lost');"
    )
    with pytest.raises(sqlite3.IntegrityError, match="0002 leaves rows of tags without their note"):
        migrate(connection, (FIRST, Migration(2, "lose", lose)), NOW)
    assert "tags" not in tables(connection)


async def test_two_processes_that_start_at_once_apply_each_step_once(tmp_path: Path) -> None:
    migrations = tuple(
        Migration(number, "step", f"CREATE TABLE t{number} (id TEXT);") for number in range(1, 21)
    )

    def start() -> list[Migration]:
        connection = sqlite3.connect(tmp_path / "nod.db", isolation_level=None, timeout=30)
        try:
            return migrate(connection, migrations, NOW)
        finally:
            connection.close()

    applied = await asyncio.gather(*(asyncio.to_thread(start) for _ in range(2)))
    assert sorted(applied[0] + applied[1], key=lambda step: step.version) == list(migrations)


def test_semicolons_in_texts_comments_and_triggers_do_not_split() -> None:
    sql = (
        "CREATE TABLE a (x TEXT DEFAULT ';'); -- first; second\n"
        "CREATE TRIGGER b AFTER INSERT ON a BEGIN UPDATE a SET x = 1; DELETE FROM a; END;\n"
        "/* ; */ INSERT INTO a VALUES ('it''s; here'); SELECT 1"
    )
    statements = [statement.strip() for statement in split_statements(sql)]
    assert len(statements) == 4
    assert statements[1].startswith("-- first; second\nCREATE TRIGGER")
    assert statements[1].endswith("END;")
    assert statements[3] == "SELECT 1;"
